"""A language model's hidden states and KV cache: rate against the divergence of next-token predictions.

    python -m tools.measure.language --data DIR --work DIR [--windows 64] [--nncodec PYTHON] [--results language]

SmolLM2-135M on AG News, a file of windows of 256 tokens: what enters layers 8, 15 and 22, and the keys and values of
192 tokens, from which the next 64 are predicted. For each way to store them, points around the divergence that people
accept today: that of fp8 for hidden states, of int4 (KIVI) for a cache. Points are kept under ``--work`` as they are
measured: a run that was stopped goes on, and after a change of the codec only its own points are measured again.
NNCodec runs in an interpreter of its own, one where `pip install nncodec` went; where there is none, it is left out.
docs/evaluate.md says what DIR holds and what to install. 64 windows take about four hours of one core, 8 half an hour.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tools.measure import language_page
from tools.measure.language_curves import CurvePoint, walk
from tools.measure.language_methods import CAUFC_KEYS, NAMES, REFERENCE, CurveMethod, LanguageMethods
from tools.measure.language_model import CACHE, PLACES, LanguageBench, numel
from tools.measure.machine import plain_command, write_results
from tools.measure.point_log import PointLog, codec_state, rivals_state

POINTS_A_CURVE = 3
"""About so many does a curve take."""


class Run:
    """Measures curves of places, and says how far it is.

    Args:
        bench: the model.
        log: points that are there already.
        places, methods: what is measured.
        nncodec_python: interpreter that has NNCodec.
    """

    def __init__(
        self, bench: LanguageBench, log: PointLog, places: Sequence[str], methods: Sequence[str], nncodec_python: str
    ) -> None:
        self.bench, self.log, self.methods = bench, log, methods
        self.places = {place: LanguageMethods(bench, place, nncodec_python) for place in places}
        self.curves_left = len(places) * len(methods)
        self.seconds: list[float] = []

    def measure(self) -> dict[str, Any]:
        """Figures of every place, as JSON data."""
        return {place: self._place(own) for place, own in self.places.items()}

    def _place(self, own: LanguageMethods) -> dict[str, Any]:
        reference, setting = REFERENCE[own.place == CACHE]
        known = {method.key: method for method in own.all()}
        wanted = self._point(own, known[reference], setting)
        missing = own.missing()
        curves = {}
        for key, method in known.items():
            if key in self.methods and key not in missing:
                mean = float(wanted.divergences.mean())
                curves[key] = walk(method, mean, partial(self._point, own, method))
            self.curves_left -= key in self.methods
        return {
            "windows": self.bench.counts["test"],
            "fit_windows": self.bench.counts["fit"],
            "predictions": self.bench.predictions(own.place),
            "values": numel(own.features),
            "reference": {"method": reference, "setting": setting, **_stored(wanted)},
            "profile_bytes": own.profile.stat().st_size if {"profile", "task", "window"} & {*curves} else None,
            "curves": {key: [_stored(point) for point in points] for key, points in curves.items()},
            "missing": {key: reason for key, reason in missing.items() if key in self.methods},
        }

    def _point(self, own: LanguageMethods, method: CurveMethod, setting: float) -> CurvePoint:
        """A point, from the log or measured."""
        counts = self.bench.counts
        name = f"{own.place} {method.key} {setting:g}, {counts['test']} windows, {counts['fit']} to fit"
        state = codec_state() if method.key in CAUFC_KEYS else rivals_state()
        there, started = self.log.has(name, state), time.perf_counter()
        found = self.log.get(name, state, lambda: self._measured(own, method, setting))
        point = CurvePoint(setting, found["bpfp"], np.array(found["divergences"]), np.array(found["agreements"]))
        if not there:
            self.seconds.append(time.perf_counter() - started)
            self._tell(name, point)
        return point

    def _measured(self, own: LanguageMethods, method: CurveMethod, setting: float) -> dict[str, Any]:
        size, back = method.code(setting)
        divergences, agreements = own.bench.moves(own.place, back)
        facts = {"bytes": size, "bpfp": 8 * size / numel(own.features)}
        return {**facts, "divergences": divergences.tolist(), "agreements": agreements.tolist()}

    def _tell(self, name: str, point: CurvePoint) -> None:
        left = POINTS_A_CURVE * self.curves_left * float(np.mean(self.seconds)) / 60
        kl, same = point.divergences.mean(), 100 * point.agreements.mean()
        text = f"  {point.bpfp:.3f} BPFP, KL {kl:.5f}, top-1 {same:.2f} %; about {left:.0f} min left"
        print(name.partition(",")[0] + text, file=sys.stderr, flush=True)


def _stored(point: CurvePoint) -> dict[str, Any]:
    return {
        "setting": point.setting,
        "bpfp": point.bpfp,
        "divergences": [float(f"{value:.5g}") for value in point.divergences],
        "agreements": [float(f"{value:.5g}") for value in point.agreements],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of agnews.csv")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="features and points are kept there")
    parser.add_argument("--windows", type=int, default=64, help="of 256 tokens  [64]")
    parser.add_argument("--fit-windows", type=int, default=96, help="of other texts, for profiles and bases  [96]")
    parser.add_argument("--taps", nargs="+", choices=PLACES, default=PLACES, metavar="TAP", help=" ".join(PLACES))
    parser.add_argument("--methods", nargs="+", choices=NAMES, default=list(NAMES), metavar="KEY", help=" ".join(NAMES))
    parser.add_argument("--nncodec", default=sys.executable, metavar="PYTHON", help="interpreter that has NNCodec")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    bench = LanguageBench(options.data, options.work, options.windows, options.fit_windows)
    log = PointLog(options.work / "points.jsonl")
    with torch.no_grad():
        found = Run(bench, log, options.taps, options.methods, options.nncodec).measure()
    text = language_page.page(found)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), found, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
