"""Trains the learned codec: a model on planes of aligned features, exported as weights."""
