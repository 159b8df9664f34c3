"""Measures rate against accuracy: tasks, rivals, curves, reports."""
