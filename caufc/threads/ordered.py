"""Work shared out among threads, whose results come in the order of the work."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import chain, islice
from typing import TypeVar

from .blas import one_blas_thread

__all__ = ["in_order"]

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    alone: Callable[[Item], Result] | None = None,
) -> Generator[Result, None, None]:
    """``map(function, items)`` in so many threads, which end with it.

    Items are taken in the caller's thread, at most ``threads + 1`` before their results are. Errors come in order too,
    for any number of threads: the first item that fails is told of, and an error of ``items`` comes after those of the
    items before it.

    Args:
        function: of an item; may run for several at once, each with one thread of BLAS.
        items: what to do.
        threads: how many work; with one, and for one item, it is the caller's.
        alone: takes the place of ``function`` where there is one item.
    """
    if threads == 1:
        yield from map(function, items)
        return
    failed: list[Exception] = []
    feed = _fed(items, failed)
    ahead = list(islice(feed, 2))
    if len(ahead) > 1:
        yield from _shared_out(function, chain(ahead, feed), threads)
    else:
        yield from map(alone if alone is not None and ahead else function, ahead)
    if failed:
        raise failed[0]


def _fed(items: Iterable[Item], failed: list[Exception]) -> Iterator[Item]:
    """The items up to the first that cannot be had, and why."""
    try:
        yield from items
    except Exception as err:  # raised when its turn has come
        failed.append(err)


def _shared_out(
    function: Callable[[Item], Result], items: Iterator[Item], threads: int
) -> Generator[Result, None, None]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix="caufc")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(_begun(pool, function, item))
            del item
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begun(pool: ThreadPoolExecutor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    """A piece of work, with the caller's context, which holds what numpy does about overflow."""
    try:
        return pool.submit(copy_context().run, _alone, function, item)
    except RuntimeError:  # no further thread: there are too many, or the interpreter is about to end
        done: Future[Result] = Future()
        try:
            done.set_result(_alone(function, item))
        except Exception as err:  # raised when its turn has come
            done.set_exception(err)
        return done


def _alone(function: Callable[[Item], Result], item: Item) -> Result:
    with one_blas_thread():
        return function(item)
