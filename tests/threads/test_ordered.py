"""Work shared out among threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from caufc.threads import in_order

THREADS = (1, 2, 5)


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("caufc")}


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_results_come_in_order(threads: int, count: int) -> None:
    def slow(number: int) -> int:
        time.sleep(0.002 * (number % 3 == 0))
        return number * number

    assert list(in_order(slow, range(count), threads)) == [number * number for number in range(count)]
    assert not names()


@pytest.mark.parametrize("threads", THREADS)
def test_few_are_taken_ahead(threads: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 50:
            taken += 1
            yield taken

    for number, _ in enumerate(in_order(abs, items(), threads), 1):
        assert taken <= number + threads


@pytest.mark.parametrize("threads", THREADS)
def test_the_first_error_is_told(threads: int) -> None:
    """Of an item before those of later items, which were quicker, and before those of the items themselves."""

    def failing(number: int) -> int:
        if number >= 3:
            time.sleep(0.05 / number)
            raise ValueError(number)
        return number

    def cut() -> Iterator[int]:
        yield from range(5)
        raise KeyError("items")

    for items in (range(9), cut()):
        found: list[int] = []
        with pytest.raises(ValueError, match=r"^3$"):
            found.extend(in_order(failing, items, threads))
        with pytest.raises(KeyError, match="items"):
            list(in_order(abs, cut(), threads))
        assert not names()


@pytest.mark.parametrize("threads", THREADS)
def test_one_item_is_the_callers(threads: int) -> None:
    def here(item: object) -> str:  # noqa: ARG001
        return threading.current_thread().name

    main = threading.current_thread().name
    assert list(in_order(here, [1], threads)) == [main]
    assert all(name.startswith("caufc") or threads == 1 for name in in_order(here, [1, 2, 3], threads))
    assert list(in_order(here, [1], threads, lambda item: f"alone with {item}")) == [
        "alone with 1" if threads > 1 else main
    ]


def test_no_thread_is_left() -> None:
    results = in_order(abs, range(99), 3)
    assert next(results) == 0
    assert names()
    results.close()
    assert not names()


def test_what_numpy_does_about_overflow_is_the_callers() -> None:
    def overflowing(number: int) -> float:
        return float(np.float32(3e38) * np.float32(number))

    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        list(in_order(overflowing, [1, 2, 3], 2))


def test_without_further_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:  # noqa: ARG001
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    assert list(in_order(abs, range(-9, 0), 3)) == list(range(9, 0, -1))
    with pytest.raises(TypeError):
        list(in_order(len, [1, 2], 3))  # type: ignore[arg-type]
