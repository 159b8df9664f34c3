"""Held signals: those that come while foreign code writes take effect where it can bear what their handlers raise."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["HeldSignals"]

HELD = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]


class HeldSignals:
    """A block in which interrupts raise nothing by themselves; those never taken take effect at its end.

    Outside of the main thread, where no handlers run, it changes nothing.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: list[tuple[int, FrameType | None]] = []

    def __enter__(self) -> HeldSignals:
        if threading.current_thread() is threading.main_thread():
            for number in HELD:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._hold)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.take()

    def take(self) -> None:
        """Let signals that came take effect.

        Raises:
            BaseException: what their handlers raise.
        """
        while self._came:
            number, frame = self._came.pop(0)
            self._handlers[number](number, frame)

    def _hold(self, number: int, frame: FrameType | None) -> None:
        self._came.append((number, frame))
