"""Profiles from samples."""

from .profile import fit_profile

__all__ = ["fit_profile"]
