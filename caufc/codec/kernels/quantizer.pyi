from typing import Any

from numpy.typing import NDArray

def trellis(
    values: NDArray[Any],
    inverse: NDArray[Any],
    bands: NDArray[Any],
    costs: NDArray[Any] | None,
    indices: NDArray[Any],
    rows: int,
    width: int,
) -> None: ...
def quantize(
    values: NDArray[Any],
    inverse: NDArray[Any],
    bands: NDArray[Any] | None,
    zones: NDArray[Any] | None,
    rounding: float,
    indices: NDArray[Any],
    rows: int,
    width: int,
) -> None: ...
def dequantize(
    symbols: NDArray[Any],
    steps: NDArray[Any],
    shift: float,
    dependent: bool,
    values: NDArray[Any],
    rows: int,
    width: int,
) -> None: ...
def zigzag(indices: NDArray[Any], symbols: NDArray[Any]) -> None: ...
