"""Which layouts are chosen when nobody says one, on features of every kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import caufc
from caufc.encoder import layout_choice
from caufc.encoder.layout import LayoutChoice, choose_layouts
from caufc.encoder.layout_cost import layout_cost
from caufc.encoder.layout_names import kind_of, pattern_of
from caufc.encoder.layout_roles import Kind, layout_of, role_candidates, usual_roles
from caufc.encoder.options import TensorOptions
from caufc.encoder.special_tokens import special_candidates
from caufc.features import to_source
from caufc.layouts import Layout
from tools.attack.contract_values import Extent, low_rank

from .layout_features import cache, maps, states, vision_tokens

RNG = np.random.default_rng(5)


def chosen(features: Any) -> dict[str, LayoutChoice]:
    source = to_source(features)
    return choose_layouts(source, {tensor.name: TensorOptions() for tensor in source.tensors})


def layouts(features: Any) -> set[str]:
    return {str(choice.layout) for choice in chosen(features).values() if choice.layout is not None}


def first(array: Any) -> Any:
    """Channels before the grid."""
    return np.ascontiguousarray(np.moveaxis(array, -1, 1))


KINDS: dict[str, tuple[Any, str]] = {
    "maps, channels first": (first(maps((6, 12, 12, 24))), "b c h w"),
    "maps, channels first, not square": (first(maps((6, 10, 16, 24))), "b c h w"),
    "maps, channels last": (maps((6, 12, 12, 24)), "b h w c"),
    "maps, channels last, not square": (maps((6, 10, 16, 24)), "b h w c"),
    "one map, channels last": (maps((1, 20, 24, 32)), "b h w c"),
    "maps between": (np.ascontiguousarray(maps((6, 10, 12, 24)).transpose(0, 1, 3, 2)), "b h c w"),
    "tokens": (states((8, 48, 32)), "b n c"),
    "tokens of one text": (states((1, 200, 48)), "b n c"),
    "channels before tokens": (first(states((8, 60, 32))), "b c n"),
    "tokens of several lengths": ([states((1, 20 + i, 24), 3)[0] for i in range(10)], "n c"),
    "channels before tokens of several lengths": ([states((1, 20 + i, 24), 3)[0].T.copy() for i in range(10)], "c n"),
    "65 tokens": (vision_tokens(8, 1, 8, 32), "b (1 + h w) c"),
    "50 tokens": (vision_tokens(10, 1, 7, 32), "b (1 + h w) c"),
    "261 tokens": (vision_tokens(3, 5, 16, 24), "b (5 + h w) c"),
    "198 tokens": (vision_tokens(3, 2, 14, 24), "b (2 + h w) c"),
    "68 tokens": (vision_tokens(6, 4, 8, 24), "b (4 + h w) c"),
    "196 tokens": (vision_tokens(4, 0, 14, 24), "b (h w) c"),
    "257 tokens of one image": (vision_tokens(1, 1, 16, 48), "b (1 + h w) c"),
    "a dump of layers": ([{"x": states((1, 40 + i, 96), 7)[0].reshape(40 + i, 3, 32)} for i in range(6)], "n g d"),
    "a cache": (tuple((cache(2, 3, 40, 16, i), cache(2, 3, 40, 16, i + 50)) for i in range(4)), "b g n d"),
    "a cache as a list": ([(cache(2, 3, 40, 16, i), cache(2, 3, 40, 16, i + 50)) for i in range(4)], "b g n d"),
    "a cache by name": ({"keys": cache(2, 3, 40, 16), "values": cache(2, 3, 40, 16, 1)}, "b g n d"),
    "a cache, heads last": ({"keys": np.ascontiguousarray(cache(2, 3, 40, 16).transpose(0, 2, 1, 3))}, "b n g d"),
    "hidden states of layers": (tuple(states((3, 40, 32), i) for i in range(7)), "b n c"),
    "a pyramid": ([first(maps((1, 16 >> i, 16 >> i, 8 << i), i)) for i in range(3)], "b c h w"),
    "a pyramid by name": ({f"p{i}": first(maps((1, 32 >> i, 32 >> i, 16), i)) for i in range(3)}, "b c h w"),
    "a pyramid, channels last": ([maps((1, 32 >> i, 32 >> i, 16 << i), i) for i in range(3)], "b h w c"),
    "a pyramid of two images": ([first(maps((2, 16 >> i, 16 >> i, 8 << i), i)) for i in range(3)], "b c h w"),
    "maps of any size, channels last": ([maps((1, 10 + i, 20 - i, 24), 5)[0] for i in range(6)], "h w c"),
    "maps of any size": ([first(maps((1, 10 + i, 20 - i, 24), 5))[0] for i in range(6)], "c h w"),
    "batches of one": ([states((1, 30 + i, 24), 5) for i in range(6)], "g n d"),
    "maps in batches of one": ([first(maps((1, 12, 10 + i, 24), 5)) for i in range(4)], "g c h w"),
    "pooled vectors": (states((1, 300, 48))[0], "b c"),
    "pooled maps": (states((1, 300, 48))[0][:, :, None, None], "b c h w"),
    "layers of two texts": (np.stack([states((2, 100, 96), i) for i in range(4)]), "b h w c"),
    "frames, channels between": (first(maps((6, 14, 14, 48)))[None], "b t c h w"),
    "sound": (np.sin(np.linspace(0, 300, 4000)[None] * np.arange(1, 9)[:, None]).astype("f4"), "b n"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_of(kind: str) -> None:
    features, expected = KINDS[kind]
    assert layouts(features) == {expected}


CONTROLS: list[dict[str, Any]] = [{"snr": 30}, {"bpfp": 2}, {"quality": 5}, {"max_error": 0.1}, {"lossless": True}]


@pytest.mark.parametrize("control", CONTROLS, ids=str)
def test_no_layout_depends_on_the_rate(control: dict[str, Any]) -> None:
    for kind in ("maps, channels last, not square", "65 tokens"):
        features, expected = KINDS[kind]
        info = caufc.inspect(caufc.encode(features, **control))
        assert info.tensors[0]["layout"] == expected


def attention() -> Any:
    """Of a few heads ``[B, H, T, T]``: neighbours are alike nowhere."""
    scores = 2 * RNG.normal(size=(2, 4, 48, 48))
    return (np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)).astype("f4")


@pytest.mark.parametrize("features", [KINDS["layers of two texts"][0], attention()], ids=["layers", "attention"])
def test_narrow_tokens_must_pay(features: Any) -> None:
    """Each has what a quality promises, which takes more bits of narrow ones than errors of all together tell."""
    assert len(caufc.encode(features)) < 0.7 * len(caufc.encode(features, layout="b c h w"))


@pytest.mark.parametrize("kind", ["maps, channels last, not square", "maps between", "65 tokens"])
def test_what_is_chosen_is_smallest(kind: str) -> None:
    features, expected = KINDS[kind]
    alternatives = ("b n c", "b c n") if features.ndim == 3 else ("b c h w", "b h w c", "b h c w", "b n g d")
    size = len(caufc.encode(features, snr=30))
    assert size == len(caufc.encode(features, snr=30, layout=expected))
    assert size <= 1.02 * min(len(caufc.encode(features, snr=30, layout=other)) for other in alternatives)


def test_what_was_refused_comes_back() -> None:
    pyramid = [first(maps((1, 16 >> i, 16 >> i, 8 << i), i)) for i in range(3)]
    for features in (pyramid, KINDS["a dump of layers"][0], KINDS["maps of any size, channels last"][0]):
        back = caufc.decode(caufc.encode(features, max_error=1e-3))
        assert type(back) is type(features)
        for one, other in zip(features, back, strict=True):
            pairs = zip(one.values(), other.values(), strict=True) if isinstance(one, dict) else [(one, other)]
            assert all(np.abs(a - b).max() <= 1e-3 for a, b in pairs)


def test_tensors_beside_say_which_axis_is_tokens() -> None:
    hidden = RNG.normal(size=(4, 30, 3, 30)).astype("f4")[..., :8].copy()
    samples = [{"states": part, "ids": np.arange(30)} for part in hidden]
    found = chosen(samples)["states"]
    assert (str(found.layout), found.reason) == ("n g d", "as long as 'ids'")


def test_padding_says_which_axis_is_tokens() -> None:
    samples = [np.pad(states((1, 20 + 3 * i, 24), 5)[0], ((0, 30 - 3 * i), (0, 0))) for i in range(8)]
    assert chosen(np.stack(samples))[""] == LayoutChoice(Layout("b n c"), "padded with zeros")


def test_a_spectrum_whose_imaginary_part_ends_in_a_zero_is_not_padded() -> None:
    real, imaginary = states((2, 30, 24), 5)
    imaginary[:, [0, -1]] = 0
    assert "padded" not in chosen(np.stack([real, imaginary]))[""].reason


def test_channels_that_are_dead_in_some_samples_are_not_padding() -> None:
    sparse = np.maximum(first(maps((8, 6, 6, 40))), 0)
    for number, sample in enumerate(sparse):
        sample[36 - number :] = 0
    assert "padded" not in chosen(sparse)[""].reason
    assert layouts(sparse) == {"b c h w"}


def test_channels_in_few_dimensions_are_found_without_neighbours_that_are_alike() -> None:
    unlike = RNG.normal(size=(8, 200, 4)) @ RNG.normal(size=(4, 32)) + 0.05 * RNG.normal(size=(8, 200, 32))
    assert layouts(unlike.astype("f4")) == {"b n c"}
    assert layouts(first(unlike).astype("f4")) == {"b c n"}


def test_few_wide_tokens_stay_tokens() -> None:
    few = RNG.normal(size=(14, 7, 12)) @ RNG.normal(size=(12, 384)) + 0.3 * RNG.normal(size=(14, 7, 384))
    assert layouts(few.astype("f4")) == {"b n c"}


def test_layouts_against_the_likeness_of_neighbours_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = counted(monkeypatch)
    chosen(maps((6, 12, 12, 24)))
    assert Layout("h w c") in measured
    assert not {"c h w", "h c w", "g d n"} & set(map(str, measured))


def sinks(count: int, tokens: int, channels: int, size: float) -> Any:
    """Hidden states whose first token is one vector, nearly, in all samples."""
    found = states((count, tokens, channels))
    found[:, 0] = size * RNG.normal(size=channels) + 0.1 * RNG.normal(size=(count, channels))
    return found


@pytest.mark.parametrize("size", [1000.0, 1.0])
def test_a_first_token_unlike_the_others_stands_apart(size: float) -> None:
    found = chosen({"hidden_states": sinks(6, 60, 32, size)})["hidden_states"]
    assert found == LayoutChoice(Layout("b (1 + n) c"), "first token unlike the others")


def test_one_sample_tells_of_a_sink_by_its_size_alone() -> None:
    assert layouts({"hidden_states": sinks(1, 200, 32, 1000.0)}) == {"b (1 + n) c"}
    assert layouts({"hidden_states": sinks(1, 200, 32, 1.0)}) == {"b n c"}


def test_a_sink_in_some_samples_does_not_count() -> None:
    mixed = np.concatenate([sinks(3, 60, 32, 1000.0), states((3, 60, 32), 9)])
    assert layouts({"hidden_states": mixed}) == {"b n c"}


def test_a_sink_of_keys_and_values() -> None:
    def with_sink() -> Any:
        return np.ascontiguousarray(sinks(4, 40, 48, 3.0).reshape(4, 40, 3, 16).transpose(0, 2, 1, 3))

    assert layouts(tuple((with_sink(), with_sink()) for _ in range(3))) == {"b g (1 + n) d"}


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Layout]:
    """The layouts whose costs are measured."""
    measured: list[Layout] = []
    real = layout_cost

    def cost(sample: Any, layout: Layout, *rest: Any) -> float:
        measured.append(layout)
        return real(sample, layout, *rest)

    monkeypatch.setattr(layout_choice, "layout_cost", cost)
    return measured


def test_alike_tensors_share_one_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = counted(monkeypatch)
    features = first(maps((4, 8, 8, 12)))
    chosen({f"layer.{i}": features for i in range(4)})
    few = len(measured)
    measured.clear()
    assert len(chosen({f"layer.{i}": features for i in range(40)})) == 40
    assert len(measured) == few > 0


@pytest.mark.parametrize(
    "features",
    [
        states((1, 300, 48))[0],
        [states((1, 21 + i, 24), 3)[0] for i in range(10)],
        {"last_hidden_state": states((4, 28, 24))},
        {"ids": np.arange(90).reshape(3, 30)},
        np.zeros((4, 0, 3), "f4"),
        np.float32(3).reshape(1),
    ],
    ids=["pooled", "ragged", "named", "integers", "empty", "tiny"],
)
def test_nothing_is_measured_where_nothing_is_open(features: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = counted(monkeypatch)
    chosen(features)
    assert measured == []


def test_a_layout_that_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = counted(monkeypatch)
    info = caufc.inspect(caufc.encode(maps((6, 12, 12, 24)), layout="b c h w"))
    assert info.tensors[0]["layout"] == "b c h w"
    assert measured == []


def test_reasons_are_few_words() -> None:
    for features, _ in KINDS.values():
        for choice in chosen(features).values():
            assert 0 < len(choice.reason) < 60


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("hidden_states", Kind.STATES),
        ("encoder.last_hidden_state", Kind.STATES),
        ("hidden_states.7", Kind.STATES),
        ("past_key_values.0.1", Kind.CACHE),
        ("layer.3.keys", Kind.CACHE),
        ("model/k_cache", Kind.CACHE),
        ("v", Kind.CACHE),
        ("3.1", Kind.CACHE),
        ("3", Kind.UNKNOWN),
        ("keypoints", Kind.UNKNOWN),
        ("features", Kind.UNKNOWN),
        ("", Kind.UNKNOWN),
    ],
)
def test_what_names_say(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


def test_alike_names() -> None:
    assert pattern_of("layer.12.keys") == pattern_of("layer.3.keys") != pattern_of("layer.3.values")


@given(st.lists(st.sampled_from([None, 1, 2, 5, 7, 64]), min_size=1, max_size=7), st.sampled_from(Kind))
def test_every_tensor_of_seven_axes_or_fewer_has_a_layout(sizes: list[int | None], kind: Kind) -> None:
    tokens = [axis for axis, size in enumerate(sizes) if size is None]
    usual = usual_roles(tuple(sizes), tokens, kind)
    if len(tokens) > 4:
        return
    assert usual is not None
    for roles in role_candidates(tuple(sizes), usual, tokens, kind, samples=3):
        layout = layout_of(roles)
        assert len(layout.terms) == len(sizes)
        assert all(roles[axis] for axis in tokens)


def test_scalars_and_too_many_axes_have_none() -> None:
    assert usual_roles(()) is None
    assert usual_roles((2,) * 8) is None


shapes = st.lists(st.sampled_from([0, 1, 2, 3, 5, 9]), max_size=6).filter(lambda shape: np.prod(shape) < 20_000)


@settings(deadline=None, max_examples=30)
@given(st.lists(shapes, min_size=1, max_size=3), st.booleans(), st.integers(0, 9))
def test_any_shape_is_coded(many: list[list[int]], as_list: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape).astype("f4") for shape in many]
    features: Any = arrays if as_list else {f"x{number}": array for number, array in enumerate(arrays)}
    back = caufc.decode(caufc.encode(features, max_error=0.01))
    kept = back if as_list else list(back.values())
    assert [array.shape for array in kept] == [array.shape for array in arrays]
    assert all(np.abs(a - b).max(initial=0) <= 0.01 for a, b in zip(arrays, kept, strict=True))


def test_values_that_are_not_finite_do_not_matter() -> None:
    features = maps((6, 10, 16, 24))
    features[0, 0] = np.nan
    features[3, :, 5] = np.inf
    info = caufc.inspect(caufc.encode(features, nonfinite="keep"))
    assert info.tensors[0]["layout"] == "b h w c"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("times", [1e4, 1e30])
def test_outlying_tokens_do_not_turn_tokens_into_channels(seed: int, times: float) -> None:
    features = low_rank(np.random.default_rng(seed), Extent(1, (28,), 286)).astype(np.float32)
    outlying = features.copy()
    outlying[0, [3, 9, 20]] *= np.float32(times)
    assert layouts(outlying) == layouts(features) == {"b n c"}


@pytest.mark.parametrize("seed", [1, 6, 7])
def test_an_outlying_channel_is_no_first_token(seed: int) -> None:
    features = np.random.default_rng(seed).laplace(size=(81, 65, 11)).astype(np.float32)
    features[:, :, 0] *= 2500
    assert layouts(features) == {"b n c"}


def test_a_single_large_value_leaves_a_narrow_layout() -> None:
    values = (RNG.standard_normal((523, 3, 1)) + 0.2 * RNG.standard_normal((523, 3, 4))).astype(np.float32)
    plain = layouts(values)
    values[100, 1, 2] = 1e34
    assert layouts(values) == plain


def test_an_axis_of_alike_neighbours_becomes_channels_for_much_alone() -> None:
    """A few samples of sparse maps may say so by chance, and then take an eighth more."""
    usual, sizes, smoothness = (False, True, True), (64, 20, 20), [0.0, 0.38, 0.42]
    margin = layout_choice._margin
    margins = [margin(roles, sizes, smoothness, usual) for roles in (usual, (False, False, True), (False, True, False))]
    assert margins == [layout_choice.MARGIN, layout_choice.UNLIKELY, layout_choice.UNLIKELY]
    assert margin((False, False, True), sizes, [0.0, 0.05, 0.42], usual) == layout_choice.MARGIN


def test_tokens_along_what_looks_like_channels_must_save_much() -> None:
    """Of hidden states ``[T, L, D]``: neighbours are alike along layers, a little along tokens, not along channels."""
    usual, sizes, smoothness = (False, True, True), (256, 31, 576), [0.19, 0.71, -0.01]
    margin = layout_choice._margin
    assert margin(usual, sizes, smoothness, usual) == layout_choice.DOUBTFUL
    assert margin((True, True, False), sizes, smoothness, usual) == layout_choice.MARGIN
    narrow = (True, False, True)
    assert margin(narrow, (256, 4, 576), [0.1, math.nan, 0.0], usual) == layout_choice.DOUBTFUL


def test_a_text_of_a_square_number_of_tokens_is_no_grid() -> None:
    """Neighbours are alike, but not tokens a line of a square apart."""
    draw = np.random.default_rng(0)
    texts = draw.standard_normal((4, 256, 192)).astype(np.float32)
    for place in range(1, 256):
        texts[:, place] += 0.6 * texts[:, place - 1]
    patches = draw.standard_normal((4, 16, 16, 192)).astype(np.float32)
    patches[:, 1:] += patches[:, :-1]
    patches[:, :, 1:] += patches[:, :, :-1]
    for features, grid in ((texts, False), (patches.reshape(4, 256, 192), True)):
        found = special_candidates(Layout("n c"), [256], list(features), gridded=True, first_apart=False)
        assert found == ([Layout("(h w) c")] if grid else [])


def test_logits_are_as_many_channels_as_positions() -> None:
    """A vocabulary is too wide for a basis, and the logits of positions are much alike."""
    draw = np.random.default_rng(0)
    head = draw.standard_normal((24, 16_384))
    states = draw.standard_normal((2, 96, 24)) + 3 * draw.standard_normal(24)
    logits = (states @ head).astype(np.float16)
    assert layouts(logits) == {"b c n"}
    error = np.square(caufc.decode(caufc.encode(logits)) - logits.astype(np.float64)).sum(axis=2)
    assert (10 * np.log10(np.square(logits, dtype=np.float64).sum(axis=2) / error)).min() > 20
    assert len(caufc.encode(logits)) < 0.7 * len(caufc.encode(logits, layout="b n c"))
