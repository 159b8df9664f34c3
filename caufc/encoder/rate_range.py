"""The rate range: how many bytes a file, or a chunk of a stream, of a wanted rate may have."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RATE_BYTES", "RATE_TOLERANCE", "RateRange"]

RATE_TOLERANCE, RATE_BYTES = 0.02, 64
"""Share of a rate, and bytes of a file, of which the larger is how far below it a file may lie."""

AIM = 0.5
"""Where in that range a search aims, from the rate on."""


@dataclass(frozen=True)
class RateRange:
    """Bytes that are near enough to a rate.

    Args:
        wanted: the most.
    """

    wanted: float

    @property
    def tolerance(self) -> float:
        """Bytes below that are near enough."""
        return max(RATE_TOLERANCE * self.wanted, RATE_BYTES)

    @property
    def aim(self) -> float:
        """Where a search aims."""
        return self.wanted - AIM * self.tolerance

    def holds(self, found: float) -> bool:
        """Whether bytes are near enough."""
        return self.wanted - self.tolerance <= found <= self.wanted

    def nearer(self, found: float, best: float) -> bool:
        """Whether bytes are nearer to the most than the best so far; more than that are worse than any fewer."""
        return found < best if best > self.wanted else best < found <= self.wanted
