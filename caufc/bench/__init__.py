"""Measures rate, error and speed on one's own features, beside rivals: :func:`caufc.bench.measure.measure`."""
