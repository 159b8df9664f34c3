"""What ``tools.measure.house`` runs in a checkout: traces one encode and one decode, and prints what it saw as JSON.

It imports caufc alone, so that it runs on older states of the code too.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gc
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import numpy as np

import caufc
from caufc.cli.main import main

ROOT = Path(caufc.__file__).parent
ENCODE_ROOMS = ("encoder", "coders", "pipeline", "codec.plan", "codec.levels", "codec.importance", "codec.clustering")
"""Where choices for tensors are made and carried, in the present layout and in the one before."""

STAGES = ("with_tables", "plan", "write_pass", "write", "encode", "_report", "report_of")
"""Functions of the encode rooms with which a stage of an encode begins, in both layouts."""

LOOKS = 4
"""How often it is looked what is alive when a stage begins."""

DECODERS = ("decoder.file_decoder", "pipeline.decoder")


class Carried:
    """Watches, while its body runs, which objects of the encode rooms are alive when a stage begins.

    Args:
        names: of their classes -> how many at most.
    """

    def __init__(self) -> None:
        self.names: collections.Counter[str] = collections.Counter()
        self._looks: collections.Counter[str] = collections.Counter()

    def __enter__(self) -> Carried:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_name
        if event != "call" or name not in STAGES or not _room(str(frame.f_globals.get("__name__"))):
            return
        self._looks[name] += 1
        if self._looks[name] <= LOOKS:
            sys.setprofile(None)
            gc.collect()
            alive = collections.Counter(type(each).__qualname__ for each in gc.get_objects() if _room(_home(each)))
            self.names |= alive
            sys.setprofile(self._event)


def _home(thing: object) -> str:
    return str(getattr(type(thing), "__module__", ""))


def _room(module: str) -> bool:
    """Whether a module belongs to the encode rooms."""
    return module.startswith("caufc.") and module.removeprefix("caufc.").startswith(ENCODE_ROOMS)


class Trace:
    """Watches calls while its body runs.

    Args:
        names: of classes of the encode rooms -> how many instances were made.
        files: of caufc in which a function ran.
        frames: of caufc on the stack when symbols went to the entropy coder, at most.
    """

    def __init__(self) -> None:
        self.names: collections.Counter[str] = collections.Counter()
        self.files: set[str] = set()
        self.frames: list[str] = []

    def __enter__(self) -> Trace:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call":
            self._called(frame)
        elif event == "c_call" and getattr(arg, "__name__", "") == "encode_reverse":
            stack = _stack(frame)
            self.frames = max(self.frames, stack, key=len)

    def _called(self, frame: FrameType) -> None:
        place = frame.f_code.co_filename
        if place.startswith(str(ROOT)):
            self.files.add(place)
        if frame.f_code.co_name == "__init__":
            made = frame.f_locals.get("self")
            if _room(_home(made)):
                self.names[type(made).__qualname__] += 1


def _stack(frame: FrameType | None) -> list[str]:
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT):
            found.append(f"{path.relative_to(ROOT).with_suffix('')}:{frame.f_code.co_name}")
        frame = frame.f_back
    return found


def _run(*words: str) -> Callable[[], object]:
    """A command line, as the console script runs it."""

    def run() -> None:
        sys.argv = ["caufc", *words]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            main()

    return run


def _encode(folder: Path, name: str) -> Callable[[], object]:
    return _run("encode", f"{folder}/{name}.npz", "-o", f"{folder}/{name}.cauf", "-f")


Watch = TypeVar("Watch", Trace, Carried)


def _watched(watch: Watch, run: Callable[[], object]) -> Watch:
    """The second run of a command: the first one imports."""
    run()
    with watch:
        run()
    return watch


def _own(one: Trace | Carried, three: Trace | Carried) -> list[str]:
    """Classes of which three tensors have more instances than one."""
    return sorted(name for name, count in three.names.items() if count > one.names[name])


def _decoder_modules() -> int:
    """Modules of caufc that importing the decoder loads."""
    known = [name for name in DECODERS if (ROOT / f"{name.replace('.', '/')}.py").is_file()]
    code = f"import sys, caufc.{known[0]}; print(sum(name.startswith('caufc.') for name in sys.modules))"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def measured(folder: Path) -> dict[str, Any]:
    """All figures."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(size=(40, 30, 64)).astype(np.float32) for _ in range(3))
    np.savez(folder / "one.npz", a=a)
    np.savez(folder / "three.npz", a=a, b=b, c=c)
    one, three = (_watched(Trace(), _encode(folder, name)) for name in ("one", "three"))
    carried = [_watched(Carried(), _encode(folder, name)) for name in ("one", "three")]
    back = _watched(Trace(), _run("decode", f"{folder}/one.cauf", "-o", f"{folder}/back.npz", "-f"))
    return {
        "made": _own(one, three),
        "carried": _own(*carried),
        "frames": one.frames[::-1],
        "files_encode": len(one.files),
        "files_decode": len(back.files),
        "decoder_modules": _decoder_modules(),
    }


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measured(Path(scratch))))
