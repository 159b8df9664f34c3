"""Random inputs and what is asked of them, each by its number: ``case_of(seed, number)`` is always the same case."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.attack.contract_controls import draw_control, draw_options, higher
from tools.attack.contract_forms import arrange, cast, draw_dtype, draw_layout, largest, structured
from tools.attack.contract_odd import ODD
from tools.attack.contract_outliers import possible, with_outliers
from tools.attack.contract_values import DENSE, KINDS, LAYERS, SAME_STATISTICS, TURNS, Extent, Values

__all__ = ["Case", "Twin", "case_of"]

Rng = np.random.Generator

REFERENCE_WIDTH = 256
"""Channels of the input that other widths are compared with."""

HIGHER, AGAIN = 0.35, 0.06
"""Shares of cases that are compared with more of their control, and with themselves."""

ORDINARY = ("gaussian", "laplace", "low rank", "autoregressive", "scaled channels", "relu", "SAE codes")
"""Kinds without outliers of their own."""

LEAST_FACTOR = 2.5
"""Powers of ten by which outliers are larger than the rest: beyond the 100 times from which on they are set aside."""


Drawn = tuple[Any, Any, NDArray[np.bool_] | None]


@dataclass(frozen=True)
class Twin:
    """A second encode that a case is compared with.

    Args:
        relation: ``higher`` (the same input, more of the control), ``outlier`` (the input without its outliers),
            ``width`` (the same statistics at 256 channels) or ``again`` (the same encode).
        features: of the second encode.
        control: its rate control.
        others: where an input has no outliers, in the form of the features.
        draws: both inputs drawn anew, by number, and where the first has no outliers.
    """

    relation: str
    features: Any
    control: Mapping[str, Any]
    others: NDArray[np.bool_] | None = None
    draws: Callable[[int], Drawn] | None = None


@dataclass(frozen=True)
class Case:
    """An input and what is asked of it.

    Args:
        number: of the case.
        kind: of its values.
        form: shape, dtype and structure, for people.
        features: the input.
        control: the rate control, as options of ``caufc.encode``.
        options: the others.
        dense: whether medium promises 20 dB on 99 % of the tokens.
        valid: whether it can be encoded; else an ``InputError`` is right.
        twin: a second encode to compare with.
    """

    number: int
    kind: str
    form: str
    features: Any
    control: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    dense: bool = False
    valid: bool = True
    twin: Twin | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """All options of the encode."""
        return {**self.options, **self.control}

    @property
    def plain(self) -> bool:
        """Whether nothing but the control says what is kept."""
        return not {"align", "truncate", "reads"} & set(self.options)

    def __str__(self) -> str:
        asked = ", ".join(f"{name}={value!r}" for name, value in self.asked.items()) or "no options"
        twin = f"; twin: {self.twin.relation} {dict(self.twin.control)}" if self.twin else ""
        return f"case {self.number}: {self.kind}, {self.form}; {asked}{twin}"


def case_of(seed: int, number: int) -> Case:
    """The case of a number."""
    rng = np.random.default_rng([seed, number])
    way = rng.random()
    if way < 0.12:
        return _odd(rng, number)
    if way < 0.17:
        return _wide(rng, number)
    if way < 0.37:
        return _outlying(rng, number)
    if way > 0.99:
        return _ordinary(rng, number, TURNS)
    return _ordinary(rng, number, LAYERS if way > 0.96 else KINDS)


def _odd(rng: Rng, number: int) -> Case:
    kind = str(rng.choice(list(ODD)))
    odd = ODD[kind](rng)
    control = draw_control(rng, odd.magnitude) if odd.control is None else odd.control
    options = {**draw_options(rng, control), **odd.options}
    twin = Twin("again", odd.features, control) if odd.valid and rng.random() < AGAIN else None
    return Case(number, kind, odd.form, odd.features, control, options, odd.dense, odd.valid, twin)


def _extent(rng: Rng) -> Extent:
    """Mostly small: a few thousand values, tokens of any width."""
    values = int(2 ** (rng.uniform(4, 13) if rng.random() < 0.97 else rng.uniform(13, 17)))
    channels = max(1, min(values, int(2 ** rng.uniform(0, 17 if rng.random() < 0.1 else 9))))
    tokens = max(1, values // channels)
    samples = int(2 ** rng.uniform(0, math.log2(tokens) + 1e-9))
    each = max(1, tokens // samples)
    way = rng.random()
    if each >= 8 and way < 0.1:
        side = math.isqrt(each // 2)
        return Extent(samples, (2, side, side), channels)
    if each >= 4 and way < 0.4:
        side = math.isqrt(each)
        return Extent(samples, (side, side), channels, int(rng.choice((0, 0, 1, 5))))
    return Extent(samples, (each,), channels)


def _unit(rng: Rng) -> float:
    """Features have any unit."""
    return float(10 ** rng.uniform(-4, 4)) if rng.random() < 0.3 else 1.0


def _ordinary(rng: Rng, number: int, kinds: Mapping[str, Callable[[Rng, Extent], Values]] = KINDS) -> Case:
    kind = str(rng.choice(list(kinds)))
    unit = _unit(rng)
    form = structured(rng, lambda extent: kinds[kind](rng, extent) * unit, _extent(rng), draw_dtype(rng))
    control = draw_control(rng, unit)
    options = {**form.options, **draw_options(rng, control)}
    twin = None
    if (relation := rng.random()) < HIGHER:
        more = higher(rng, control)
        twin = Twin("higher", form.features, more) if more is not None else None
    elif relation > 1 - AGAIN:
        twin = Twin("again", form.features, control)
    return Case(number, kind, form.text, form.features, control, options, kind in DENSE, True, twin)


def _outlying(rng: Rng, number: int) -> Case:
    """An input with outliers, beside the same without."""
    kind = str(rng.choice(ORDINARY))
    extent, dtype = _extent(rng), draw_dtype(rng)
    values, scale = KINDS[kind](rng, extent), _unit(rng)
    values *= scale
    places = possible(extent.shape)
    most = math.log10(largest(dtype)) - math.log10(max(1e-3, float(np.abs(values).max())))
    if not places or not values.any() or most < LEAST_FACTOR:
        return _ordinary(rng, number)
    place = str(rng.choice(places))
    unit = float(np.sqrt(np.mean(np.square(values[values != 0]))))
    exponent = rng.uniform(LEAST_FACTOR, min(most, 6.0) if rng.random() < 0.7 else most)
    factor = 10**exponent * (unit if place.startswith("value") else 1)
    parts = with_outliers(rng, values, place, factor)
    layout = draw_layout(rng, extent)

    def formed(outlying: Values, values: Values, others: NDArray[np.bool_]) -> Drawn:
        with_them, without = (cast(arrange(array, extent, layout), dtype) for array in (outlying, values))
        return with_them, without, arrange(others, extent, layout)

    def drawn(draw: int) -> Drawn:
        rng = np.random.default_rng([number, draw])
        return formed(*with_outliers(rng, KINDS[kind](rng, extent) * scale, place, factor))

    with_them, without, others = formed(*parts)
    control = draw_control(rng, unit, meaning=True)
    options = draw_options(rng, control, plain=True)
    if rng.random() < 0.6:
        options["layout"] = layout
    twin = Twin("outlier", without, control, others, drawn)
    form = f"{layout} {list(with_them.shape)} {dtype}, 1e{exponent:.1f} times"
    return Case(number, f"{kind}, {place} apart", form, with_them, control, options, kind in DENSE, True, twin)


def _wide(rng: Rng, number: int) -> Case:
    """The same statistics at some width and at 256, at medium."""
    kind = str(rng.choice(SAME_STATISTICS))
    channels = int(2 ** rng.uniform(0, 17 if rng.random() < 0.3 else 12))
    tokens = max(1, min(int(2 ** rng.uniform(0, 7)), (1 << 14) // channels))
    samples = tokens if rng.random() < 0.4 else 1
    extents = [Extent(samples, (tokens // samples,), width) for width in (channels, REFERENCE_WIDTH)]
    dtype = draw_dtype(rng)

    def drawn(rng: Rng) -> Drawn:
        first, second = (cast(KINDS[kind](rng, extent), dtype) for extent in extents)
        return first, second, None

    first, second, _ = drawn(rng)
    control: dict[str, Any] = {} if rng.random() < 0.5 else {"quality": "medium"}
    form = f"b n c {list(first.shape)} {dtype}"
    twin = Twin("width", second, control, draws=lambda draw: drawn(np.random.default_rng([number, draw])))
    return Case(number, f"{kind}, wide", form, first, control, {"layout": "b n c"}, True, True, twin)
