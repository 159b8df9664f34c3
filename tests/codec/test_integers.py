from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from caufc.bitstream import varint
from caufc.codec.lossless.integers import affine, matches, plain, repeats, runs, split, symbols
from caufc.codec.lossless.integers import codec as integers
from caufc.codec.lossless.integers.affine import Delta
from caufc.codec.lossless.integers.codec import decode_integers, encode_integers
from caufc.codec.lossless.integers.nodes import Kind
from caufc.errors import CaufError, MalformedError
from spec.reference.container import Reader
from spec.reference.integers import decode_integers as reference_integers

Values = NDArray[Any]

DTYPES = ("u1", "u2", "u4", "u8")


def round_trip(values: Values, strides: tuple[int, ...] = ()) -> bytes:
    data = encode_integers(values, strides)
    back = decode_integers(memoryview(data), len(values), values.itemsize)
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)
    back[:1] = 0
    return data


def both(data: bytes, count: int, width: int) -> list[int]:
    """What both decoders make of data."""
    found = decode_integers(memoryview(data), count, width)
    np.testing.assert_array_equal(reference_integers(Reader(data), count, width), found)
    return [int(value) for value in found]


def kinds_of(data: bytes, count: int, width: int, monkeypatch: pytest.MonkeyPatch) -> set[Kind]:
    """The kinds of all nodes."""
    seen: set[Kind] = set()

    def noted(kind: Kind) -> Callable[..., Values]:
        decode = integers.DECODERS[kind]

        def call(*arguments: Any) -> Values:
            seen.add(kind)
            return decode(*arguments)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(integers, "DECODERS", {kind: noted(kind) for kind in Kind})
        decode_integers(memoryview(data), count, width)
    return seen


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Values, tuple[int, ...]]:
    """Integers with structure of several kinds, and strides."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    part = st.one_of(
        hnp.arrays(dtype, st.integers(1, 300)),
        hnp.arrays(dtype, st.integers(1, 300), elements=st.integers(0, draw(st.sampled_from([1, 3, 200])))),
        st.builds(lambda n, step: (np.arange(n) * step).astype(dtype), st.integers(1, 400), st.integers(-9, 9)),
        st.builds(lambda n, x: np.full(n, x).astype(dtype), st.integers(1, 400), st.integers(0, 255)),
    )
    parts = draw(st.lists(part, min_size=1, max_size=3))
    values = np.concatenate(parts * draw(st.integers(1, 3)))
    strides = draw(st.lists(st.integers(2, 60), max_size=2))
    return values, tuple(sorted(set(strides)))


@settings(deadline=None, max_examples=150)
@given(sequences())
def test_round_trips_with_both_decoders(case: tuple[Values, tuple[int, ...]]) -> None:
    values, strides = case
    data = round_trip(values, strides)
    assert len(data) <= 1 + values.nbytes
    np.testing.assert_array_equal(reference_integers(Reader(data), len(values), values.itemsize), values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_ranges(dtype: str) -> None:
    top = np.iinfo(dtype).max
    for values in ([0, top], [top, top - 1, 0, 1], [top // 2, top // 2 + 1] * 20, [top] * 30 + [0] * 30):
        round_trip(np.array(values, dtype))
    round_trip((np.arange(5000) * (top // 5000)).astype(dtype))
    round_trip(np.array([-(1 << 62) - 1, 0] * 40, "i8").view("u8"))


def samples() -> Iterator[tuple[str, Values, tuple[int, ...], set[Kind]]]:
    """Integers, strides, and kinds that their trees must have."""
    rng = np.random.default_rng(0)
    words = np.minimum(rng.zipf(1.4, 20_000), 20_000).astype("u2")
    yield "repeats", np.tile(words, 2), (), {Kind.MATCHES, Kind.SYMBOLS}
    yield "counts", rng.poisson(5, 9000).astype("u4"), (), {Kind.NARROW, Kind.SYMBOLS}
    yield (
        "wide",
        rng.integers(0, 1 << 30, 9000).astype("u4") >> rng.integers(0, 30, 9000).astype("u4"),
        (),
        {Kind.BUCKETS},
    )
    yield "steps", np.cumsum(rng.integers(0, 50, 9000)).astype("u8") * 1000, (), {Kind.NARROW, Kind.DELTA}
    yield "mask", (rng.random(9000) < 0.4).astype("u1"), (), {Kind.BITS}
    yield "spans", np.repeat(rng.integers(0, 200, 400), rng.integers(5, 90, 400)).astype("u1"), (), {Kind.RUNS}
    channels = rng.standard_normal((900, 16)) * np.exp2(np.arange(16) % 4 * 1.5)
    yield "channels", np.rint(channels).astype("i1").view("u1").ravel(), (16,), {Kind.SPLIT}
    yield "colours", rng.integers(0, 1 << 60, 50)[rng.integers(0, 50, 5000)].astype("u8"), (), {Kind.PALETTE}
    yield "rows", np.tile(np.arange(64, dtype="u4") ** 2, 90), (64,), {Kind.DELTA, Kind.CONSTANT}
    text = np.frombuffer(b" ".join(b"%d:%x" % (n % 97, n * n % 4099) for n in range(4000)), "u1")
    yield "text", text[: len(text) // 8 * 8].view("u8").copy(), (), {Kind.BYTES}


@pytest.mark.parametrize(
    ("values", "strides", "wanted"), [case[1:] for case in samples()], ids=[c[0] for c in samples()]
)
def test_trees_fit_their_integers(
    values: Values, strides: tuple[int, ...], wanted: set[Kind], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = round_trip(values, strides)
    assert wanted <= kinds_of(data, len(values), values.itemsize, monkeypatch)
    np.testing.assert_array_equal(reference_integers(Reader(data), len(values), values.itemsize), values)


def test_golden_bytes() -> None:
    """Section 11.1, by hand."""
    zeros = np.zeros(1, "u1")
    assert both(b"\x00\x05\x00\x06\x01", 2, 2) == [5, 262]
    assert both(b"\x01\x07", 3, 1) == [7, 7, 7]
    assert both(b"\x03\x01\x03" + b"\x00\x00\x05", 2, 4) == [(1 << 32) - 2, 3]
    assert both(b"\x03\x11\x02\x64" + b"\x00\x00\x05", 2, 2) == [1, 501]
    assert both(b"\x04\x00\x01\x0a" + b"\x01\x02", 4, 1) == [12, 14, 16, 18]
    assert both(b"\x04\x01\x01\x00" + b"\x00\x02\x03\x03", 3, 1) == [1, 255, 253]
    assert both(b"\x04\x02\x02\x01" + b"\x00\x00\x01\x01\x02\x03", 5, 1) == [1, 0, 0, 2, 3]
    assert both(b"\x05\x02" + b"\x00\x01\0\0\0\x02\0\0\0" + b"\x00\x09\x08", 5, 1) == [9, 9, 8, 8, 8]
    assert both(b"\x06" + b"\x00\xa0", 3, 1) == [1, 0, 1]
    assert both(b"\x07\x02" + b"\x00\x09\x00\x08\x00" + b"\x00\x01\x00\x01", 3, 2) == [8, 9, 8]
    assert both(b"\x09\x01" + b"\x00\x01\x02\x05\x04" + b"\x01\x03", 4, 1) == [1, 2, 7, 5]
    assert both(b"\x0a\x01\x02" + b"\x00\x00\x01" + b"\x01\x05" + b"\x00\x07\x08", 5, 1) == [5, 7, 5, 8, 5]
    ones = b"\x01\x01\0\0\0"
    assert both(b"\x0b\x01" + ones + ones + ones + b"\x00\x06\x07", 5, 1) == [6, 6, 6, 6, 7]
    assert both(b"\x0c" + b"\x00\x01\x02\x03\x04", 2, 2) == [0x201, 0x403]
    assert encode_integers(zeros) == b"\x01\x00"
    assert encode_integers(np.array([5, 262], "u2")) == b"\x00\x05\x00\x06\x01"
    assert encode_integers(np.array([5, 6, 7], "u4")) == b"\x03\x01\x0a\x00\x00\x01\x02"


@settings(deadline=None, max_examples=150)
@given(sequences(), st.data())
def test_damage_gives_our_error_or_as_many_integers(case: tuple[Values, tuple[int, ...]], data: st.DataObject) -> None:
    values, strides = case
    coded = bytearray(encode_integers(values, strides))
    for _ in range(data.draw(st.integers(1, 3))):
        coded[data.draw(st.integers(0, len(coded) - 1))] = data.draw(st.integers(0, 255))
    coded = coded[: data.draw(st.integers(1, len(coded)))]
    try:
        found = decode_integers(memoryview(bytes(coded)), len(values), values.itemsize)
    except CaufError:
        return
    assert found.shape == values.shape and found.dtype == values.dtype


def requirement_of(data: bytes, count: int, width: int) -> int | None:
    with pytest.raises(MalformedError) as caught:
        decode_integers(memoryview(data), count, width)
    return caught.value.requirement


def test_a_tree_of_too_many_elements_is_refused() -> None:
    """Each palette has two children of all elements: depth alone would bound nothing."""

    def tree(depth: int) -> bytes:
        return b"\x01\x00" if not depth else b"\x07" + varint(256) + tree(depth - 1) + tree(depth - 1)

    assert decode_integers(memoryview(tree(6)), 256, 1).tolist() == [0] * 256
    assert requirement_of(tree(12), 256, 1) == 521


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"\x07" + varint(1 << 16) + b"\x00",
        b"\x02" + varint(6) + b"\x03\x00" * 3,
        b"\x09\x02\x00",
        b"\x0b" + varint(1 << 27) + b"\x00",
        b"\x0a" + varint(1) + varint(1 << 28) + b"\x00",
    ],
)
def test_a_few_bytes_do_not_take_memory(data: bytes) -> None:
    """Nothing of the announced size is allocated before what it stands on was read."""
    tracemalloc.start()
    with pytest.raises(CaufError):
        decode_integers(memoryview(data), 1 << 28, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_matches_are_found_at_any_distance() -> None:
    rng = np.random.default_rng(1)
    row = rng.integers(0, 50_000, 300)
    values = np.concatenate([row, rng.integers(0, 50_000, 200_000), row]).astype("u4")
    found = repeats.find_matches(values, repeats.Search(3, 8))
    far = found.distances == 200_300
    assert int((found.stops - found.starts)[far].sum()) >= 299
    at = found.elements()
    np.testing.assert_array_equal(values[at], values[at - np.repeat(found.distances, found.stops - found.starts)])


def test_a_match_may_run_into_itself() -> None:
    period = np.arange(7, dtype="u2") * 999
    values = np.resize(period, 4000)
    assert len(encode_integers(values)) < 60
    round_trip(values)
    hand = matches.matches(
        1, plain.constant(np.array([7], "<u4")), plain.constant(np.array([3991], "<u4")),
        plain.constant(np.array([7], "<u4")), plain.raw(period),
    )  # fmt: skip
    assert both(hand, 4000, 2) == values.tolist()


def test_differences_of_what_is_spread_too_far_for_a_sample_to_repeat() -> None:
    """Nanoseconds between frames vary: neither times nor differences come twice, but differences are far smaller."""
    rng = np.random.default_rng(0)
    times = (1_700_000_000_000_000_000 + np.cumsum(rng.integers(900_000, 1_100_000, 100_000))).astype("u8")
    assert len(round_trip(times)) < 1.06 * np.log2(200_000) / 8 * len(times)


def test_packed_codes_are_taken_byte_by_byte() -> None:
    """Eight codes of 4 bits in each integer: no bytes come again in a row, but some are rarer than others."""
    codes = np.clip(np.rint(2.2 * np.random.default_rng(0).standard_normal((60_000, 8)) + 7.5), 0, 15).astype("u4")
    packed = (codes << np.arange(0, 32, 4, dtype="u4")).sum(axis=1, dtype="u4")
    shares = np.bincount(codes.ravel(), minlength=16) / codes.size
    assert len(round_trip(packed)) < 1.02 * -(shares @ np.log2(shares)) * codes.size / 8


@pytest.mark.parametrize("mode", list(Delta))
@pytest.mark.parametrize("stride", [1, 3, 10])
def test_differences_of_any_stride(mode: Delta, stride: int) -> None:
    values = np.random.default_rng(2).integers(0, 256, 23).astype("u1")
    change = affine.differences(values, stride, mode, 9)
    assert both(affine.delta(mode, stride, 9, plain.raw(change)), 23, 1) == values.tolist()


@pytest.mark.parametrize("mantissa", range(3))
def test_buckets_of_all_sizes(mantissa: int) -> None:
    exponents = np.arange(57)
    values = np.concatenate([[0], 1 << exponents, (2 << exponents) - 1]).astype("u8")
    found, sizes = symbols.bucketed(values, mantissa)
    data = symbols.buckets(mantissa, symbols.extra_bits(values, sizes), plain.raw(found))
    assert both(data, len(values), 8) == values.tolist()


@pytest.mark.parametrize(("count", "inner", "period"), [(24, 1, 4), (29, 3, 4), (5, 1, 5), (13, 2, 3)])
def test_split_with_a_rest(count: int, inner: int, period: int) -> None:
    values, groups = np.arange(count, dtype="u2"), (np.arange(period) * 2 % 3).clip(0, 1).astype("u1")
    parts = [plain.raw(part) for part in split.group_parts(values, inner, groups)]
    assert both(split.split(inner, period, plain.raw(groups), parts), count, 2) == values.tolist()


def test_runs_by_hand() -> None:
    lengths, heads = runs.runs_of(np.array([4, 4, 4, 9, 9], "u1"))
    assert (lengths.tolist(), heads.tolist()) == ([2, 1], [4, 9])


def tables_of_blocks(rng: np.random.Generator) -> Values:
    return np.arange(64) + 64 * rng.integers(0, 1000, (500, 1))


def slots(rng: np.random.Generator) -> Values:
    return (np.arange(16) + 16 * rng.integers(0, 4000, (2000, 1))).ravel()


def times(rng: np.random.Generator) -> Values:
    """Numbers whose leading bits are milliseconds, in order."""
    return ((1_700_000_000_000 + np.cumsum(rng.integers(0, 1000, 20_000))) << 22) + rng.integers(0, 4096, 20_000)


def edges(rng: np.random.Generator) -> Values:
    return np.stack([np.repeat(np.arange(20_000), 10), rng.integers(0, 20_000, 200_000)])


def prompts(rng: np.random.Generator) -> Values:
    """Texts behind one of five templates, which begins a few tokens later here and there, padded."""
    templates = [rng.integers(0, 50_000, rng.integers(200, 400)) for _ in range(5)]
    found = np.zeros((200, 420), np.int64)
    for row in found:
        tokens = [np.ones(rng.integers(1, 4), int), templates[rng.integers(5)], rng.integers(0, 50_000, 30)]
        text = np.concatenate(tokens)[:420]
        row[: len(text)] = text
    return found


def identities_by_row(rng: np.random.Generator) -> Values:
    """Four numbers of 62 bits, each row of them five times."""
    return np.repeat(rng.integers(0, 1 << 62, (2000, 4)), 5, axis=0)


def hashes_in_runs(rng: np.random.Generator) -> Values:
    return np.repeat(rng.integers(0, 1 << 31, 30_000), 5).astype(np.int32)


def long_hashes_in_runs(rng: np.random.Generator) -> Values:
    return np.repeat(rng.integers(0, 1 << 62, 30_000), 8)


def codes_by_row(rng: np.random.Generator) -> Values:
    """Codes of 16 bytes, each eight times."""
    return np.repeat(rng.integers(0, 256, (3000, 16), dtype=np.uint8), 8, axis=0)


ORDINARY = [tables_of_blocks, slots, times, edges, prompts]
REPEATED = [identities_by_row, hashes_in_runs, long_hashes_in_runs, codes_by_row]


@pytest.mark.parametrize("make", [*ORDINARY, *REPEATED])
def test_no_larger_than_zstd_19(make: Callable[[np.random.Generator], Values]) -> None:
    zstandard = pytest.importorskip("zstandard")
    values = make(np.random.default_rng(0))
    values = values.astype(np.int64) if make in ORDINARY else values
    width, strides = values.itemsize, [values.shape[-1]] if values.ndim == 2 else []
    data = encode_integers(values.ravel().view(f"<u{width}"), strides)
    assert decode_integers(memoryview(data), values.size, width).tobytes() == values.tobytes()
    assert len(data) <= len(zstandard.ZstdCompressor(19).compress(values.tobytes()))
