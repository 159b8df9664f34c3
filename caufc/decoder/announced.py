"""How many samples a file announces, so that arrays for all of them can be made before they are decoded."""

from __future__ import annotations

from ..coders.prelude import Prelude
from ..errors import CaufError
from ..limits import Limits
from .random_access import ReadAt, stored_index

__all__ = ["announced_samples"]


def announced_samples(read_at: ReadAt, size: int, prelude: Prelude, limits: Limits) -> int | None:
    """Samples of a file of several chunks, as its index says, which may be wrong; None where it does not say.

    Args:
        read_at: reads bytes of the file.
        size: of the file, in bytes.
        prelude: of the file.
        limits: checked before the index is read.
    """
    if not prelude.header.indexed:
        return None
    keyed = prelude.header.content == "keyed"
    try:
        index = stored_index(read_at, size, prelude.length, prelude.stream.started().seed, limits, keyed=keyed)
    except CaufError:  # whoever reads the file to its end will say so
        return None
    return index.samples if len(index.chunks) > 1 else None
