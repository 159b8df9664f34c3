"""What qualities do to the predictions of the four networks of caufc's measuring tasks, cut at two taps each."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from caufc.evaluate.feature_file import FeatureFile
from tools.measure.point_log import PointLog
from tools.measure.qualities_common import Figures, Method, caufc_methods, cell, closeness, interval, measured, table
from tools.measure.scores import Scores
from tools.measure.tap_features import TAPS, extract, load_features

__all__ = ["measure", "shown"]


def measure(data: Path, work: Path, log: PointLog, most: int) -> Figures:
    """Figures of every tap and quality.

    Args:
        data: folder that docs/evaluate.md describes.
        work: where features are kept.
        log: of points that were measured before.
        most: samples of the test half.
    """
    return {
        tap: measured(
            log, f"tap {tap}, {most} samples,", caufc_methods(TAPS[tap].layout), _Bench(data, work, tap, most).point
        )
        for tap in TAPS
    }


class _Bench:
    """A tap's features of the test half and the network behind it, loaded when they are needed."""

    def __init__(self, data: Path, work: Path, tap: str, most: int) -> None:
        self._data, self._work, self._tap, self._most = data, work, tap, most
        self._loaded: tuple[FeatureFile, Scores] | None = None

    def point(self, method: Method) -> Figures:
        """What a method costs and changes."""
        stored, scores = self._load()
        size, back = method.code(stored.samples)
        again = stored.like(back)
        divergences, agreeing = scores.changes(again.samples)
        return {
            "samples": len(stored.samples),
            "values": stored.numel,
            "bytes": size,
            "bpfp": 8 * size / stored.numel,
            **closeness([stored.tokens()], [again.tokens()]),
            "agreement": interval(agreeing.astype(np.float64)),
            "kl": interval(divergences),
        }

    def _load(self) -> tuple[FeatureFile, Scores]:
        if self._loaded is None:
            folder = self._features()
            stored = FeatureFile.of(load_features(folder, self._tap, "test"), TAPS[self._tap].layout)
            self._loaded = stored, Scores(self._data, self._tap, stored.samples)
        return self._loaded

    def _features(self) -> Path:
        """The folder of the features of the tap's network, extracted if it is not there."""
        folder = self._work / f"features-{TAPS[self._tap].network}-{self._most}"
        if not folder.exists():
            unfinished = folder.with_suffix(".partial")
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            extract(TAPS[self._tap].task, self._data, unfinished, self._most)
            unfinished.replace(folder)
        return folder


def shown(found: Figures) -> str:
    """Figures as Markdown."""
    rows = []
    for tap, qualities in found.items():
        for name, own in qualities.items():
            numbers = (f"{own['bpfp']:.3f}", f"{own['snr_db']:.1f}", f"{own['token_snr_db']:.1f}")
            rows.append(
                (tap, f"{own['samples']:,}", name, *numbers, cell(own["agreement"], ".2%"), cell(own["kl"], ".2g"))
            )
    head = ("tap", "samples", "quality", "BPFP", "SNR dB", "99 % of tokens", "agreement", "KL, nats")
    return table(head, rows)
