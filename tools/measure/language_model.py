"""SmolLM2 on windows of news: features to code at its taps, and how far next-token predictions move."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from caufc.plugins.measuring_language import SmolLM2

__all__ = ["CACHE", "HIDDEN", "LAYOUTS", "PLACES", "Features", "LanguageBench", "Moves", "numel", "tokens"]

Features = Mapping[str, NDArray[Any]]
"""``states`` ``[B, T, C]``, or ``keys.LAYER`` and ``values.LAYER`` ``[B, G, T, D]``."""

Moves = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Of each window: the mean divergence of its predictions in nats ``[B]``, and the share whose top-1 stands ``[B]``."""

HIDDEN = ("hidden8", "hidden15", "hidden22")
CACHE = "cache"
PLACES = (*HIDDEN, CACHE)
LAYOUTS = {**dict.fromkeys(HIDDEN, "b n c"), CACHE: "b g (1 + t) d"}

WINDOW = 256
KEPT = 192
"""Tokens whose keys and values are kept; the others of a window are predicted from them."""

TEXTS = {"fit": (0, 1500), "test": (2500, 4500)}
TOGETHER = 4
"""Windows that go through the model at once."""


class LanguageBench:
    """The model and its windows of text, loaded when they are needed; features are kept in files.

    Args:
        data: folder of ``agnews.csv``.
        work: where features are kept.
        windows: of the test texts.
        fit_windows: of the texts that profiles and bases may be fitted on.
    """

    def __init__(self, data: Path, work: Path, windows: int, fit_windows: int) -> None:
        self.data, self.work = data, work
        self.counts = {"fit": fit_windows, "test": windows}

    @cached_property
    def model(self) -> SmolLM2:
        """The network."""
        from caufc.plugins.measuring_language import SmolLM2

        return SmolLM2()

    def features(self, place: str, half: str = "test") -> dict[str, NDArray[Any]]:
        """Features of all windows of a half: hidden states in fp32, keys and values in fp16, as stores keep them."""
        path = self._kept(f"{place}.{half}.npz")
        if not path.exists():
            self._extract(half, cache=place == CACHE)
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}

    def moves(self, place: str, features: Features) -> Moves:
        """What other features do to predictions."""
        import torch

        before = torch.from_numpy(self._final_states(place))
        divergences, standing = [], []
        for part in self._parts(len(before)):
            given = self.model.scores(before[part]).log_softmax(-1)
            found = self.model.scores(self._resumed(place, features, part)).log_softmax(-1)
            standing.append((given.argmax(-1) == found.argmax(-1)).double().mean(-1))
            divergences.append((given.exp() * found.neg_().add_(given)).sum(-1).double().mean(-1))
        return torch.cat(divergences).numpy(), torch.cat(standing).numpy()

    def predictions(self, place: str) -> int:
        """How many there are."""
        return self.counts["test"] * (WINDOW - KEPT if place == CACHE else WINDOW)

    def _final_states(self, place: str) -> NDArray[np.float32]:
        """What the head reads when nothing was coded ``[B, T, C]``."""
        path = self._kept(f"{place}.final.npy")
        if not path.exists():
            import torch

            features, count = self.features(place), self.counts["test"]
            states = [self._resumed(place, features, part) for part in self._parts(count)]
            _write(path, torch.cat(states).numpy())
        found: NDArray[np.float32] = np.load(path)
        return found

    def _resumed(self, place: str, features: Features, part: slice) -> Tensor:
        """What the head reads ``[B, T, C]`` when some windows' features are taken."""
        import torch

        given = {name: torch.from_numpy(np.asarray(x[part], np.float32)) for name, x in features.items()}
        if place == CACHE:
            return self.model.final_states_after(given, self.token_ids("test")[part, KEPT:])
        return self.model.final_states(given["states"], place)

    def _extract(self, half: str, *, cache: bool) -> None:
        """Write features of a half: the cache, or all hidden states at once."""
        ids, parts = self.token_ids(half), self._parts(self.counts[half])
        if cache:
            caches = [self.model.cache(ids[part, :KEPT]) for part in parts]
            joined = {name: np.concatenate([_halves(each[name]) for each in caches]) for name in caches[0]}
            _write(self._kept(f"{CACHE}.{half}.npz"), joined)
            return
        states = [self.model.extract(ids[part], HIDDEN) for part in parts]
        for place in HIDDEN:
            joined = {"states": np.concatenate([each[place].numpy() for each in states])}
            _write(self._kept(f"{place}.{half}.npz"), joined)

    def token_ids(self, half: str) -> Tensor:
        """Token IDs ``[B, 256]``."""
        from caufc.plugins.measuring_tasks import news

        first, last = TEXTS[half]
        found = self.model.windows(news(self.data)[1][first:last], WINDOW, self.counts[half])
        if len(found) < self.counts[half]:
            raise SystemExit(f"the {half} texts fill {len(found)} windows only")
        return found

    def _kept(self, name: str) -> Path:
        half = "fit" if ".fit." in name else "test"
        folder = self.work / f"smollm2-{half}-{self.counts[half]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    @staticmethod
    def _parts(count: int) -> list[slice]:
        return [slice(start, start + TOGETHER) for start in range(0, count, TOGETHER)]


def numel(features: Features) -> int:
    """Number of values."""
    return sum(part.size for part in features.values())


def tokens(part: NDArray[Any]) -> NDArray[Any]:
    """A tensor's tokens as rows ``[N, C]``, its heads side by side."""
    if part.ndim == 4:
        part = part.transpose(0, 2, 1, 3)
    return part.reshape(-1, part.shape[-1] if part.ndim == 3 else part.shape[2] * part.shape[3])


def _halves(values: Tensor) -> NDArray[np.float16]:
    halves: NDArray[np.float16] = values.half().numpy()
    return halves


def _write(path: Path, values: Any) -> None:
    """An array or a dict of arrays, whole or not at all."""
    partial = path.with_name(f"partial-{path.name}")
    if isinstance(values, dict):
        np.savez(partial, **values)
    else:
        np.save(partial, values)
    partial.replace(path)
