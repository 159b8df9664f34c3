"""Makes profiles from samples: blind ones from statistics, task-aware ones from gradients through a network too."""

from .profile import fit_profile

__all__ = ["fit_profile"]
