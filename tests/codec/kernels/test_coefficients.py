"""Symbols of a chunk through the compiled kernel: the bytes and symbols of numpy and constriction, and no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_paths import both, without_kernels
from numpy.typing import NDArray

from caufc.codec import kernels
from caufc.codec.transform import coefficients as coefficient_coder
from caufc.codec.transform.codec import TransformCodec
from caufc.codec.transform.compiled import tables_by_head, tables_by_sum
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import Parameters
from caufc.codec.transform.universal_tables import universal_tables
from caufc.errors import MalformedError

from ..chunks import Drawn, drawn, symbols_of

pytestmark = pytest.mark.skipif(kernels.coefficients is None, reason="the kernel is not built, or switched off")


def decoded(case: Drawn, payload: bytes) -> Any:
    """Symbols, or the requirement that a payload breaks."""
    try:
        return case.codec.decode_symbols(payload, case.geometry).tolist()
    except MalformedError as err:
        return err.requirement


@settings(deadline=None, max_examples=100)
@given(drawn())
def test_the_same_bytes(case: Drawn) -> None:
    compiled, plain = both(lambda: case.codec.encode(case.symbols, case.geometry))
    assert compiled == plain


@settings(deadline=None, max_examples=100)
@given(drawn(), st.randoms(use_true_random=False))
def test_damaged_words_give_the_same_symbols(case: Drawn, random: Any) -> None:
    payload = bytearray(case.codec.encode(case.symbols, case.geometry))
    for _ in range(random.randrange(4) if payload else 0):
        payload[random.randrange(len(payload))] = random.randrange(256)
    payload = payload[: random.choice([len(payload), 4 * random.randrange(len(payload) // 4 + 1)])]
    compiled, plain = both(lambda: decoded(case, bytes(payload)))
    assert compiled == plain


@settings(deadline=None, max_examples=50)
@given(drawn(), st.binary(max_size=400).map(lambda data: data[: len(data) // 4 * 4]))
def test_any_words_give_the_same_symbols(case: Drawn, payload: bytes) -> None:
    compiled, plain = both(lambda: decoded(case, payload))
    assert compiled == plain


@settings(deadline=None, max_examples=50)
@given(drawn(), st.lists(st.binary(max_size=400).map(lambda data: data[: len(data) // 4 * 4]), min_size=1, max_size=5))
def test_chunks_side_by_side_have_the_symbols_that_they_have_alone(case: Drawn, payloads: list[bytes]) -> None:
    payloads += [case.codec.encode(case.symbols, case.geometry)]
    alone = [decoded(case, payload) for payload in payloads]
    sound = [number for number, symbols in enumerate(alone) if isinstance(symbols, list)]
    together = case.codec.coder.decode_symbols_of([(payloads[number], case.geometry) for number in sound])
    assert [symbols.tolist() for symbols in together] == [alone[number] for number in sound]
    for number in set(range(len(payloads))) - set(sound):
        with pytest.raises(MalformedError):
            case.codec.coder.decode_symbols_of([(payloads[-1], case.geometry), (payloads[number], case.geometry)])


@settings(deadline=None, max_examples=30)
@given(drawn(), drawn())
def test_chunks_of_other_tensors_side_by_side(one: Drawn, other: Drawn) -> None:
    rooms, given = [], []
    for case in (one, other):
        payload = case.codec.encode(case.symbols, case.geometry)
        found = case.codec.coder._given(payload, case.geometry)
        rooms.append(found.room())
        given.append(found.arguments(rooms[-1]))
    assert kernels.coefficients.decode_both(*given) == tuple(kernels.coefficients.decode(*each) for each in given)
    expected = [room.copy() for room in rooms]
    for room in rooms:
        room[:] = -1
    kernels.coefficients.decode_both(*given)
    for room, symbols in zip(rooms, expected, strict=True):
        np.testing.assert_array_equal(room, symbols)


def test_real_features(efficientnet: NDArray[np.float32], minilm: list[NDArray[np.float32]]) -> None:
    for features, grids, spectral in (
        ([efficientnet[0].reshape(1280, 49).T], ((7, 7),), True),
        (minilm, tuple((len(text),) for text in minilm), False),
    ):
        matrix = np.concatenate(features)
        codec = TransformCodec(Parameters(1.0, 0, spectral, True, 24), {}, matrix.shape[1])
        for step in (0.02, 0.3, 2.0):
            symbols = (2 * np.abs(np.rint(matrix / step)) - (matrix < 0)).clip(0).astype(np.int32)
            geometry = codec.geometry(grids, 0)
            compiled, plain = both(lambda: codec.encode(symbols, geometry))  # noqa: B023
            assert compiled == plain
            np.testing.assert_array_equal(codec.decode_symbols(compiled, geometry), symbols)


def test_extents_beyond_every_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    geometry = Geometry(((12, 12),), 1, True)
    codec = TransformCodec(Parameters(1.0, 0, True, True, 20), {}, 3)
    symbols = symbols_of(np.random.default_rng(5), geometry, 3)

    def all_of_them(magnitudes: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
        return np.full((len(geometry.heads), magnitudes.shape[1]), 63, np.uint8)

    monkeypatch.setattr(coefficient_coder, "extents_of", all_of_them)
    with without_kernels():
        payload = codec.encode(symbols, geometry)
    np.testing.assert_array_equal(codec.decode_symbols(payload, geometry), symbols)


GEOMETRY = Geometry(((6, 7), (9,)), 2, True)
FIELDS = ("places", "neighbours", "bands", "blocks", "heads", "head_bands")


class Call:
    """Arguments of a call that is in order, to be spoilt."""

    def __init__(self) -> None:
        table_of, levels = universal_tables()
        frequencies = np.full((len(levels), 64), 1 << 18, np.int64)
        self.given: dict[str, Any] = {
            "words": np.arange(9, dtype=np.uint32),
            "placement": GEOMETRY.placement,
            "classes": np.zeros((16, 5), np.uint8),
            "by_sum": tables_by_sum(table_of.tobytes()).copy(),
            "by_head": tables_by_head(table_of.tobytes()).copy(),
            "tables": kernels.rans.tables_of(frequencies, *frequencies.shape),
            "symbols": np.zeros((GEOMETRY.tokens, 5), np.int32),
            "channels": 5,
            "kinds": len(table_of),
            "extents": True,
        }

    def decode(self) -> bool:
        return kernels.coefficients.decode(**self.given)

    def decode_both(self) -> tuple[bool, bool]:
        return kernels.coefficients.decode_both(tuple(Call().given.values()), tuple(self.given.values()))

    def group(self, symbols: int = 1) -> int:
        passes = len(self.given["placement"].passes)
        placed = GEOMETRY.tokens + len(GEOMETRY.heads)
        return kernels.coefficients.group(
            np.full((GEOMETRY.tokens, 5), symbols, np.int32),
            self.given["placement"],
            self.given["classes"],
            self.given["by_sum"],
            self.given["by_head"],
            np.empty((passes + 1) * 256, np.uint8),
            np.empty((passes + 1) * 256, np.int64),
            np.empty(placed * 5, np.uint8),
            np.empty(64, np.int64),
            np.empty((GEOMETRY.tokens, 5), np.int32),
            self.given["channels"],
            self.given["kinds"],
            True,
        )

    def refused(self) -> None:
        with pytest.raises(ValueError):
            self.decode()
        with pytest.raises(ValueError):
            self.decode_both()
        with pytest.raises(ValueError):
            self.group()


def test_a_call_in_order() -> None:
    call = Call()
    assert call.decode() in (True, False)
    assert call.group() > 0


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [-1, 255, 1 << 40])
def test_places_outside_are_refused(field: str, value: int) -> None:
    call = Call()
    array = getattr(GEOMETRY.placement, field).copy()
    array.flat[-1] = np.int64(value).astype(array.dtype)
    if field in ("bands", "head_bands"):
        array.flat[-1] = 16
    call.given["placement"] = GEOMETRY.placement._replace(**{field: array})
    call.refused()


@pytest.mark.parametrize("field", FIELDS)
def test_short_arrays_are_refused(field: str) -> None:
    call = Call()
    array = getattr(GEOMETRY.placement, field)
    call.given["placement"] = GEOMETRY.placement._replace(**{field: array[..., :-1].copy()})
    if field == "heads":
        call.given["placement"] = call.given["placement"]._replace(head_bands=GEOMETRY.placement.head_bands[:-1])
    call.refused()


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("value", [-1, 10_000])
def test_passes_outside_are_refused(column: int, value: int) -> None:
    call = Call()
    passes = GEOMETRY.placement.passes.copy()
    passes[-1, column] = value
    call.given["placement"] = GEOMETRY.placement._replace(passes=passes)
    call.refused()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", 4),
        ("channels", -5),
        ("channels", 1 << 40),
        ("kinds", 47),
        ("kinds", -1),
        ("kinds", 0),
        ("classes", np.zeros((16, 4), np.uint8)),
        ("classes", np.full((16, 5), 48, np.uint8)),
        ("classes", np.zeros((16, 5), np.int32)),
        ("by_sum", np.zeros(10, np.uint8)),
        ("by_head", np.zeros(10, np.uint8)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, value: Any) -> None:
    call = Call()
    call.given[name] = value
    call.refused()


def test_tables_that_are_not_there_are_refused() -> None:
    for name in ("by_sum", "by_head"):
        call = Call()
        call.given[name].flat[7] = 255
        with pytest.raises(ValueError, match="table 255 of"):
            call.decode()
    call = Call()
    call.given["tables"] = kernels.rans.tables_of(np.full((256, 4), 1 << 22, np.int64), 256, 4)
    with pytest.raises(ValueError, match="tables of 4 symbols"):
        call.decode()
    call.given["tables"] = object()
    with pytest.raises(ValueError):
        call.decode()


@pytest.mark.parametrize("symbol", [-1, 1 << 28, -(1 << 31)])
def test_symbols_beyond_all_buckets_are_refused(symbol: int) -> None:
    with pytest.raises(ValueError, match="symbols beyond all buckets"):
        Call().group(symbol)
