"""Trains the learned codec."""
