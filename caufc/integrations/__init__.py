"""Interfaces of other libraries that caufc takes part in: a module each, which only those who have them load."""
