"""Reports: figures of every tensor, and warnings where too little is kept."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.api import encode_to
from caufc.coders.registry import HYPERPRIOR
from caufc.encoder.options import EncodeOptions, Target, TensorOptions
from caufc.encoder.quality_warnings import quality_warnings
from caufc.encoder.report import Report, TensorReport

TINY = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "profiles" / "tiny.caufw"


def encoded(features: Any, **options: Any) -> tuple[Report, Any]:
    """The report, and what is decoded."""
    file = io.BytesIO()
    report = encode_to(file, features, **options)
    return report, caufc.decode(file.getvalue())


def tokens(samples: int, count: int, channels: int, scale: float) -> NDArray[np.float32]:
    generator = np.random.default_rng(count)
    values = generator.standard_normal((samples, count, channels)) * generator.uniform(0.5, 2, (samples, count, 1))
    return (scale * values).astype(np.float32)


@pytest.mark.parametrize("chunk", [None, 7])
def test_the_figures_of_every_tensor_are_its_own(chunk: int | None) -> None:
    features: dict[str, Any] = {"small": tokens(40, 9, 8, 0.01), "large": tokens(40, 30, 16, 10), "ids": np.arange(40)}
    report, back = encoded(features, layout={"small": "b n c", "large": "b n c"}, chunk=chunk)
    assert [tensor.name for tensor in report.tensors] == list(features)
    for tensor in report.tensors[:2]:
        x, y = (found[tensor.name].reshape(-1, found[tensor.name].shape[-1]).astype("f8") for found in (features, back))
        energies, errors = np.square(x).sum(1), np.square(x - y).sum(1)
        assert tensor.snr_db == pytest.approx(10 * np.log10(energies.sum() / errors.sum()), abs=1e-3)
        reached = np.sort(10 * np.log10(energies / errors))[len(x) // 100]
        assert tensor.token_snr_db == pytest.approx(reached, abs=0.01)
        assert tensor.cosine == pytest.approx(np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y)), abs=1e-6)
        assert tensor.max_abs_error == pytest.approx(np.abs(x - y).max(), rel=1e-4)
        assert tensor.numel == x.size and tensor.bpfp == 8 * tensor.payload_bytes / x.size
    small, large = (tensor.max_abs_error for tensor in report.tensors[:2])
    assert small is not None and large is not None and small < large / 50
    exact = report.tensors[2]
    assert (exact.snr_db, exact.token_snr_db, exact.cosine, exact.max_abs_error) == (None, None, 1, 0)
    assert 0 < sum(tensor.payload_bytes for tensor in report.tensors) < report.bytes_out


def test_json_is_plain_data() -> None:
    report, _ = encoded({"a": tokens(4, 9, 8, 1), "b": np.zeros((4, 3), np.float32)})
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    figures = ("snr_db", "snr_apart_db", "token_snr_db", "cosine", "max_abs_error", "numel", "payload_bytes", "bpfp")
    assert {key: data["tensors"][1][key] for key in figures[:5]} == dict(
        zip(figures, (None, None, None, 1.0, 0.0), strict=False)
    )
    assert data["tensors"][0].keys() >= set(figures) and data["tensors"][0]["snr_db"] > 20
    assert data["snr_db"] == pytest.approx(report.tensors[0].snr_db), "the file's is that of all values"


def test_padding_does_not_count() -> None:
    features = tokens(8, 40, 16, 1)
    features[:, 25:] = 0
    report, _ = encoded(features, layout="b n c", align="mean-deviation/channel")
    assert (report.tensors[0].token_snr_db or 0) > 10 and report.warnings == ()


def test_what_is_clipped_away_is_a_warning() -> None:
    features = tokens(4, 50, 16, 1)
    options = {"layout": "b n c", "align": "min-max", "truncate": (-0.2, 0.2)}
    report, _ = encoded(features, **options)
    (warning,) = report.warnings
    snr, reached = report.tensors[0].snr_db, report.tensors[0].token_snr_db
    assert warning == (
        f"keeps an SNR of {snr:.1f} dB, 99 % of its tokens {reached:.1f} dB: under 10 dB features are of little use; "
        "use a higher quality=, or snr="
    )
    assert encoded(features, quality="low", **options)[0].warnings == ()
    assert encoded(features, quality="medium", layout="b n c")[0].warnings == ()


def test_masks_that_are_clipped_away_do_not_tell_what_the_rest_keeps(tmp_path: Path) -> None:
    """Also where the rest is stored as it is."""
    values = np.random.default_rng(0).standard_normal((2, 5, 4)).astype("f2")
    values[:, ::5] = np.finfo("f2").min
    report = caufc.save(tmp_path / "a.cauf", values, layout="b n c", truncate=(-1, 2), snr=300)
    (told,) = report.tensors
    decoded, rest = caufc.load(tmp_path / "a.cauf").astype("f8"), values > -100
    snr = 10 * np.log10(np.square(values[rest].astype("f8")).sum() / np.square(decoded[rest] - values[rest]).sum())
    assert told.codec == "lossless" and told.snr_db == pytest.approx(snr, abs=0.01)


def test_a_learned_codec_that_knows_no_such_features() -> None:
    pytest.importorskip("torch")
    report, _ = encoded(tokens(4, 50, 16, 1), layout="b n c", codec="hyperprior", weights=TINY, quality=0)
    (warning,) = report.warnings
    assert f"keeps an SNR of {report.tensors[0].snr_db:.1f} dB, " in warning
    assert warning.endswith("or the rate is too low: use codec='transform' or a higher rate")


def tensor(name: str, snr: float | None, reached: float | None, codec: str = "transform") -> TensorReport:
    return TensorReport(name, "fp32", (4,), "c", "", codec, "none", None, snr_db=snr, token_snr_db=reached, cosine=0.5)


def warned(*tensors: TensorReport, **options: Any) -> list[str]:
    return quality_warnings(tensors, EncodeOptions(**options))


@pytest.mark.parametrize(
    ("target", "asked"),
    [
        (Target(), True),
        (Target("quality", 49.9), False),
        (Target("quality", 75), True),
        (Target("snr", 30), True),
        (Target("snr", 12), False),
        (Target("bpfp", 1), False),
        (Target("max_error", 1), False),
    ],
)
def test_which_controls_promise_10_db(target: Target, asked: bool) -> None:
    poor, uneven, learned = tensor("a", 9.9, 3), tensor("b", 30, 9.9), tensor("c", 9.9, 3, HYPERPRIOR.name)
    assert bool(warned(poor, target=target)) is asked
    assert bool(warned(uneven, target=target)) is asked
    assert warned(tensor("d", 10, 10), tensor("e", None, None), target=target) == []
    assert warned(learned, target=target), "at any rate"
    assert bool(warned(tensor("c", 12, 3, HYPERPRIOR.name), target=target)) is asked, "but not every token"


def test_what_is_read_in_part_may_lose_the_rest() -> None:
    poor = tensor("a", 3, 3)
    assert warned(poor, tensors={"a": TensorOptions(reads="mean")}) == []
    assert warned(poor, tensors={"a": TensorOptions(tap_reads="first")}) == []
    assert warned(poor, tensors={"a": TensorOptions(reads="tokens", tap_reads="first")}) != []


def test_of_many_the_worst_are_named() -> None:
    said = warned(*(tensor(f"layer{number}", 5.0, float(number)) for number in range(9, -4, -1)))
    assert [sentence[:26] for sentence in said[:2]] == ["tensor 'layer-3' keeps an ", "tensor 'layer-2' keeps an "]
    assert said[2:] == ["11 more tensors keep less than 10 dB"]
