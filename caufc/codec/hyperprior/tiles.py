"""Tiles: parts of a chunk's plane that are coded apart, so that work and memory are bounded (spec, section 14.1)."""

from __future__ import annotations

from dataclasses import dataclass

from .constants import STRIDE

__all__ = ["HYPER_STRIDE", "Tile", "places_of", "tiles"]

TILE_ROWS, TILE_COLUMNS = 512, 2048
HYPER_STRIDE = 4


@dataclass(frozen=True)
class Tile:
    """Rows (tokens) and columns (channels) of the plane."""

    top: int
    left: int
    rows: int
    columns: int

    @property
    def latents(self) -> tuple[int, int]:
        """Rows and columns of its latents."""
        return -(-self.rows // STRIDE), -(-self.columns // STRIDE)

    @property
    def hyper_latents(self) -> tuple[int, int]:
        """Rows and columns of its hyper-latents."""
        rows, columns = self.latents
        return -(-rows // HYPER_STRIDE), -(-columns // HYPER_STRIDE)

    @property
    def padded(self) -> int:
        """Values of the planes that its hyper-latents stand for."""
        rows, columns = self.hyper_latents
        return rows * columns * (STRIDE * HYPER_STRIDE) ** 2

    @property
    def there(self) -> tuple[slice, slice]:
        """Its place in the plane."""
        return slice(self.top, self.top + self.rows), slice(self.left, self.left + self.columns)


def tiles(rows: int, columns: int) -> list[Tile]:
    """Tiles of a plane ``[rows, columns]``, from left to right, then downwards [CAUF-0410]."""
    return [
        Tile(top, left, min(TILE_ROWS, rows - top), min(TILE_COLUMNS, columns - left))
        for top in range(0, rows, TILE_ROWS)
        for left in range(0, columns, TILE_COLUMNS)
    ]


def places_of(rows: int, columns: int) -> tuple[int, int]:
    """Places of latents and of hyper-latents in a plane; tiles end where these do, so they change nothing."""
    whole = STRIDE * HYPER_STRIDE
    return -(-rows // STRIDE) * -(-columns // STRIDE), -(-rows // whole) * -(-columns // whole)
