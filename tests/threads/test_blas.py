"""One thread of BLAS, whoever asks for it, and the caller's afterwards."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from threadpoolctl import ThreadpoolController

from caufc.threads import in_order, one_blas_thread

LIBRARIES = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]


def counts() -> list[int | None]:
    return [library.get_num_threads() for library in LIBRARIES]


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    """Three threads for every library, set in a way that asks nobody."""
    before = counts()
    for library in LIBRARIES:
        getattr(library, "_real_set_num_threads", library.set_num_threads)(3)
    yield
    for library, count in zip(LIBRARIES, before, strict=True):
        getattr(library, "_real_set_num_threads", library.set_num_threads)(count)


ONE, THREE = [1] * len(LIBRARIES), [3] * len(LIBRARIES)


def test_nested() -> None:
    assert counts() == THREE
    with one_blas_thread():
        assert counts() == ONE
        with one_blas_thread():
            assert counts() == ONE
        assert counts() == ONE
    assert counts() == THREE


def test_after_an_error() -> None:
    with pytest.raises(ValueError, match="x"), one_blas_thread():
        raise ValueError("x")
    assert counts() == THREE


def test_the_last_one_out_puts_it_back() -> None:
    """Whichever thread that is: the first one in leaves first."""
    entered, leave = threading.Event(), threading.Event()
    found = []

    def second() -> None:
        with one_blas_thread():
            entered.set()
            leave.wait(30)
            found.append(counts())

    thread = threading.Thread(target=second)
    with one_blas_thread():
        thread.start()
        assert entered.wait(30)
    assert counts() == ONE
    leave.set()
    thread.join()
    assert found == [ONE]
    assert counts() == THREE


def test_many_at_once() -> None:
    def inside(_: int) -> bool:
        with one_blas_thread():
            return counts() == ONE

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(inside, range(500)))
    assert counts() == THREE


def test_threads_that_share_work_have_one() -> None:
    assert all(found == ONE for found in in_order(lambda _: counts(), range(20), 3))
    assert counts() == THREE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("inside", [False, True])
def test_a_forked_child_is_rid_of_other_threads(inside: bool) -> None:
    """It has the caller's number, unless the thread that forked is inside itself."""
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_blas_thread():
            entered.set()
            leave.wait(30)

    def right_in_child() -> bool:
        with one_blas_thread():
            if counts() != ONE:
                return False
        return counts() == (ONE if inside else THREE)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(30)
    holding = one_blas_thread()
    if inside:
        holding.__enter__()
    child = os.fork()
    if not child:
        os._exit(0 if right_in_child() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    if inside:
        holding.__exit__(None, None, None)
    leave.set()
    thread.join()
    assert counts() == THREE
