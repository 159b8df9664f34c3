from typing import Any

from numpy.typing import NDArray

def buckets(indices: NDArray[Any], out: NDArray[Any], rows: int, width: int) -> None: ...
def sums(
    indices: NDArray[Any], bands: NDArray[Any], by_band: NDArray[Any], by_channel: NDArray[Any], rows: int, width: int
) -> None: ...
def sizes(
    indices: NDArray[Any],
    bands: NDArray[Any],
    classes: NDArray[Any],
    counts: NDArray[Any],
    excess: NDArray[Any],
    rows: int,
    width: int,
) -> None: ...
def by_class(
    buckets: NDArray[Any], bands: NDArray[Any], classes: NDArray[Any], counts: NDArray[Any], rows: int, width: int
) -> None: ...
def extents(
    buckets: NDArray[Any], placement: tuple[Any, ...], classes: NDArray[Any], out: NDArray[Any], channels: int
) -> int: ...
def by_context(
    buckets: NDArray[Any],
    placement: tuple[Any, ...],
    classes: NDArray[Any],
    context_of: NDArray[Any],
    context_of_head: NDArray[Any],
    counts: NDArray[Any],
    channels: int,
    with_extents: bool,
) -> None: ...
