from typing import Any

from numpy.typing import NDArray

def split(values: NDArray[Any], planes: NDArray[Any], width: int, rotate: bool) -> None: ...
def join(planes: NDArray[Any], values: NDArray[Any], width: int, rotate: bool) -> None: ...
def contexts(
    plane: NDArray[Any],
    base: NDArray[Any],
    table: NDArray[Any],
    out: NDArray[Any],
    shape: tuple[int, ...],
    rows: tuple[int, int, int],
    columns: tuple[int, int, int],
    axis: int,
    distance: int,
    summary: int,
) -> None: ...
def look_up(table: NDArray[Any], values: NDArray[Any], out: NDArray[Any]) -> None: ...
def hits(context: NDArray[Any], part: NDArray[Any], alike: NDArray[Any], out: NDArray[Any]) -> None: ...
def count(
    context: NDArray[Any], side: NDArray[Any] | None, sides: int, part: NDArray[Any], counts: NDArray[Any]
) -> None: ...
def group(
    part: NDArray[Any],
    context: NDArray[Any],
    kinds: NDArray[Any],
    out: NDArray[Any],
    stops: NDArray[Any],
) -> None: ...
def read(
    words: NDArray[Any],
    left: int,
    state: int,
    tables: object,
    context: NDArray[Any],
    kinds: NDArray[Any],
    constants: NDArray[Any],
    raw: NDArray[Any],
    part: NDArray[Any],
) -> tuple[int, int, int]: ...
