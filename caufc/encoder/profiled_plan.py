"""What a profile alone says of how samples are coded: none is looked at, so that all are coded alike.

A profile's tables say how likely every symbol is. Drawn from them, symbols stand for the samples that the profile was
made from: they tell what indices cost, how large features are, and what another quality does to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..align import LayoutAligner, TokenAligner
from ..bitstream import Shape
from ..codec.buckets import unzigzag
from ..codec.transform.codec import TransformCodec
from ..codec.transform.contexts import CLASSES
from ..codec.transform.grids import Geometry
from ..codec.transform.parameters import Parameters
from ..codec.transform.token_order import BANDS
from ..coders.base import Apart, Separator, Terms
from ..coders.config import TensorConfig
from ..coders.control import quality_in
from ..coders.lossy import channels_of, layout_of, value_aligner
from ..coders.resolve import resolve
from ..coders.side_files import ProfileFile
from ..coders.stack import stacks_of
from ..errors import InputError
from ..layouts import Layout
from .goal import MEDIUM, quality_step
from .outliers import Typical
from .plan import TensorPlan
from .profile_tables import LevelCosts
from .quantize import IndexQuantizer, dead_zones
from .sample_plan import DEPENDENT_BITS, QuantizerKind, dependent_points, quantize_sample
from .separator import OutlierSeparator
from .survey import is_sparse
from .thinning import spread_tokens

__all__ = ["ProfiledPlan", "Steps", "fitted_template", "has_other_points", "profiled_plans"]

DRAWN_VALUES, MOST_DRAWN = 1 << 18, 1 << 22
"""Values that are drawn, about, and at most of one sample."""

DRAWN_TOKENS = 64
"""Tokens of drawn samples along axes whose lengths vary."""

LEVEL_BITS = 8 * 17
"""What another level takes in a header."""

STRAY = 64
"""How many times the second largest of a channel's drawn indices the largest may be."""

POINTS_OCTAVES = 0.5
"""Octaves from a profile's steps within which its reconstruction points stand."""

MOST_KEPT = 8
"""Profiles, each at a quality, whose plans are kept ready."""

Values = NDArray[Any]


def has_other_points(ratio: float, other_quantizer: bool) -> bool:
    """Whether reconstruction points are not a profile's, which a task may have chosen: far from its steps."""
    return other_quantizer or abs(math.log2(ratio)) > POINTS_OCTAVES


def fitted_template(known: Shape, sizes: Shape, layout: Layout | None) -> Shape:
    """The template of a sample whose numbers of tokens may differ from those of a profile's, open where they do.

    Args:
        known: the profile's template.
        sizes: of the sample's axes.
        layout: says which axes are tokens.

    Raises:
        InputError: if the sample has other axes, or other channels.
    """
    free = set() if layout is None else set(LayoutAligner(layout).grid_axes)
    fits = len(known) == len(sizes) and all(
        size in (wanted, None) or axis in free for axis, (size, wanted) in enumerate(zip(known, sizes, strict=True))
    )
    if not fits:
        here, there = (", ".join("?" if size is None else str(size) for size in shape) for shape in (sizes, known))
        raise InputError(
            f"has shape [{here}], the profile is for samples of shape [{there}], layout '{layout}'",
            remedy="give one sample of this shape, or use another profile",
        )
    return tuple(size if size == wanted else None for size, wanted in zip(known, sizes, strict=True))


class ProfiledSamples:
    """Samples as a profile's tables have them.

    Args:
        config: what the profile says of a tensor.
    """

    def __init__(self, config: TensorConfig) -> None:
        self.config = config
        self.parameters = Parameters.from_fields(config.parameters)
        self.channels = channels_of(config)
        self.layout = layout_of(config)
        self.codec = TransformCodec(self.parameters, config.arrays, self.channels)

    @cached_property
    def _placed(self) -> tuple[Geometry, int]:
        """Where their tokens lie, and how many they are."""
        layout, special = self.layout, self.layout.layout.special
        sizes = [DRAWN_TOKENS + special if size is None else size for size in self.config.template]
        while layout.grid_axes and math.prod(sizes) > MOST_DRAWN:
            longest = max(layout.grid_axes, key=lambda axis: sizes[axis])
            if sizes[longest] <= special + 1:
                break
            sizes[longest] = special + (sizes[longest] - special) // 2
        count = max(1, DRAWN_VALUES // max(1, math.prod(sizes)))
        return self.codec.geometry((layout.grid(sizes),) * count, special), count

    @cached_property
    def points(self) -> Values:
        """Coefficients ``[N, K]`` in steps of the profile, anywhere in what their indices stand for."""
        geometry, _ = self._placed
        indices = _without_strays(unzigzag(self.codec.coder.drawn(geometry)))
        noise = np.random.Generator(np.random.PCG64(1)).random(indices.shape, np.float32) * 2 - 1
        if self.parameters.dependent:
            points: Values = dependent_points(indices) + noise / 2
            return points
        points = indices + noise / 2
        zones, zeros = self._zones(points)[geometry.bands], self._zero_shares(indices)[geometry.bands]
        depths = np.log1p(-np.abs(noise) * zeros) / np.log1p(-zeros)  # of a Laplace distribution, cut where zones end
        return np.where(indices == 0, np.copysign(zones * depths.astype(np.float32), noise), points)

    def _zero_shares(self, indices: NDArray[np.int32]) -> Values:
        """How many coefficients of each class became 0, as shares strictly between 0 and 1 ``[16, K]``."""
        classes = self.codec.coder.classes
        coded = classes[self._placed[0].bands]
        counts, zeros = (np.bincount(part.ravel(), minlength=CLASSES) for part in (coded, coded[indices == 0]))
        shares: Values = ((zeros + 0.5) / (counts + 1))[classes]
        return shares

    def _zones(self, points: Values) -> Values:
        """Magnitudes below which coefficients became 0 ``[16, K]``."""
        costs = quantize_sample(points, self._placed[0], np.ones(BANDS), "plain").quantizer.costs
        return np.full((BANDS, points.shape[1]), 0.5, np.float32) if costs is None else dead_zones(costs)

    def coded(self, ratio: float) -> tuple[Parameters, IndexQuantizer]:
        """The codec's scalars and the quantiser with its costs, at steps so many times those that tables are for.

        The dependent quantiser gives way to the plain one where it does not pay.
        """
        parameters, quantizer, bits = self._coded(ratio, self.parameters)
        if not parameters.dependent or bits >= DEPENDENT_BITS * self.points.size:
            return parameters, quantizer
        return self._coded(ratio, self.parameters.with_quantizer(dependent=False))[:2]

    def _coded(self, ratio: float, parameters: Parameters) -> tuple[Parameters, IndexQuantizer, float]:
        """The same with a kind of quantiser, and bits; the level is the profile's unless another pays."""
        geometry, count = self._placed
        kind: QuantizerKind = "dependent" if parameters.dependent else "plain"
        steps = np.full(BANDS, ratio * parameters.step / self.parameters.step)
        found = quantize_sample(self.points, geometry, steps, kind)
        costs = LevelCosts.of(self.codec, self.config.arrays, found.indices, geometry)
        level, bits = costs.cheapest(LEVEL_BITS * count)
        other_points = has_other_points(ratio, parameters.dependent != self.parameters.dependent)
        shift = found.shift if other_points else parameters.shift
        return replace(parameters, level=level, shift=shift), found.quantizer, bits

    def separator(self, fitted: float) -> Separator:
        """Finds outliers by how large features are, in steps of a gain ``fitted`` that the tables are for."""
        aligner = value_aligner(self.config, self.channels)
        if isinstance(aligner, TokenAligner):  # tokens of any size are alike to it
            return measured_separator
        geometry, _ = self._placed
        steps = self.codec.steps(fitted)[geometry.bands][:, None]
        features = aligner.inverse(self.codec.inverse(self.points * steps, geometry), None)
        rows = spread_tokens(features, DRAWN_VALUES)
        return OutlierSeparator(Typical.of(rows, sparse=is_sparse(rows)))


def _without_strays(indices: NDArray[np.int32]) -> NDArray[np.int32]:
    """Indices ``[N, K]`` without single ones far above all others of their channel.

    Tables give every symbol a chance, however large: of some hundred thousand that are drawn, one is such a symbol.
    """
    if len(indices) < 2:
        return indices
    second = np.partition(np.abs(indices), -2, axis=0)[-2]
    most = STRAY * np.maximum(second, 1)
    return np.clip(indices, -most, most)


def measured_separator(matrix: Values, lost: NDArray[np.bool_] | None = None) -> Apart:
    """Finds outliers by how large the features ``[n, C]`` themselves are."""
    if not matrix.size:
        return Apart()
    rows = spread_tokens(matrix, DRAWN_VALUES)
    return OutlierSeparator(Typical.of(rows, sparse=is_sparse(rows)))(matrix, lost)


@dataclass(frozen=True)
class Steps:
    """Gains on a profile's steps: the one that its tables are for, and the one that is wanted."""

    fitted: float
    wanted: float

    @classmethod
    def of(cls, profile: ProfileFile, quality: float) -> Steps:
        """Those of a quality, which may lie beyond 0 and 100."""
        made_for = quality_in(profile.header.control)
        return cls(quality_step(MEDIUM if made_for is None else made_for), quality_step(quality))

    @property
    def ratio(self) -> float:
        return self.wanted / self.fitted


@dataclass(frozen=True)
class ProfiledPlan:
    """What a profile says of how a tensor, or the stack that it leads, is coded with loss.

    Args:
        parameters: of the codec.
        quantizer: with what indices cost.
        separator: finds outliers; None where values are clipped.
        truncate: the range to which they are.
        gain: on steps.
    """

    parameters: tuple[int | float, ...]
    quantizer: IndexQuantizer
    separator: Separator | None
    truncate: tuple[float, float] | None
    gain: float

    @classmethod
    def made(cls, config: TensorConfig, steps: Steps) -> ProfiledPlan:
        """The plan of a profile's configuration."""
        samples = ProfiledSamples(config)
        parameters, quantizer = samples.coded(steps.ratio)
        limits = None if config.alignment is None else config.alignment.truncate
        separator = samples.separator(steps.fitted) if limits is None else None
        return cls(parameters.to_fields(), quantizer, separator, limits, steps.wanted)

    def plan(self, config: TensorConfig, terms: Terms) -> TensorPlan:
        """The plan of a tensor, on terms that leave open what is said here."""
        terms = replace(terms, quantizer=self.quantizer, separator=self.separator, truncate=self.truncate)
        return TensorPlan(replace(config, parameters=self.parameters), terms, gain=self.gain)


_KEPT: dict[tuple[bytes, Steps], Mapping[int, ProfiledPlan]] = {}


def profiled_plans(profile: ProfileFile, steps: Steps) -> Mapping[int, ProfiledPlan]:
    """Plans of all tensors that a profile codes with loss, by the number of what leads their stack; kept ready."""
    kept = _KEPT.get((profile.id, steps))
    if kept is None:
        stacks = stacks_of(resolve(profile.header, profile.sections, None)[1])
        lossy = [stack for stack in stacks if stack.config.codec.lossy]
        kept = {stack.leader: ProfiledPlan.made(stack.config, steps) for stack in lossy}
        for old in list(_KEPT)[: max(0, len(_KEPT) + 1 - MOST_KEPT)]:  # threads may do so side by side
            _KEPT.pop(old, None)
        _KEPT[profile.id, steps] = kept
    return kept
