from typing import Any

from numpy.typing import NDArray

def transform(
    values: NDArray[Any],
    out: NDArray[Any],
    lines: NDArray[Any],
    across: int,
    matrices: NDArray[Any],
    places: NDArray[Any],
    inverse: bool,
    rows: int,
    width: int,
) -> None: ...
