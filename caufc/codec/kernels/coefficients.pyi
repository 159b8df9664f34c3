from typing import Any

from numpy.typing import NDArray

def decode(
    words: NDArray[Any],
    placement: tuple[Any, ...],
    classes: NDArray[Any],
    by_sum: NDArray[Any],
    by_head: NDArray[Any],
    tables: object,
    symbols: NDArray[Any],
    channels: int,
    kinds: int,
    extents: bool,
) -> bool: ...
def decode_both(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[bool, bool]: ...
def group(
    symbols: NDArray[Any],
    placement: tuple[Any, ...],
    classes: NDArray[Any],
    by_sum: NDArray[Any],
    by_head: NDArray[Any],
    run_tables: NDArray[Any],
    run_stops: NDArray[Any],
    coded: NDArray[Any],
    large: NDArray[Any],
    rests: NDArray[Any],
    channels: int,
    kinds: int,
    extents: bool,
) -> int: ...
