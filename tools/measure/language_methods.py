"""The methods that ``language.py`` draws curves of, on each place of the model: caufc's, and what is used instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import caufc
from caufc.fit.profile import fit_profile
from tools.measure.language_kvtc import kvtc, kvtc_bases
from tools.measure.language_model import CACHE, LAYOUTS, Features, LanguageBench
from tools.measure.language_nncodec import nncodec, nncodec_missing
from tools.measure.language_rivals import Coded, faiss_rotation, fp8, int_by_channel, int_by_token, kivi
from tools.measure.point_log import codec_state

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["CAUFC_KEYS", "MEDIUM", "NAMES", "REFERENCE", "CurveMethod", "LanguageMethods"]

NAMES = {
    "blind": "caufc, blind",
    "profile": "caufc, profile of other texts",
    "task": "caufc, task-aware profile of other texts",
    "window": "caufc, the better profile, a file per window",
    "fp8": "fp8 a token + zstd",
    "kivi": "int-k, keys by channel, values by token (KIVI) + zstd",
    "int-token": "int-k by token + zstd",
    "int-channel": "int-k by channel + zstd",
    "faiss": "rotation, faiss codes + zstd",
    "kvtc": "PCA + DEFLATE (KVTC), own basis, first token fp16",
    "kvtc-calibrated": "PCA + DEFLATE (KVTC), basis of other texts, first token fp16",
    "nncodec": "NNCodec",
}
CAUFC_KEYS = ("blind", "profile", "task", "window")
REFERENCE = {False: ("fp8", 8.0), True: ("kivi", 4.0)}
"""Whether it is a cache -> method and setting whose divergence all methods are compared at."""

MEDIUM = 50.0
QUALITIES = tuple(float(quality) for quality in range(10, 99, 4))
"""8 qualities halve the steps; medium is among these."""

BITS = tuple(map(float, range(2, 9)))
OCTAVES = tuple(float(number) / 4 for number in range(0, 13))
STEPS = tuple(float(number) / 2 for number in range(0, 21))


@dataclass(frozen=True)
class CurveMethod:
    """A way to store features, over settings.

    Args:
        key: as in :data:`NAMES`.
        values: settings, from few bytes to many.
        start: about where the divergence is that methods are compared at.
        code: setting -> bytes, and what comes back.
        always: settings that are measured whatever happens.
    """

    key: str
    values: Sequence[float]
    start: float
    code: Callable[[float], Coded]
    always: Sequence[float] = ()


class LanguageMethods:
    """The methods on a place.

    Args:
        bench: the model.
        place: of :data:`~tools.measure.language_model.PLACES`.
        nncodec_python: interpreter that has NNCodec.
    """

    def __init__(self, bench: LanguageBench, place: str, nncodec_python: str) -> None:
        self.bench, self.place, self.python = bench, place, nncodec_python

    def all(self) -> list[CurveMethod]:
        """Every method that there is for the place."""
        cached = self.place == CACHE
        return [
            CurveMethod("blind", QUALITIES, 34 if cached else 50, self._blind, always=(MEDIUM,)),
            CurveMethod("profile", QUALITIES, 42 if cached else 50, self._with_profile),
            *([] if cached else [CurveMethod("task", QUALITIES, 26, self._task_aware)]),
            CurveMethod("window", QUALITIES, 42 if cached else 26, self._by_window),
            CurveMethod("fp8", (8.0,), 8, lambda _: fp8(self.features)),
            *([CurveMethod("kivi", BITS, 4, self._bits(kivi))] if cached else []),
            CurveMethod("int-token", BITS, 5 if cached else 8, self._bits(int_by_token)),
            CurveMethod("int-channel", BITS, 4 if cached else 8, self._bits(int_by_channel)),
            CurveMethod("faiss", BITS, 4 if cached else 7, self._bits(faiss_rotation)),
            CurveMethod("kvtc", OCTAVES, 2 if cached else 2.25, lambda octaves: kvtc(self.features, octaves)),
            CurveMethod("kvtc-calibrated", OCTAVES, 2 if cached else 2.25, self._calibrated),
            CurveMethod("nncodec", STEPS, 3 if cached else 6, lambda o: nncodec(self.features, o, self.python)),
        ]

    def missing(self) -> dict[str, str]:
        """Key -> why a method cannot run here."""
        reason = nncodec_missing(self.python)
        return {} if reason is None else {"nncodec": reason}

    @cached_property
    def features(self) -> Features:
        """Of the test windows."""
        return self.bench.features(self.place)

    @cached_property
    def profile(self) -> Path:
        """The file of a profile of other texts."""
        return self._fitted("blind")

    @cached_property
    def task_profile(self) -> Path:
        """The file of a profile of other texts, by gradients through the layers behind; a cache has blind ones only."""
        return self.profile if self.place == CACHE else self._fitted("task", resume=self._resume, outputs="logits")

    def _fitted(self, kind: str, **options: Any) -> Path:
        path = self.bench.work / f"{self.place}-{kind}-{self.bench.counts['fit']}-{codec_state()}.caufp"
        if not path.exists():
            given = _given(self.bench.features(self.place, "fit"))
            path.with_suffix(".partial").write_bytes(fit_profile(given, layout=LAYOUTS[self.place], **options))
            path.with_suffix(".partial").replace(path)
        return path

    def _resume(self, features: Tensor) -> Tensor:
        """Logits from hidden states."""
        return self.bench.model.resume(features, self.place)

    @cached_property
    def _bases(self) -> Mapping[str, Any]:
        return kvtc_bases(self.bench.features(self.place, "fit"))

    def _bits(self, code: Callable[[Features, int], Coded]) -> Callable[[float], Coded]:
        return lambda bits: code(self.features, round(bits))

    def _calibrated(self, octaves: float) -> Coded:
        return kvtc(self.features, octaves, self._bases)

    def _blind(self, quality: float) -> Coded:
        return self._coded(self.features, quality)

    def _with_profile(self, quality: float) -> Coded:
        return self._coded(self.features, quality, self.profile)

    def _task_aware(self, quality: float) -> Coded:
        return self._coded(self.features, quality, self.task_profile)

    def _by_window(self, quality: float) -> Coded:
        count = len(next(iter(self.features.values())))
        windows = ({name: part[n : n + 1] for name, part in self.features.items()} for n in range(count))
        coded = [self._coded(window, quality, self.task_profile) for window in windows]
        back = {name: np.concatenate([own[name] for _, own in coded]) for name in self.features}
        return sum(size for size, _ in coded), back

    def _coded(self, features: Features, quality: float, profile: Path | None = None) -> Coded:
        data = caufc.encode(
            _given(features), layout=LAYOUTS[self.place], quality=quality, profile=profile, embed_profile=False
        )
        back = caufc.decode(data, profile=profile)
        return len(data), back if isinstance(back, dict) else {"states": back}


def _given(features: Features) -> Any:
    """Hidden states as the one array that they are, a cache as a dict."""
    return features.get("states", dict(features))
