"""Rivals: what people use instead of caufc. There is a file per family, and one registry of them all.

Most rivals are thin adapters of a library, which is imported when they run.
"""
