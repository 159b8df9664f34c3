"""The process that codes one point, called in this one."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caufc import encode
from caufc.errors import InputError
from caufc.evaluate import worker
from caufc.evaluate.feature_file import FeatureFile
from caufc.evaluate.rivals.registry import find_rivals
from caufc.evaluate.worker import CodingJob
from caufc.fit.profile import fit_profile

MAPS = np.maximum(np.random.default_rng(0).standard_normal((12, 8, 6, 6)), 0).astype(np.float32)


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "maps.npy"
    FeatureFile.of(MAPS, "b c h w").save(path)
    return path


def job(features: Path, rival: str | None, **more: Any) -> CodingJob:
    decoded = str(features.with_name("decoded.npy"))
    arguments: dict[str, Any] = {"setting": {"quality": 70}, "options": {}, **more}
    return CodingJob(str(features), decoded, rival, **arguments)


def test_caufc(features: Path) -> None:
    result = worker.code(job(features, None))
    back = FeatureFile.load(features.with_name("decoded.npy"))
    assert back.samples.shape == MAPS.shape
    assert result.snr_db == pytest.approx(worker.snr_db(FeatureFile.load(features), back))
    assert 0 < result.bytes < MAPS.nbytes
    assert result.snr_db is not None and result.snr_db > 10
    assert min(result.encode_seconds, result.decode_seconds) > 0


def test_a_profile_is_not_counted(features: Path) -> None:
    path = features.with_suffix(".caufp")
    path.write_bytes(fit_profile(MAPS, layout="b c h w"))
    with_profile = worker.code(job(features, None, profile=str(path)))
    assert with_profile.bytes < worker.code(job(features, None)).bytes + path.stat().st_size / 2


def test_weights_are_not_counted(features: Path) -> None:
    pytest.importorskip("torch")
    weights = Path(__file__).parents[2] / "spec" / "vectors" / "1.0" / "profiles" / "tiny.caufw"
    options: dict[str, Any] = {"codec": "hyperprior", "weights": str(weights)}
    result = worker.code(job(features, None, options=options))
    assert 0 < result.bytes < len(encode(MAPS, layout="b c h w", quality=70, **options)) - 1000
    assert FeatureFile.load(features.with_name("decoded.npy")).samples.shape == MAPS.shape


def test_of_variants_the_smallest_counts(features: Path) -> None:
    result = worker.code(job(features, "int", setting={"bits": 2.0}))
    assert result.variant == "int2 + zstd -19"
    (plain, packed) = find_rivals(["int2"], 19)[0]
    sizes = [len(rival.encode([MAPS], FeatureFile.load(features).spec)) for rival in (plain, packed)]
    assert sizes[0] != sizes[1] and result.bytes == min(sizes)


def test_a_rival_may_be_calibrated(features: Path) -> None:
    setting = {"octaves": 0.0}
    calibrated = worker.code(job(features, "kvtc-calibrated", setting=setting, calibration=str(features)))
    assert calibrated.bytes < worker.code(job(features, "kvtc", setting=setting)).bytes, "the basis is not counted"


def test_what_is_exact_has_no_snr(features: Path) -> None:
    assert worker.code(job(features, None, setting={"lossless": True})).snr_db is None


def test_the_process_answers_in_json(
    features: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for asked, key in ((job(features, None), "bytes"), (job(features, "nobody"), "error")):
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(asdict(asked))))
        worker.main()
        assert key in json.loads(capsys.readouterr().out)


def test_memory_is_what_a_call_needs_at_its_peak() -> None:
    size = 64 << 20
    _, cost = worker.measured(lambda: len(b"x" * size))
    _, idle = worker.measured(lambda: 0)
    if Path("/proc/self/clear_refs").exists():
        assert cost.mib == pytest.approx(64, abs=8) and idle.mib < 8


def test_an_unknown_rival_is_an_error(features: Path) -> None:
    with pytest.raises(InputError):
        worker.code(job(features, "nobody"))
