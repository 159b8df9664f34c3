"""The shared codec. Nothing in here knows an architecture."""
