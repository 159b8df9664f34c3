"""The reference decoder with a fault in what it tells: ``broken_decoder.py FAULT ...``, then that one's arguments."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spec.reference.__main__ import main

Facts = dict[str, Any]
Arrays = dict[str, Any]
Fault = Callable[[Facts, Arrays], object]


def spoil(arrays: Arrays, change: Callable[[Any], Any]) -> None:
    name = sorted(arrays)[-1]
    arrays[name] = change(arrays[name])


def with_last(values: Any, value: float) -> Any:
    flat = values.copy()
    flat.reshape(-1)[0] = value
    return flat


def with_third(values: Any) -> Any:
    """One value off by a little, at a place that no JSON lists."""
    flat = values.copy()
    flat.reshape(-1)[2] *= 1.01
    return flat


FAULTS: dict[str, Fault] = {
    "one value off": lambda _, arrays: spoil(arrays, with_third),
    "nan": lambda _, arrays: spoil(arrays, lambda values: with_last(values, np.nan)),
    "infinity": lambda _, arrays: spoil(arrays, lambda values: with_last(values, np.inf)),
    "far off": lambda _, arrays: spoil(arrays, lambda values: values * 1.01),
    "another dtype": lambda _, arrays: spoil(arrays, lambda values: values.astype("f8")),
    "another shape": lambda _, arrays: spoil(arrays, lambda values: values.reshape(-1)),
    "too few values": lambda _, arrays: spoil(arrays, lambda values: values[:1]),
    "a sample missing": lambda _, arrays: arrays.popitem(),
    "a sample too many": lambda _, arrays: arrays.update(more=np.zeros(3)),
    "no samples": lambda _, arrays: arrays.clear(),
    "a tensor missing": lambda facts, _: facts["tensors"].pop(),
    "a tensor too many": lambda facts, _: facts["tensors"].append({}),
    "another name": lambda facts, _: facts["tensors"][0].update(name="other"),
    "another told dtype": lambda facts, _: facts["tensors"][0].update(dtype="int8"),
    "another told shape": lambda facts, _: facts["tensors"][0].update(shape=[1]),
    "another count": lambda facts, _: facts.update(samples=facts["samples"] + 1),
    "other symbols": lambda facts, _: facts.update(symbols_sha256="0" * 64),
    "no symbols": lambda facts, _: facts.pop("symbols_sha256"),
}
"""By name, what a decoder gets wrong of a valid file."""

REFUSALS = {"everything taken": 0, "crash": 1, "always malformed": 3, "always unsupported": 4}
"""By name, how a decoder ends whatever the file."""


def run(fault: str, arguments: list[str]) -> int:
    """Decode, then tell it wrongly."""
    printed, told = io.StringIO(), io.StringIO()
    sys.argv = ["spec.reference", *arguments]
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
        code = main()
    if fault == "another requirement":
        print("refused [CAUF-9999]", file=sys.stderr)
        return code
    if fault in REFUSALS:
        print(printed.getvalue() or '{"samples": 1}')
        return REFUSALS[fault]
    if code:
        return code
    facts = json.loads(printed.getvalue())
    out = Path(arguments[arguments.index("-o") + 1])
    if fault == "no values":
        out.unlink()
    elif fault == "no JSON":
        facts = []
    else:
        with np.load(out) as file:
            arrays = dict(file)
        FAULTS[fault](facts, arrays)
        np.savez(out, **arrays)
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
