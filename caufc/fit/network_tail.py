"""The network behind a tap: its outputs, their gradients, and how much a change of features changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NetworkTail", "Outcome", "Resume"]

Resume = Callable[[Any], Any]
"""The network behind a tap as a function: features ``[B, ...]``, a torch tensor, to its output, differentiably."""

VALUES_WEIGHT = 0.5
"""Weight of a relative squared error of values against a share of predictions; chosen by hand, so that 20 dB are as
much as 0.5 %, and 10 dB as 5 %."""

SEQUENCE = 2
"""Axes of outputs beyond which samples have many predictions each; these say enough with one draw."""

Samples = Any
"""A tensor ``[B, ...]``, or a list of samples of one tensor each."""

BATCH_VALUES = 1 << 21
"""Values of a batch at most, so that it fits small memories; chosen by hand."""

TEMPERATURES = (1.0, 64.0)
"""Of the draws of classes, in turn: hot ones reach classes that the samples do not show. Chosen by hand."""


class NetworkTail:
    """The network behind a tap, run on batches of samples of one shape.

    Args:
        resume: runs it.
        outputs: what it gives: ``logits`` are compared by their largest entry, ``values`` by their error; ``auto``
            takes outputs ``[B, K]`` for logits; ``logits`` may be ``[B, T, K]``.
        draws: gradients per sample.
        seed: of the draws.
    """

    def __init__(self, resume: Resume, outputs: str = "auto", draws: int = 4, seed: int = 0) -> None:
        self.resume, self.outputs, self.draws, self.seed = resume, outputs, draws, seed

    def gradients(self, samples: Sequence[NDArray[Any]]) -> Iterator[tuple[list[int], list[NDArray[Any]]]]:
        """The gradients of scores with respect to features: sample numbers of a batch, and ``[B, ...]`` per draw.

        For logits, the score is the margin between the first class and one drawn from the others: what moves it moves
        the prediction. For logits of many predictions per sample, it is the log-probability of classes drawn as they
        are predicted, whose gradients have the Fisher information as their moments. For values, it is a random
        projection of the output.
        """
        import torch

        generator = torch.Generator().manual_seed(self.seed)
        for numbers in _batches(samples):
            with torch.enable_grad():
                found = self._gradients(_stacked(samples, numbers).requires_grad_(True), generator)
            yield numbers, found

    def _gradients(self, given: Tensor, generator: Any) -> list[NDArray[Any]]:
        import torch

        output = self._run(given)
        found = []
        draws = 1 if self._logits(output.shape) and output.ndim > SEQUENCE else self.draws
        for draw in range(draws):
            score = self._score(output, generator, TEMPERATURES[draw % len(TEMPERATURES)])
            kept = draw + 1 < draws
            (gradient,) = torch.autograd.grad(score, given, retain_graph=kept, allow_unused=True)
            if gradient is None:
                raise InputError("the output does not depend on the features: nothing can be fitted to it")
            found.append(gradient.detach().cpu().numpy())
        return found

    def run(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The output of every sample."""
        return self._each(samples, lambda output: output.float())

    def classes(self, samples: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """The first class of every prediction: a number per sample, or ``[T]`` where outputs are ``[B, T, K]``.

        Raises:
            InputError: for outputs that are no scores.
        """

        def first(output: Tensor) -> Tensor:
            if output.ndim not in (2, 3):
                raise InputError(f"the outputs of a sample have the shape {list(output.shape[1:])}, not [K] or [T, K]")
            return output.argmax(dim=-1)

        return self._each(samples, first)

    def _each(self, samples: Sequence[NDArray[Any]], reduce: Callable[[Tensor], Tensor]) -> list[NDArray[Any]]:
        """What a function keeps of the output of every sample, batch by batch."""
        import torch

        results: list[NDArray[Any]] = [np.empty(0)] * len(samples)
        with torch.no_grad():
            for numbers in _batches(samples):
                output = reduce(self._run(_stacked(samples, numbers))).cpu().numpy()
                for number, row in zip(numbers, output, strict=True):
                    results[number] = row
        return results

    def outcome(self, samples: Sequence[NDArray[Any]]) -> Outcome:
        """The outputs of samples, from which changes are told."""
        outputs = self.run(samples)
        if not self._logits((1, *outputs[0].shape)):
            return Outcome(outputs)
        return Outcome(outputs, [_first_two(output) for output in outputs])

    def _logits(self, shape: Sequence[int]) -> bool:
        return shape[-1] > 1 and (self.outputs == "logits" or (self.outputs == "auto" and len(shape) == 2))

    def _run(self, given: Tensor) -> Tensor:
        import torch

        output = self.resume(given)
        if not isinstance(output, torch.Tensor) or output.shape[:1] != given.shape[:1]:
            raise InputError(f"resume gave no output for each of {len(given)} samples")
        return output

    def _score(self, output: Tensor, generator: Any, temperature: float) -> Tensor:
        import torch

        if not self._logits(output.shape):
            return (output * torch.randn(output.shape, generator=generator).to(output)).sum()
        logits = output.reshape(-1, output.shape[-1])
        if output.ndim > SEQUENCE:
            chances = torch.log_softmax(logits.float(), dim=1)
            drawn = torch.multinomial(chances.detach().exp().cpu(), 1, generator=generator).to(output.device)
            return chances.gather(1, drawn).sum()
        first = logits.detach().argmax(dim=1, keepdim=True)
        others = logits.detach().scatter(1, first, -torch.inf) / temperature
        drawn = torch.multinomial(torch.softmax(others, dim=1).cpu(), 1, generator=generator).to(output.device)
        return (logits.gather(1, first) - logits.gather(1, drawn)).sum()


def _batches(samples: Sequence[NDArray[Any]]) -> Iterator[list[int]]:
    """The numbers of samples of one shape, so many that a batch stays small."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, sample in enumerate(samples):
        by_shape.setdefault(sample.shape, []).append(number)
    for shape, numbers in by_shape.items():
        size = max(1, min(64, BATCH_VALUES // max(1, int(np.prod(shape)))))
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]


@dataclass(frozen=True)
class Outcome:
    """What a network made of samples.

    Args:
        outputs: one per sample.
        leading: the two first classes of every prediction of a sample, the second before the first ``[n, 2]``; none for
            outputs that are values.
    """

    outputs: Sequence[NDArray[Any]]
    leading: Sequence[NDArray[np.intp]] = ()

    @property
    def predictions(self) -> int:
        """How many there are: of a sample one, or more."""
        return sum(map(len, self.leading)) or len(self.outputs)

    def changed(self, after: Sequence[NDArray[Any]]) -> float:
        """The share of predictions that are others in other outputs; 0 for values."""
        if not self.leading:
            return 0.0
        changes = [
            leading[:, 1] != output.reshape(-1, output.shape[-1]).argmax(-1)
            for leading, output in zip(self.leading, after, strict=True)
        ]
        return float(np.mean([np.mean(change) for change in changes]))

    def expected_change(self, after: Sequence[NDArray[Any]]) -> float:
        """How much outputs change: the expected share of other predictions, or what squared errors of values count.

        The margin between the first two classes of each sample moves by some amount; the expectation is over all pairs
        of a margin and a move, as any sample might have met any move. So a few samples tell of rare events.
        """
        if not self.leading:
            errors = [_relative_squared_error(a, b) for a, b in zip(self.outputs, after, strict=True)]
            return VALUES_WEIGHT * float(np.mean(errors))
        before, moved = (
            np.concatenate([_margins(output, two) for output, two in zip(outputs, self.leading, strict=True)])
            for outputs in (self.outputs, after)
        )
        margins, moves = np.sort(before), np.sort(moved - before)
        return float(np.searchsorted(moves, -margins, side="left").mean()) / len(moves)


def _first_two(logits: NDArray[Any]) -> NDArray[np.intp]:
    rows = logits.reshape(-1, logits.shape[-1])
    largest = np.argpartition(rows, -2)[:, -2:]
    ascending = np.take_along_axis(rows, largest, 1).argsort(axis=1)
    return np.take_along_axis(largest, ascending, 1)


def _margins(logits: NDArray[Any], leading: NDArray[np.intp]) -> NDArray[np.float64]:
    """The margin between two classes of every prediction."""
    pairs = np.take_along_axis(logits.reshape(-1, logits.shape[-1]), leading, 1).astype(np.float64)
    return pairs[:, 1] - pairs[:, 0]


def _relative_squared_error(before: NDArray[Any], after: NDArray[Any]) -> float:
    error, size = (float(np.square(part, dtype=np.float64).sum()) for part in (before - after, before))
    return error / max(size, 1e-300)


def _stacked(samples: Sequence[NDArray[Any]], numbers: list[int]) -> Tensor:
    import torch

    if not numbers:
        raise InputError("no samples to fit on")
    return torch.from_numpy(np.stack([np.asarray(samples[number], np.float32) for number in numbers]))
