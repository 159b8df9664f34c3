"""Weights as sections hold them: integers, tables, and the bits of floats (spec, section 14.2)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import MalformedError, UnsupportedError
from ...types import Arrays
from ..buckets import BUCKETS
from ..tables import frequencies_of
from .constants import SCALES
from .float_network import Analysis, Synthesis
from .integer_network import HyperSynthesis
from .layers import (
    Layer,
    LayerNumbers,
    analysis_layers,
    hyper_analysis_layers,
    hyper_synthesis_layers,
    kernels_of,
    outputs_of,
    split_layers,
    synthesis_layers,
)
from .tiles import places_of

__all__ = ["DECODER_SECTIONS", "WEIGHTS_SECTIONS", "Weights"]

NETWORK, GAINS, INVERSE_GAINS = "network", "gains", "inverse-gains"
LATENT_TABLES, HYPER_TABLES = "latent-tables", "hyper-latent-tables"
HYPER_SYNTHESIS = "hyper-synthesis"
HYPER_SYNTHESIS_BIASES, HYPER_SYNTHESIS_SHIFTS = "hyper-synthesis-biases", "hyper-synthesis-shifts"
SYNTHESIS, SYNTHESIS_FLOATS = "synthesis", "synthesis-floats"
ANALYSIS, ANALYSIS_FLOATS = "model-analysis", "model-analysis-floats"
HYPER_ANALYSIS, HYPER_ANALYSIS_FLOATS = "hyper-analysis", "hyper-analysis-floats"
"""Names of sections, as the registry has them."""

DECODER_SECTIONS = (
    NETWORK,
    INVERSE_GAINS,
    LATENT_TABLES,
    HYPER_TABLES,
    HYPER_SYNTHESIS,
    HYPER_SYNTHESIS_BIASES,
    HYPER_SYNTHESIS_SHIFTS,
    SYNTHESIS,
    SYNTHESIS_FLOATS,
)
"""Sections that a decoder needs."""

ENCODER_SECTIONS = (GAINS, ANALYSIS, ANALYSIS_FLOATS, HYPER_ANALYSIS, HYPER_ANALYSIS_FLOATS)
"""Sections that an encoder needs besides."""

WEIGHTS_SECTIONS = (NETWORK, GAINS, *DECODER_SECTIONS[1:], *ENCODER_SECTIONS[1:])
"""All sections of weights, in their order in a file."""

FLOATS_OF = {SYNTHESIS: SYNTHESIS_FLOATS, ANALYSIS: ANALYSIS_FLOATS, HYPER_ANALYSIS: HYPER_ANALYSIS_FLOATS}
"""Section of kernels -> section of the scales and biases of their outputs."""

SHORTCUT = 1
MOST_WIDTH, MOST_LATENTS, MOST_RATES = 512, 512, 64


@dataclass(frozen=True, eq=False)
class Weights:
    """A model.

    Args:
        width: N, channels of inner layers and of the hyper-latents.
        latents: M.
        rates: R, how many rates it has.
        shortcut: whether linear transforms of blocks stand beside the deep ones.
        arrays: sections.
    """

    width: int
    latents: int
    rates: int
    shortcut: bool
    arrays: Arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Weights:
        """Read sections.

        Raises:
            MalformedError: if they break the specification.
        """
        network = arrays.get(NETWORK)
        if network is None or network.shape != (4,):
            raise MalformedError("no weights", requirement=401)
        width, latents, rates, flags = (int(number) for number in network)
        inside = 1 <= width <= MOST_WIDTH and 1 <= latents <= MOST_LATENTS and 1 <= rates <= MOST_RATES
        if flags > SHORTCUT:
            raise UnsupportedError.unknown(f"a part of the network, by its flags {flags},")
        if not inside:
            raise MalformedError(f"a network of {width}, {latents}, {rates}", requirement=402)
        found = cls(width, latents, rates, flags == SHORTCUT, arrays)
        found._check()
        return found

    def _check(self) -> None:
        """Sizes and ranges [CAUF-0403] [CAUF-0404]; half an encoder is none."""
        sizes = self.sizes()
        there = [kind for kind in ENCODER_SECTIONS if kind in self.arrays]
        if there and len(there) < len(ENCODER_SECTIONS):
            raise MalformedError("weights with a part of an encoder", requirement=403)
        for kind in (*DECODER_SECTIONS, *there):
            size = 0 if kind not in self.arrays else self.arrays[kind].size
            if size != sizes[kind]:
                raise MalformedError(f"section '{kind}' has {size} elements, not {sizes[kind]}", requirement=403)
        frequencies_of(self.tables(LATENT_TABLES))
        frequencies_of(self.tables(HYPER_TABLES))
        for kind in (INVERSE_GAINS, SYNTHESIS_FLOATS, *(there and (GAINS, ANALYSIS_FLOATS, HYPER_ANALYSIS_FLOATS))):
            if not np.isfinite(self._floats(kind)).all():
                raise MalformedError(f"section '{kind}' has a number that is not finite", requirement=404)
        for numbers in self.synthesis:
            if numbers.layer.kind == "gdn" and not _is_divisive(numbers):
                raise MalformedError("a negative number where roots are taken", requirement=405)

    def sizes(self) -> dict[str, int]:
        """Elements of every section."""
        n, m, rates = self.width, self.latents, self.rates
        hyper = hyper_synthesis_layers(n, m)
        found = {NETWORK: 4, GAINS: rates * m, INVERSE_GAINS: rates * m, LATENT_TABLES: SCALES * BUCKETS}
        found |= {HYPER_TABLES: rates * n * BUCKETS, HYPER_SYNTHESIS: kernels_of(hyper)}
        found |= {HYPER_SYNTHESIS_BIASES: outputs_of(hyper), HYPER_SYNTHESIS_SHIFTS: outputs_of(hyper)}
        for kind, layers in (
            (SYNTHESIS, synthesis_layers(n, m, self.shortcut)),
            (ANALYSIS, analysis_layers(n, m, self.shortcut)),
            (HYPER_ANALYSIS, hyper_analysis_layers(n, m)),
        ):
            found |= {kind: kernels_of(layers), FLOATS_OF[kind]: 2 * outputs_of(layers)}
        return found

    @property
    def encodes(self) -> bool:
        """Whether the encoder's half is there."""
        return ANALYSIS in self.arrays

    def tables(self, kind: str) -> NDArray[np.uint8]:
        """Tables of a section as levels ``[T, 64]``."""
        return self.arrays[kind].reshape(-1, BUCKETS)

    @functools.cached_property
    def hyper_synthesis(self) -> HyperSynthesis:
        """The integer network.

        Raises:
            MalformedError: if its sums could not be exact.
        """
        kinds = (HYPER_SYNTHESIS, HYPER_SYNTHESIS_BIASES, HYPER_SYNTHESIS_SHIFTS)
        layers = hyper_synthesis_layers(self.width, self.latents)
        return HyperSynthesis(list(split_layers(layers, *(self.arrays[kind] for kind in kinds))))

    @functools.cached_property
    def synthesis(self) -> list[LayerNumbers]:
        """Latents to planes, in float32."""
        return self._network(SYNTHESIS, synthesis_layers(self.width, self.latents, self.shortcut))

    @functools.cached_property
    def analysis(self) -> list[LayerNumbers]:
        """Planes to latents, in float32."""
        return self._network(ANALYSIS, analysis_layers(self.width, self.latents, self.shortcut))

    @functools.cached_property
    def hyper_analysis(self) -> list[LayerNumbers]:
        """Latents to hyper-latents, in float32."""
        return self._network(HYPER_ANALYSIS, hyper_analysis_layers(self.width, self.latents))

    @functools.cached_property
    def analysis_network(self) -> Analysis:
        """The encoder's networks."""
        return Analysis(self.analysis, self.hyper_analysis)

    @functools.cached_property
    def synthesis_network(self) -> Synthesis:
        """The decoder's float network."""
        return Synthesis(self.synthesis)

    def symbols_of(self, rows: int, columns: int) -> int:
        """Latents and hyper-latents of a plane (spec, section 12)."""
        latents, hyper_latents = places_of(rows, columns)
        return latents * self.latents + hyper_latents * self.width

    def products_of(self, rows: int, columns: int) -> int:
        """Multiplications that decode a plane (spec, section 12)."""
        latents, hyper_latents = places_of(rows, columns)
        n, m = self.width, self.latents
        synthesis = 25 * m * n + 584 * n * n + 1600 * n + 256 * m
        return latents * synthesis + hyper_latents * (125 * n * n + 144 * m * n)

    def gains(self, rate: int, *, inverse: bool = False) -> NDArray[np.float32]:
        """Gains of a rate ``[M]``."""
        gains: NDArray[np.float32] = self._floats(INVERSE_GAINS if inverse else GAINS).reshape(self.rates, -1)
        found: NDArray[np.float32] = gains[rate].copy()
        return found

    def _floats(self, kind: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.arrays[kind], "<i4").view("<f4")

    def _network(self, kind: str, layers: list[Layer]) -> list[LayerNumbers]:
        """Kernels as floats: codes times the scale of their output [CAUF-0420]."""
        first, second = self._floats(FLOATS_OF[kind]).reshape(2, -1)
        return [_scaled(numbers) for numbers in split_layers(layers, self.arrays[kind], first, second)]


def _scaled(numbers: LayerNumbers) -> LayerNumbers:
    scales = numbers.first.reshape(-1, *[1] * (numbers.kernels.ndim - 1))
    kernels = numbers.kernels.astype(np.float32) * scales
    return LayerNumbers(numbers.layer, kernels, numbers.first, numbers.second)


def _is_divisive(numbers: LayerNumbers) -> bool:
    return bool((numbers.kernels >= 0).all() and (numbers.second >= 0).all())
