"""Profiles from samples."""

from .blind import fit_profile

__all__ = ["fit_profile"]
