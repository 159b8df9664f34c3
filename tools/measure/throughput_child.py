"""What ``throughput`` runs in each state of the code: the seconds of calls on one array or list of arrays.

    python -m tools.measure.throughput_child FEATURES --layout LAYOUT

FEATURES is an `.npz` with one array, or samples in order. Only the public interface is used, and names that older
states have too; what one lacks is left out. Seconds are of the processor, of the fastest of several runs.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import caufc

RUNS = 3
SURVEY = ("caufc.encoder.drafting", "survey_tensor")
DRAFTS = ("caufc.encoder.encoder", "draft_tensors")
PLAN = ("caufc.encoder.transform_draft", "TransformDraft.plan")

Features = Any


class Stopwatch:
    """Adds up the processor's seconds of functions, by name, while they are patched."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, timed."""

        def timed(*arguments: Any, **options: Any) -> Any:
            started = time.process_time()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - started

        return timed


def planning(features: Features, options: dict[str, Any]) -> dict[str, float] | None:
    """Seconds of one encode's survey, and of its choices; None where this state has other names."""
    watch = Stopwatch()
    patches = []
    for module, path in (SURVEY, DRAFTS, PLAN):
        if find_spec(module) is None:
            return None
        owner: Any = importlib.import_module(module)
        *outer, name = path.split(".")
        for part in outer:
            owner = getattr(owner, part, None)
        if owner is None or not hasattr(owner, name):
            return None
        patches.append(mock.patch.object(owner, name, watch.around(name, getattr(owner, name))))
    for patch in patches:
        patch.start()
    try:
        caufc.encode(features, **options)
    finally:
        mock.patch.stopall()
    survey = watch.seconds.get("survey_tensor", 0.0)
    return {"survey": survey, "planning": watch.seconds["draft_tensors"] + watch.seconds["plan"] - survey}


def fastest(job: Callable[[], Any]) -> float:
    """Seconds of the fastest run."""
    times = []
    for _ in range(RUNS):
        started = time.process_time()
        job()
        times.append(time.process_time() - started)
    return min(times)


def measured(features: Features, layout: str) -> dict[str, Any]:
    """Bytes and seconds."""
    one: Any = {"threads": 1} if "threads" in str(inspect.signature(caufc.decode)) else {}
    options: Any = {"layout": layout, **one}
    data = caufc.encode(features, **options)
    found: dict[str, Any] = {
        "bytes": len(data),
        "encode": fastest(lambda: caufc.encode(features, **options)),
        "fast": fastest(lambda: caufc.encode(features, effort="fast", **options)),
        "decode": fastest(lambda: caufc.decode(data, **one)),
    }
    plans = [planning(features, options) for _ in range(RUNS)]
    if plans[0] is not None:
        found |= {name: min(plan[name] for plan in plans if plan) for name in plans[0]}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("features", type=Path, metavar="FEATURES", help="an .npz")
    parser.add_argument("--layout", required=True, help="of the features")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with np.load(options.features) as file:
        samples = [file[name] for name in file.files]
    features = samples[0] if len(samples) == 1 else samples
    print(json.dumps(measured(features, options.layout)))


if __name__ == "__main__":
    main()
