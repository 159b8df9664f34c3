from typing import Any

from numpy.typing import NDArray

def measure(
    values: NDArray[Any],
    low: NDArray[Any],
    high: NDArray[Any],
    beyond: NDArray[Any],
    squares: NDArray[Any],
    rows: int,
    width: int,
) -> None: ...
def square(values: NDArray[Any], squares: NDArray[Any], rows: int, width: int) -> None: ...
def transfer(
    coefficients: NDArray[Any],
    points: NDArray[Any],
    roots: NDArray[Any],
    offsets: NDArray[Any],
    squares: NDArray[Any],
    products: NDArray[Any],
    rows: int,
    width: int,
) -> None: ...
def transpose(values: NDArray[Any], out: NDArray[Any], itemsize: int, matrices: int, rows: int, width: int) -> None: ...
def turn(
    values: NDArray[Any],
    cosines: NDArray[Any],
    sines: NDArray[Any],
    positions: NDArray[Any],
    starts: NDArray[Any],
    lengths: NDArray[Any],
    distance: int,
    rows: int,
    width: int,
) -> None: ...
