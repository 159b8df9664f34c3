"""The choice among layouts that may be meant: by the bytes of a sample under each at equal error."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..layouts import Layout
from .layout_cost import Extent, layout_cost
from .layout_evidence import known_tokens
from .layout_roles import Kind, Roles, Sizes, channels_of, layout_of, role_candidates, usual_roles
from .layout_sample import LayoutSample, boxes_of, sample_of, samples_of, smoothness
from .principals import BIT_WEIGHT, LARGEST_BASIS
from .source import Source, SourceTensor
from .special_tokens import special_candidates, stands_apart, token_axis

__all__ = ["AlikeTensors", "chosen_roles", "refined"]

MEMBERS = 4
"""Of alike tensors, so many are looked at."""

MOST_SIZES = 8
"""Of alike tensors of more sizes, all have the same special tokens."""

BOX_VALUES, SMALLEST_BOX = 1 << 13, 1 << 11
BOX_SHARE = 1 / 16
"""Values of a box at most and at least, and the share of a tensor's in between."""

FEW_VALUES = 2048
"""Tensors of fewer values have their usual layouts."""

MARGIN = 0.03
"""Share of the usual layout's bits that another must save: samples are small."""

SMOOTH, ROUGH, FAR_SMOOTHER, SMOOTHER = 0.2, 0.1, 0.3, 0.06
"""Smoothness of axes along which neighbours are alike, and of those along which they are not; how far one axis must
be ahead of another that is between, and ahead of one along which they are not, to be of tokens rather."""

SMOOTHED = 4
"""Boxes of a tensor on which that is measured."""

MOST_COMPARED = 8
"""Of more layouts, half as many are compared closely."""

DOUBTFUL = 0.3
"""Share of bytes that a layout must save whose tokens lie along an axis that looks like channels."""

SMALL_MARGIN, SMALL_DOUBTFUL = 0.1, 0.4
"""Usual and doubtful share for a small file, of which a sample says little: random values save as much by chance."""

UNLIKELY = 0.15
"""Share that it must save where channels lie along an axis that looks like tokens."""

NARROW_CHANNELS = 16
"""Channels of fewer make narrow tokens, each of which must keep what a quality promises: at one error of all, they take
as many bits as wide ones, and far more at a quality. What looks like them must save that margin, not others."""

WIDEST = 4096
"""Channels from which on tokens may rather be channels."""

SINGLE = 0.6
"""Share where each token would be a single value, of which even the smallest must keep what a quality promises."""

GRID_MARGIN = 0.01
"""Share that a grid with special tokens must save against a sequence."""

STEP = 0.17
"""In deviations, about that of medium quality; whatever is asked, so that no layout depends on the rate."""

LEAST_BITS, LEAST_SHARE = 0.05, 0.25
"""Per value: below, layouts count as equal. And the share of costs that are bits at least, where most values are 0."""

SURVEYED_VALUES, SURVEYED_SHARE = 1 << 19, 0.25


@dataclass(frozen=True)
class AlikeTensors:
    """Tensors of as many axes whose names differ in numbers alone.

    Args:
        source: the input.
        tensors: some of its tensors, of floats.
        templates: by name: sizes of a sample's axes, None where they vary.
        kind: what their names say.
    """

    source: Source
    tensors: Sequence[SourceTensor]
    templates: Mapping[str, Sizes]
    kind: Kind

    @cached_property
    def members(self) -> list[SourceTensor]:
        """Those that are looked at: a few that hold something, evenly spread."""
        present = [tensor for tensor in self.tensors if tensor.numel] or list(self.tensors)
        count = min(MEMBERS, len(present))
        return [present[number * len(present) // count] for number in range(count)]

    @cached_property
    def tokens(self) -> dict[int, str]:
        """Axes that are known to be of tokens, and why."""
        found: dict[int, str] = {}
        for tensor in self.members:
            found |= known_tokens(self.source, tensor, self.templates[tensor.name])
        return found

    @property
    def sizes(self) -> Sizes:
        """Of the largest of them; 1 only where it is 1 in all."""
        largest = max(self.members, key=lambda tensor: tensor.numel)
        own = self.templates[largest.name]
        every = list(zip(*self.templates.values(), strict=True))
        return tuple(2 if size == 1 and set(all_) != {1} else size for size, all_ in zip(own, every, strict=True))

    @property
    def numel(self) -> int:
        """Values of all."""
        return sum(tensor.numel for tensor in self.tensors)

    @property
    def compared(self) -> bool:
        """Whether bytes are compared at all."""
        return self.numel >= FEW_VALUES and bool(self.source.samples)

    @cached_property
    def smoothness(self) -> list[float]:
        """How alike neighbours are along every axis; NaN where nothing is known."""
        boxes = [box for tensor in self.members for box in boxes_of(self.source, tensor, SMALLEST_BOX, SMOOTHED)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return [float(mean) for mean in np.nanmean([smoothness(box) for box in boxes], axis=0)]

    def by_template(self) -> list[AlikeTensors]:
        """Those of equal sizes, together; all of them where there are many sizes."""
        found: dict[Sizes, list[SourceTensor]] = {}
        for tensor in self.tensors:
            found.setdefault(self.templates[tensor.name], []).append(tensor)
        return [self] if len(found) > MOST_SIZES else [replace(self, tensors=tensors) for tensors in found.values()]

    def costs(self, layouts: Sequence[Layout], whole: Sequence[int] = ()) -> list[float]:
        """Mean bits per value under each layout, errors at their worth included."""
        found = [0.0] * len(layouts)
        for tensor in self.members:
            values = int(min(BOX_VALUES, max(SMALLEST_BOX, BOX_SHARE * tensor.numel))) // len(self.members)
            sample = sample_of(self.source, tensor, values, whole)
            for number, layout in enumerate(layouts):
                found[number] += self._cost(tensor, sample, layout) / len(self.members)
        return found

    def rough_costs(self, layouts: Sequence[Layout]) -> list[float]:
        """The same of a smaller sample, of one of the tensors."""
        tensor = self.members[len(self.members) // 2]
        sample = sample_of(self.source, tensor, SMALLEST_BOX)
        return [self._cost(tensor, sample, layout) for layout in layouts]

    def _cost(self, tensor: SourceTensor, sample: LayoutSample, layout: Layout) -> float:
        surveyed = min(tensor.numel, max(SURVEYED_VALUES, int(SURVEYED_SHARE * tensor.numel)))
        return layout_cost(sample, layout, tensor.shape(0), Extent(tensor.numel, surveyed), STEP)


def chosen_roles(group: AlikeTensors) -> tuple[Roles | None, str]:
    """The roles of axes, and why; None for a scalar and for too many axes."""
    sizes = group.sizes
    usual = usual_roles(sizes, group.tokens, group.kind)
    if usual is None:
        return None, ""
    why = next(iter(group.tokens.values()), "")
    candidates = role_candidates(sizes, usual, group.tokens, group.kind, samples=group.source.samples)
    if len(candidates) == 1 or not group.compared:
        named = "by its name" if group.kind is not Kind.UNKNOWN else _usual(sizes)
        return candidates[0], why or named
    every = candidates
    candidates = [roles for roles in every if _is_natural(roles, group.smoothness, group.tokens)] or [usual]
    turned = _turned(every, candidates[0], sizes)
    candidates += [roles for roles in turned if roles not in candidates]
    if len(candidates) == 1:
        return candidates[0], why or (_usual(sizes) if candidates[0] == usual else "by where neighbours are alike")
    if len(candidates) > MOST_COMPARED:
        rough = group.rough_costs([layout_of(roles) for roles in candidates])
        order = sorted(range(len(candidates)), key=rough.__getitem__)
        kept = sorted(order[: MOST_COMPARED // 2])
        candidates = [candidates[number] for number in kept]
    layouts = [layout_of(roles) for roles in candidates]
    margins = [
        SMALL_MARGIN if roles in turned else _margin(roles, sizes, group.smoothness, usual, small=group.source.small)
        for roles in candidates
    ]
    if _is_narrow(candidates[0], sizes, group.smoothness):
        wide = -(SMALL_MARGIN if group.source.small else MARGIN)
        margins = [
            wide if channels_of(roles, sizes) >= NARROW_CHANNELS else margin
            for roles, margin in zip(candidates, margins, strict=True)
        ]
    if not _is_crossed(candidates[0], group.smoothness):
        margins[0] = 0.0
    channels = [channels_of(roles, sizes) for roles in candidates]
    if max(channels) >= NARROW_CHANNELS:
        margins = [SINGLE if width == 1 else margin for width, margin in zip(channels, margins, strict=True)]
    best, reason = _cheapest(group.costs(layouts), layouts, margins)
    return candidates[best], reason


def _turned(every: Sequence[Roles], first: Roles, sizes: Sizes) -> list[Roles]:
    """Layouts with few channels where the first one has too many for a basis: logits of positions are much alike."""
    if channels_of(first, sizes) <= WIDEST:
        return []
    return [roles for roles in every if NARROW_CHANNELS <= channels_of(roles, sizes) <= LARGEST_BASIS]


def _usual(sizes: Sizes) -> str:
    return "usual for 1 axis" if len(sizes) == 1 else f"usual for {len(sizes)} axes"


def _is_natural(roles: Roles, smoothness: Sequence[float], tokens: Collection[int]) -> bool:
    """Whether axes along which neighbours are not alike are of channels, before those along which they are.

    Args:
        roles: of all axes.
        smoothness: of all axes.
        tokens: axes that are known to be of tokens; others than these are only where neighbours are alike.
    """
    if tokens and any(is_token and not smoothness[axis] > SMOOTH for axis, is_token in _others(roles, tokens)):
        return False
    of_tokens = [value for is_token, value in zip(roles, smoothness, strict=True) if is_token]
    of_channels = [value for is_token, value in zip(roles, smoothness, strict=True) if not is_token]
    if not of_channels:
        return all(value > SMOOTH for value in of_tokens)
    return not any(
        channel > SMOOTH and (token < ROUGH or token < channel - FAR_SMOOTHER)
        for token, channel in itertools.product(of_tokens, of_channels)
    )


def _margin(roles: Roles, sizes: Sizes, smoothness: Sequence[float], usual: Roles, *, small: bool = False) -> float:
    """What a layout must save beside the first one."""
    if _is_doubtful(roles, smoothness, usual) or _is_narrow(roles, sizes, smoothness):
        return SMALL_DOUBTFUL if small else DOUBTFUL
    if _is_unlikely(roles, smoothness, usual):
        return UNLIKELY
    return SMALL_MARGIN if small else MARGIN


def _is_narrow(roles: Roles, sizes: Sizes, smoothness: Sequence[float]) -> bool:
    """Whether tokens are narrow, and some lie along an axis that looks like channels: in maps neighbours are alike."""
    rough = any(is_token and value < ROUGH for is_token, value in zip(roles, smoothness, strict=True))
    return rough and channels_of(roles, sizes) < NARROW_CHANNELS


def _is_unlikely(roles: Roles, smoothness: Sequence[float], usual: Roles) -> bool:
    """Whether channels lie along an axis of tokens, to all appearances."""
    known = zip(roles, usual, smoothness, strict=True)
    return any(is_usual and not is_token and value > SMOOTH for is_token, is_usual, value in known)


def _is_doubtful(roles: Roles, smoothness: Sequence[float], usual: Roles) -> bool:
    """Whether tokens lie along an axis of channels, to all appearances; a small sample may flatter that."""
    known = zip(roles, usual, smoothness, strict=True)
    unusual = any(is_token and not is_usual and value < ROUGH for is_token, is_usual, value in known)
    return unusual or _is_crossed(roles, smoothness)


def _is_crossed(roles: Roles, smoothness: Sequence[float]) -> bool:
    """Whether tokens lie along an axis whose neighbours are unlike, and channels along one where they are less so."""
    of_channels = (value for is_token, value in zip(roles, smoothness, strict=True) if not is_token and value == value)
    smoothest = max(of_channels, default=0.0)
    return any(
        is_token and value < ROUGH and value + SMOOTHER < smoothest
        for is_token, value in zip(roles, smoothness, strict=True)
    )


def _others(roles: Roles, tokens: Collection[int]) -> Iterator[tuple[int, bool]]:
    return ((axis, is_token) for axis, is_token in enumerate(roles) if axis not in tokens)


def refined(group: AlikeTensors, layout: Layout) -> tuple[Layout, str]:
    """A layout with special tokens or a grid on its axis of tokens, where they pay; and why, or nothing.

    Args:
        group: tensors of equal sizes.
        layout: of a sample.
    """
    axis = token_axis(layout)
    if axis is None or not group.compared:
        return layout, ""
    lengths = {shape[axis] for tensor in group.tensors for shape in tensor.shapes}
    samples = [samples_of(group.source, tensor, BOX_VALUES, axis) for tensor in group.members]
    first_apart = 2 * sum(stands_apart(own, layout) for own in samples) > len(group.members)
    gridded = not group.smoothness[axis] < ROUGH
    every = [sample for own in samples for sample in own]
    candidates = special_candidates(layout, sorted(lengths), every, gridded=gridded, first_apart=first_apart)
    if not candidates:
        return layout, ""
    layouts = [layout, *candidates]
    costs = group.costs(layouts, (axis,))
    if first_apart:
        layouts, costs = layouts[1:], costs[1:]
        layouts, costs = [layouts[-1], *layouts[:-1]], [costs[-1], *costs[:-1]]
    best, reason = _cheapest(costs, layouts, [0.0, *[GRID_MARGIN] * (len(layouts) - 1)])
    if best == 0:
        return layouts[0], "first token unlike the others" if first_apart else ""
    return layouts[best], reason


def _cheapest(costs: Sequence[float], layouts: Sequence[Layout], margins: Sequence[float]) -> tuple[int, str]:
    """The cheapest layout when each has lost its margin; and by how much it is smaller than the next."""
    bits = [max(LEAST_BITS, cost - 1 / (12 * BIT_WEIGHT), LEAST_SHARE * cost) for cost in costs]
    if len(bits) == 1:
        return 0, ""
    handicapped = [size / (1 - margin) for size, margin in zip(bits, margins, strict=True)]
    best = min(range(len(bits)), key=handicapped.__getitem__)
    next_best = min((number for number in range(len(bits)) if number != best), key=bits.__getitem__)
    saved = 1 - bits[best] / bits[next_best]
    if saved < GRID_MARGIN:
        return best, f"about as small as '{layouts[next_best]}'"
    return best, f"{100 * saved:.0f} % smaller than '{layouts[next_best]}'"
