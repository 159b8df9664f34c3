"""What is kept for the process: the values used last, within bytes, in threads and forked processes."""

from __future__ import annotations

import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from caufc.codec.kept import Kept


def made(kept: Kept[int, bytes], key: int, size: int) -> bytes:
    return kept.get(key, lambda: bytes([key]) * size)


def test_the_values_used_last_are_kept() -> None:
    kept: Kept[int, bytes] = Kept(100, len)
    first = made(kept, 1, 40)
    made(kept, 2, 40)
    assert made(kept, 1, 40) is first
    made(kept, 3, 40)
    assert (len(kept), kept.bytes) == (2, 80)
    assert made(kept, 1, 40) is first
    assert made(kept, 4, 101) is not made(kept, 4, 101)
    assert (len(kept), kept.bytes) == (2, 80)
    kept.clear()
    assert (len(kept), kept.bytes) == (0, 0)


def test_one_may_be_kept_whatever_its_size() -> None:
    kept: Kept[int, bytes] = Kept(100, len, fewest=1)
    assert made(kept, 4, 500) is made(kept, 4, 500)
    made(kept, 5, 400)
    assert (len(kept), kept.bytes) == (1, 400)


def test_threads_share_it() -> None:
    kept: Kept[int, bytes] = Kept(1000, len)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda number: made(kept, number % 30, 50), range(3000)))
    assert all(value == bytes([number % 30]) * 50 for number, value in enumerate(found))
    assert kept.bytes == 50 * len(kept) <= 1000


def _asked(kept: Kept[int, bytes]) -> None:
    sys.exit(0 if made(kept, 1, 3) == b"\1\1\1" else 1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX forks")
def test_a_forked_process_does_not_wait_for_others() -> None:
    kept: Kept[int, bytes] = Kept(1000, len)
    with kept._lock:
        child = multiprocessing.get_context("fork").Process(target=_asked, args=(kept,))
        child.start()
        child.join(20)
    assert child.exitcode == 0
