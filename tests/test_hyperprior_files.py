"""``codec="hyperprior"``: ordinary files; weights named, embedded, missing; rates; outliers."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc import catalog
from caufc.api import encode_to
from caufc.errors import (
    ForeignFormatError,
    MissingWeightsError,
    NonFiniteError,
    OptionError,
    StorageError,
    UnknownNameError,
)

torch = pytest.importorskip("torch")

VECTORS = Path(__file__).resolve().parents[1] / "spec" / "vectors" / "1.0"
TINY, PLAIN = VECTORS / "profiles" / "tiny.caufw", VECTORS / "profiles" / "plain.caufw"


@pytest.fixture
def maps() -> Any:
    values = np.random.default_rng(0).gamma(0.5, 1, (5, 7, 6, 5)).astype(np.float32)
    values[1, 2, 3, 4] = 300
    return values


def encode(features: Any, **options: Any) -> bytes:
    return caufc.encode(features, **{"codec": "hyperprior", "weights": TINY, **options})


def test_files_are_ordinary(maps: Any, tmp_path: Path) -> None:
    path = tmp_path / "maps.cauf"
    report = caufc.save(path, torch.from_numpy(maps), codec="hyperprior", weights=TINY, chunk=2)
    assert report.codec == report.tensors[0].codec == "hyperprior"
    assert report.tensors[0].alignment == "min-max/global" and report.tensors[0].step is None
    back = caufc.load(path)
    assert isinstance(back, torch.Tensor) and back.shape == maps.shape
    with caufc.open(path) as reader:
        assert len(reader) == 5 and reader.info.chunks == 3 and reader.info.codec == "hyperprior"
        torch.testing.assert_close(reader[3], back[3])
    assert caufc.verify(path, deep=True).symbols_sha256
    energy = float(np.square(maps).sum() / np.square(back.numpy() - maps).sum())
    assert report.snr_db == pytest.approx(10 * np.log10(energy), abs=1e-3)


def test_structures_and_dtypes_come_back(maps: Any) -> None:
    features = [
        {"map": torch.from_numpy(maps[0, :, :, : n + 2]).to(dtype), "ids": torch.arange(n)}
        for n, dtype in enumerate([torch.bfloat16] * 3)
    ]
    back = caufc.decode(encode(features, layout={"map": "c h w"}))
    for one, other in zip(features, back, strict=True):
        assert other["map"].dtype == torch.bfloat16 and other["map"].shape == one["map"].shape
        assert torch.equal(one["ids"], other["ids"])


def test_weights_that_do_not_ship_are_embedded_or_needed(maps: Any) -> None:
    embedded, named = encode(maps), encode(maps, embed_weights=False)
    assert len(embedded) > len(named) + 4000
    np.testing.assert_array_equal(caufc.decode(embedded), caufc.decode(named, weights=TINY))
    digest = hashlib.sha256(TINY.read_bytes()).digest()[:16].hex()
    assert caufc.inspect(named, weights=TINY).weights == digest and caufc.inspect(embedded).weights is None
    for other in (None, PLAIN):
        with pytest.raises(MissingWeightsError, match=f"needs weights {digest}") as caught:
            caufc.decode(named, weights=other)
        assert caught.value.digest == digest and caught.value.exit_code == 4


def test_shipped_weights_are_named(maps: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(TINY.read_bytes()).digest()[:16].hex()
    (tmp_path / f"{digest}.caufw").write_bytes(TINY.read_bytes())
    catalog._shipped_weights.cache_clear()
    (tmp_path / "index.json").write_text(json.dumps({"universal": digest}))
    monkeypatch.setattr(catalog, "_WEIGHTS", catalog.Shelf(tmp_path, ".caufw"))
    data = caufc.encode(maps, codec="hyperprior")
    assert len(data) < 1000 and caufc.inspect(data).weights == digest
    assert caufc.decode(data).shape == maps.shape
    catalog._shipped_weights.cache_clear()


def test_qualities_and_rates_pick_a_rate(maps: Any) -> None:
    def size_and_symbols(**control: Any) -> tuple[int, str | None]:
        data = encode(maps, embed_weights=False, **control)
        return len(data), caufc.verify(data, deep=True, weights=TINY).symbols_sha256

    low, high = size_and_symbols(quality=99), size_and_symbols(quality=100)
    assert low == size_and_symbols(quality=24) and low[0] < high[0]
    between = (low[0] + high[0]) / 2 * 8 / maps.size
    assert size_and_symbols(bpfp=between)[1] == low[1]
    assert size_and_symbols(bpfp=1.1 * high[0] * 8 / maps.size)[1] == high[1]


def test_a_rate_above_that_without_loss_has_no_loss(maps: Any) -> None:
    np.testing.assert_array_equal(caufc.decode(encode(maps, embed_weights=False, bpfp=60)), maps)


def test_a_rate_near_that_without_loss_takes_four_passes_at_most() -> None:
    """What was tried without loss is not tried again; the weights that ship have several rates."""
    values = np.random.default_rng(0).standard_normal((2, 8, 6, 6)).astype(np.float16)
    report = encode_to(io.BytesIO(), values, layout="b c h w", codec="hyperprior", bpfp=9.0)
    assert report.passes <= 4


def test_a_rate_out_of_reach_is_the_lowest_and_told(maps: Any, tmp_path: Path) -> None:
    report = caufc.save(tmp_path / "x.cauf", maps, codec="hyperprior", weights=TINY, bpfp=1e-3)
    assert report.warnings and "cannot be met" in report.warnings[0]


@pytest.mark.parametrize("control", [{"snr": 20}, {"max_error": 0.1}, {"lossless": True}])
def test_other_controls_are_refused(maps: Any, control: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="hyperprior codec cannot meet"):
        encode(maps, **control)


def test_options_of_the_other_codec_are_refused(maps: Any, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no weights"):
        caufc.encode(maps, weights=TINY)
    with pytest.raises(OptionError, match="no outliers"):
        caufc.encode(maps, outliers="clip")
    with pytest.raises(UnknownNameError):
        encode(maps, outliers="drop")
    with pytest.raises(UnknownNameError, match="unknown weights 'univrsal'"):
        encode(maps, weights="univrsal")
    with pytest.raises(StorageError):
        encode(maps, weights=tmp_path / "none.caufw")
    other = tmp_path / "weights.bin"
    other.write_bytes(b"other")
    with pytest.raises(ForeignFormatError):
        encode(maps, weights=other)


def test_outliers_are_exact_unless_they_are_clipped(maps: Any, tmp_path: Path) -> None:
    many = np.minimum(np.concatenate([maps] * 30), 10)
    many[4, 3, 2, 1] = 300
    kept = caufc.save(tmp_path / "kept.cauf", many, codec="hyperprior", weights=TINY)
    back = caufc.load(tmp_path / "kept.cauf")
    assert kept.exact == 1 and kept.clipped == 0
    assert back[4, 3, 2, 1] == 300
    clipped = caufc.save(tmp_path / "clipped.cauf", many, codec="hyperprior", weights=TINY, outliers="clip")
    assert clipped.clipped == 1 and clipped.exact == 0
    assert caufc.load(tmp_path / "clipped.cauf").max() < 100


def test_a_range_that_was_given_clips(maps: Any, tmp_path: Path) -> None:
    report = caufc.save(tmp_path / "x.cauf", maps, codec="hyperprior", weights=TINY, truncate=(0, 2))
    back = caufc.load(tmp_path / "x.cauf")
    assert report.clipped == np.count_nonzero(maps > 2) and back.min() >= 0 and back.max() <= 2
    kept = caufc.decode(encode(maps, truncate=(0, 2), outliers="keep"))
    np.testing.assert_array_equal(kept[maps > 2], maps[maps > 2])


def test_alignment_can_be_switched_off(maps: Any) -> None:
    assert caufc.inspect(encode(maps, align="none")).tensors[0]["alignment"] == "none"
    assert caufc.inspect(encode(maps, align="mean-deviation/token")).tensors[0]["alignment"] == "mean-deviation/token"
    assert caufc.decode(encode(maps, align="mean-deviation/channel")).shape == maps.shape


def test_not_finite(maps: Any) -> None:
    maps[0, 0, 0, :3] = [np.nan, np.inf, -np.inf]
    with pytest.raises(NonFiniteError):
        encode(maps)
    back = caufc.decode(encode(maps, nonfinite="keep"))
    np.testing.assert_array_equal(back[0, 0, 0, :3], maps[0, 0, 0, :3])
    assert np.isfinite(back).sum() == maps.size - 3


def test_constant_and_empty_tensors() -> None:
    for features in (np.full((3, 4, 5), 2.5, np.float32), np.empty((0, 7), np.float32)):
        np.testing.assert_array_equal(caufc.decode(encode(features)), features)


def test_symbols_need_no_torch(maps: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    path.write_bytes(encode(maps))
    code = f"import sys, caufc; caufc.verify({str(path)!r}, deep=True); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_ships() -> None:
    """Universal weights of at most 8 MB in all, five rates or more, named by their content hash."""
    folder = Path(caufc.__file__).parent / "data" / "weights"
    files = sorted(folder.glob("*.caufw"))
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    assert [hashlib.sha256(path.read_bytes()).digest()[:16].hex() for path in files] == [path.stem for path in files]
    assert catalog.weights_names() == ["universal"]
    found = catalog.find_weights("universal")
    assert found.shipped and found.weights.encodes and found.weights.rates >= 5


def test_out_of_the_box(maps: Any) -> None:
    """Rates and errors of features that the shipped weights have not seen move the right way, and stay sane."""
    features = np.maximum(np.random.default_rng(1).normal(size=(20, 16, 8, 8)), 0).astype(np.float32)
    files = [caufc.encode(features, codec="hyperprior", quality=quality) for quality in (0, 25, 50, 75, 100)]
    errors = [float(np.square(caufc.decode(data) - features).mean()) for data in files]
    assert sorted(errors, reverse=True) == errors and sorted(map(len, files)) == [len(data) for data in files]
    assert errors[-1] < 0.01 * features.var() and len(files[0]) < features.nbytes / 20
    assert len(caufc.encode(maps, codec="hyperprior")) < maps.nbytes
