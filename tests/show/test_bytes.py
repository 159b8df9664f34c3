"""Where bytes and bits go: shares that add up to the file, code lengths that add up to the words."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.bitstream import block_bytes
from caufc.catalog import lookup_of
from caufc.decoder.random_access import FileReader
from caufc.limits import DEFAULT_LIMITS
from caufc.reader import info_of
from caufc.show.byte_shares import GROUPS, ByteShare, byte_shares
from caufc.show.excerpt import read_excerpts
from caufc.show.sample_choice import SampleChoice
from caufc.types import no_progress

Floats = NDArray[np.float32]

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "valid"


def opened(data: bytes) -> FileReader:
    """A reader of a file in memory."""
    lookup = lookup_of(None, None, DEFAULT_LIMITS)
    return FileReader(lambda offset, length: data[offset : offset + length], len(data), lookup, DEFAULT_LIMITS)


def shares_of(reader: FileReader) -> list[ByteShare]:
    """The shares of a file."""
    return byte_shares(reader, [tensor["payload_bytes"] for tensor in info_of(reader).tensors])


def test_shares_add_up_to_every_kind_of_file() -> None:
    summed = 0
    for path in sorted(VECTORS.glob("*.cauf")):
        try:
            reader = opened(path.read_bytes())
        except caufc.CaufError:  # profiles and weights have no samples, or are not here
            continue
        shares = shares_of(reader)
        assert sum(share.bytes for share in shares) == path.stat().st_size, path.stem
        assert all(share.bytes > 0 and share.group in GROUPS for share in shares)
        summed += 1
    assert summed > 20


def test_each_share_is_what_it_says(efficientnet: Floats) -> None:
    maps = np.concatenate([efficientnet[:, :64]] * 9)
    data = caufc.encode({"a": maps, "b": maps[:, :8]}, layout="b c h w", chunk=2, meta={"run": "x" * 500})
    info, reader = caufc.inspect(data), opened(data)
    shares = shares_of(reader)
    payloads = {share.tensor: share.bytes for share in shares if share.group == "payload"}
    assert payloads == {number: tensor["payload_bytes"] for number, tensor in enumerate(info.tensors)}
    sections = sum(share.bytes for share in shares if share.group == "profile, tables, bases")
    assert sections == info.section_bytes
    (metadata,) = [share for share in shares if share.what == "metadata"]
    assert metadata.tensor is None and metadata.bytes < 500, "deflated"
    plain = {share.group: share.bytes for share in shares_of(opened(caufc.encode(maps, layout="b c h w", index=False)))}
    assert plain["index and end"] == 7


def test_blocks_that_nobody_knows_have_a_share() -> None:
    values = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    data = caufc.encode(values, layout="b c", chunk=4, index=False, align="mean-deviation/channel")
    reader = opened(data)
    unknown = block_bytes("x", b"whatever", reader.prelude.stream.started().seed)
    cuts = [reader.prelude.length, reader.prelude.start, reader.index.offset(1)]
    parts = [data[start:stop] for start, stop in itertools.pairwise([0, *cuts, len(data)])]
    shares = shares_of(opened(unknown.join(parts)))
    others = {share.what: share.bytes for share in shares if share.group == "other blocks"}
    assert others == {"before chunks": 2 * len(unknown), "between chunks": len(unknown)}
    assert sum(share.bytes for share in shares) == len(data) + 3 * len(unknown)


def excerpts(data: bytes) -> Any:
    """What is looked at of a file, all of it."""
    reader = opened(data)
    choice = SampleChoice.of([count for _, count in reader.index.chunks], 1, wanted=10**6)
    return read_excerpts(reader, choice, range(len(reader.chunks.configs)), no_progress)


def special(minilm: Sequence[Floats]) -> Floats:
    """Texts cut to one plus a square of tokens."""
    return np.stack([text[:26] for text in minilm if len(text) >= 26])


@pytest.mark.parametrize("quality", [20, 80])
@pytest.mark.parametrize("kind", ["maps", "texts", "vectors", "special"])
def test_code_lengths_add_up_to_the_words(
    kind: str, quality: int, efficientnet: Floats, minilm: Sequence[Floats]
) -> None:
    features: dict[str, tuple[Any, str]] = {
        "maps": (np.concatenate([efficientnet[:, start : start + 64] for start in range(0, 640, 64)]), "b c h w"),
        "texts": (list(minilm), "n c"),
        "vectors": (np.concatenate(minilm), "b c"),
        "special": (special(minilm), "b (1 + h w) c"),
    }
    values, layout = features[kind]
    excerpt = excerpts(caufc.encode(values, layout=layout, quality=quality))[0]
    coded = excerpt.coded
    assert coded.total / 8 == pytest.approx(coded.parts["symbols"], rel=2e-3, abs=16)
    assert coded.components.sum() == pytest.approx(coded.total, rel=1e-5)
    assert sum(bits.sum() for bits, _ in coded.grids.values()) == pytest.approx(coded.total, rel=1e-5)
    assert coded.tokens == sum(len(bits) * samples for bits, samples in coded.grids.values())


def test_bits_are_where_the_values_are() -> None:
    values = np.random.default_rng(0).normal(size=(40, 6, 8, 8)).astype(np.float32)
    values[:, 3] *= 0.01
    values[:, :, :, :4] *= 0.1
    coded = excerpts(caufc.encode(values, layout="b c h w", snr=25))[0].coded
    assert not coded.spectral and not coded.in_basis
    assert coded.components[3] < 0.05 * coded.components[0]
    plane, _ = coded.on_grid()
    assert plane[:, :4].max() < plane[:, 4:].min()


def test_bits_of_smooth_maps_are_in_low_frequencies() -> None:
    maps = np.random.default_rng(0).normal(size=(40, 64, 64, 6)).cumsum(1).cumsum(2)[:, ::8, ::8]
    coded = excerpts(caufc.encode(maps.astype(np.float32), layout="b h w c", snr=25))[0].coded
    assert coded.spectral
    plane, _ = coded.on_grid()
    assert plane.argmax() == 0 and plane[-2:, -2:].max() < 0.2 * plane[0, 0]
    rates = coded.bands[:8] / coded.band_values[:8]
    assert (np.diff(rates) < 0).all()


def test_zeros_take_no_bits_and_lossless_ones_are_nobodys() -> None:
    zeros = excerpts(caufc.encode(np.zeros((4, 3, 5), np.float32), layout="b n c"))[0]
    assert zeros.coded.total == 0
    lossless = excerpts(caufc.encode(np.arange(30).reshape(3, 10)))[0].coded
    assert lossless.components is None and set(lossless.parts) == {"symbols"}


def test_payloads_are_told_by_part() -> None:
    values = np.random.default_rng(0).normal(size=(30, 20, 8)).astype(np.float32)
    values[3, 7] *= 1e4
    values[5, 2, 1] = np.inf
    data = caufc.encode(values, layout="b n c", nonfinite="keep", align="mean-deviation/token")
    parts = excerpts(data)[0].coded.parts
    assert {"statistics", "patches", "symbols"} <= set(parts)
    assert sum(parts.values()) == caufc.inspect(data).tensors[0]["payload_bytes"]


def test_a_tensor_that_is_too_large_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    from caufc.show import excerpt

    monkeypatch.setattr(excerpt, "MOST_VALUES", 500)
    small, large = np.ones((2, 10), np.float32), np.ones((2, 400), np.float32)
    found = excerpts(caufc.encode({"small": small, "large": large}, layout="b c"))
    assert len(found[0].samples) == 2 and found[1].samples == [] and found[1].too_large == 800
    with pytest.raises(caufc.FormatError):
        excerpts(caufc.encode({"small": small}, layout="b c")[:-40])
