"""Signals during torch.save: its zip writer aborts the process where writing raises."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from caufc.features.held_signals import HeldSignals

WRITE = """
import io, signal, sys
import torch
from caufc.features.pt import _dump

class Interrupted(io.BytesIO):
    def write(self, data):
        if self.tell() > 1000:
            signal.raise_signal(signal.{number})
        return super().write(data)

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
stream = Interrupted()
try:
    with stream:
        _dump({{str(n): torch.zeros(1000) for n in range(50)}}, stream)
        print("written")
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(("number", "code", "said"), [("SIGINT", 0, "interrupted"), ("SIGTERM", 143, "")])
def test_an_interrupt_while_torch_writes(number: str, code: int, said: str) -> None:
    pytest.importorskip("torch")
    command = [sys.executable, "-c", WRITE.format(number=number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (code, said, "")


def test_they_take_effect_at_the_end() -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt), HeldSignals():
        signal.raise_signal(signal.SIGINT)
        seen.append("held")
    assert seen == ["held"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_they_take_effect_when_taken() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        with HeldSignals() as held:
            signal.raise_signal(signal.SIGTERM)
            assert came == []
            held.take()
            assert came == [signal.SIGTERM]
        assert came == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_have_no_handlers() -> None:
    errors: list[Any] = []

    def hold() -> None:
        try:
            with HeldSignals():
                pass
        except ValueError as err:
            errors.append(err)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert not errors
