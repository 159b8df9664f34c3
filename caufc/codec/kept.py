"""What is found again and again and kept for the process, within so many bytes."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

__all__ = ["Kept"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_ALL: WeakSet[Kept[Any, Any]] = WeakSet()


class Kept(Generic[Key, Value]):
    """Values that were used last; threads may share them, and a forked process begins with none.

    Args:
        most: bytes that are kept.
        bytes_of: of a value, and of what it will come to hold.
        fewest: values that are kept, whatever their size.
    """

    def __init__(self, most: int, bytes_of: Callable[[Value], int], fewest: int = 0) -> None:
        self.most, self.bytes_of, self.fewest = most, bytes_of, fewest
        self.clear()
        _ALL.add(self)

    def clear(self) -> None:
        """Drop all."""
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """The value of a key, which is made where it is not kept; threads may do so side by side."""
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
                return found[0]
        made = make()
        size = self.bytes_of(made)
        with self._lock:
            self._add(key, made, size)
        return made

    def _add(self, key: Key, made: Value, size: int) -> None:
        if key in self._values or (size > self.most and not self.fewest):
            return
        self._values[key] = made, size
        self.bytes += size
        while self.bytes > self.most and len(self._values) > self.fewest:
            _, (_, dropped) = self._values.popitem(last=False)
            self.bytes -= dropped


def _forked() -> None:
    """In a child process only the thread that forked goes on: locks that others held would stay locked."""
    for kept in list(_ALL):
        kept.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
