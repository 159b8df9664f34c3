from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caufc.descriptors import Alignment, Tap
from caufc.errors import LayoutError, OptionError
from caufc.layouts import Layout
from caufc.types import DTYPES


@pytest.mark.parametrize(
    ("text", "expression", "terms", "special"),
    [
        ("b c h w", "b c h w", ("b", "c", "h", "w"), 0),
        ("  b   n  c ", "b n c", ("b", "n", "c"), 0),
        ("b (1 + h w) c", "b (1 + h w) c", ("b", "hw", "c"), 1),
        ("b (5+h w)c", "b (5 + h w) c", ("b", "hw", "c"), 5),
        ("b (h w) c", "b (h w) c", ("b", "hw", "c"), 0),
        ("b (n) c", "b n c", ("b", "n", "c"), 0),
        ("b (2 + n) c", "b (2 + n) c", ("b", "n", "c"), 2),
        ("c (65535 + t)", "c (65535 + t)", ("c", "t"), 65_535),
        ("b g t d", "b g t d", ("b", "g", "t", "d"), 0),
        ("n", "n", ("n",), 0),
    ],
)
def test_layout(text: str, expression: str, terms: tuple[str, ...], special: int) -> None:
    layout = Layout(text)
    assert (layout.expression, layout.terms, layout.special) == (expression, terms, special)
    assert str(layout) == expression
    assert Layout(expression) == layout
    assert layout.batched == (terms[0] == "b")
    assert layout.sample_terms == terms[layout.batched :]
    assert layout.unbatched().terms == layout.sample_terms
    assert layout.unbatched().special == special
    assert not layout.unbatched().batched


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty layout"),
        ("b", "names no token or channel axis"),
        ("b x", "unknown 'x'"),
        ("b C", "unknown 'C'"),
        ("bchw", "axes are separated by spaces"),
        ("b hw c", "axes are separated by spaces"),
        ("b c c", "a letter stands twice"),
        ("b h (h w)", "a letter stands twice"),
        ("c b n", "the sample axis 'b' comes first"),
        ("b (c d) n", "parentheses join grid letters"),
        ("b () c", "parentheses join grid letters"),
        ("b (h w c", "not closed"),
        ("b h w) c", "unknown|separated"),
        ("b (0 + h w) c", "count of 1 to 65,535"),
        ("b (65536 + h) c", "count of 1 to 65,535"),
        ("b (-1 + h) c", "count of 1 to 65,535"),
        ("b (x + h) c", "count of 1 to 65,535"),
        ("b (² + h) c", "count of 1 to 65,535"),
        ("b (1 + 2 + h) c", "parentheses join grid letters"),
        ("b (1 + h) (2 + w) c", "count of 1 to 65,535"),
        ("b (1 + h) w c", "special tokens need all grid letters"),
        ("b 1 + h", "unknown"),
        ("b (1 h) c", "parentheses join grid letters"),
    ],
)
def test_no_layout(text: str, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout(text)


@given(st.text(alphabet="bthwncdg ()+1x", max_size=14))
def test_any_text_is_a_layout_or_an_error(text: str) -> None:
    try:
        layout = Layout(text)
    except LayoutError:
        return
    assert Layout(layout.expression) == layout
    assert layout.expression == " ".join(layout.expression.split())


def test_layouts_are_frozen_and_hashable() -> None:
    layout = Layout("b n c")
    assert len({layout, Layout(" b n c"), layout.unbatched()}) == 2
    with pytest.raises(FrozenInstanceError):
        layout.expression = "c"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "alignment"),
    [
        ("none", Alignment("none")),
        ("min-max:0,6", Alignment("min-max", "global", (0.0, 6.0))),
        ("mean-deviation/channel", Alignment("mean-deviation", "channel")),
        ("robust/token", Alignment("robust", "token")),
        ("percentile/global:-1,2.5", Alignment("percentile", "global", (-1.0, 2.5))),
    ],
)
def test_alignment(text: str, alignment: Alignment) -> None:
    assert Alignment.parse(text) == alignment
    assert Alignment.parse(text, (-1, 1)).truncate == (-1, 1)


@pytest.mark.parametrize(
    "text",
    ["", "mean", "min-max/row", "min-max:1", "min-max:1,2,3", "min-max:a,b", "min-max:0,0", "min-max:0,-1",
     "min-max:nan,1", "min-max:0,inf", "min-max:0,1e-50", "min-max:1e300,1", "min-max/channel:0,1"],
)  # fmt: skip
def test_no_alignment(text: str) -> None:
    with pytest.raises(OptionError):
        Alignment.parse(text)


@pytest.mark.parametrize("limits", [(1, 0), (1, 1), (float("nan"), 1), (0, float("inf")), (-1e300, 0)])
def test_no_range(limits: Any) -> None:
    with pytest.raises(OptionError, match="truncation range"):
        Alignment("none", truncate=limits)


def test_taps_check_their_layout() -> None:
    assert Tap("layer4", "b c h w").channels is None
    with pytest.raises(LayoutError):
        Tap("layer4", "b q")


def test_dtypes_are_little_endian() -> None:
    assert [dtype.itemsize for dtype in DTYPES.values()] == [4, 2, 2, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1, *[1] * 6]
    assert all(dtype.str[0] in "<|" for dtype in DTYPES.values())
