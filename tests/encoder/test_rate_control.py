"""Rate control: what was asked for is met, or a warning says how near it came."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.api import encode_to
from caufc.encoder import tensor_draft
from caufc.encoder.file_writer import FilePass
from caufc.encoder.options import EncodeOptions, Target
from caufc.encoder.rate import Search, gain_of_quality
from caufc.encoder.rate_control import GainControl
from caufc.encoder.report import Report
from caufc.encoder.tensor_draft import TransformDraft
from caufc.errors import OptionError


class Pipe:
    """A file that cannot seek."""

    def __init__(self) -> None:
        self.data = b""

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def encoded(features: Any, **options: Any) -> tuple[bytes, Report]:
    pipe = Pipe()
    report = encode_to(pipe, features, **options)  # type: ignore[arg-type]
    return pipe.data, report


def flat(features: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([np.asarray(part, "f8").ravel() for part in features])


def snr(decoded: Any, features: Any) -> float:
    one, other = flat(decoded), flat(features)
    return float(10 * np.log10(np.sum(other**2) / np.sum((one - other) ** 2)))


@pytest.mark.parametrize("wanted", [3, 10, 20.5, 40, 60])
@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
def test_snr(features: str, wanted: float, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    data, report = encoded(found, snr=wanted)
    got = snr(caufc.decode(data), found)
    assert wanted <= got <= wanted + 0.2
    assert report.snr_db == pytest.approx(got, abs=1e-3)
    assert report.nmse == pytest.approx(10 ** (-got / 10), rel=1e-3)
    assert bool(report.warnings) == (got > wanted + 0.1)


@pytest.mark.parametrize("align", ["none", "min-max:0,6", "mean-deviation/channel", "robust/token"])
def test_snr_under_any_alignment(align: str, minilm: Any) -> None:
    got = snr(caufc.decode(caufc.encode(minilm, snr=25, align=align)), minilm)
    assert 25 <= got <= 25.2


@pytest.mark.parametrize("wanted", [0.1, 0.5, 1, 2, 4, 8])
def test_bpfp(wanted: float, minilm: Any) -> None:
    features = [np.tile(part, (4, 1)) for part in minilm]
    assert flat(features).size >= 1e5
    data, report = encoded(features, bpfp=wanted)
    assert 0.98 * wanted <= 8 * len(data) / flat(features).size <= wanted
    assert report.bpfp == 8 * len(data) / report.numel
    assert not report.warnings


@pytest.mark.parametrize("wanted", [0.1, 1, 2])
def test_bpfp_of_a_map(wanted: float, efficientnet: Any) -> None:
    features = np.concatenate([efficientnet, efficientnet[:, ::-1]])
    data, _ = encoded(features, bpfp=wanted)
    assert 0.98 * wanted <= 8 * len(data) / features.size <= wanted


@pytest.mark.parametrize("wanted", [60, 1e-5])
def test_bpfp_out_of_reach(wanted: float, minilm: Any) -> None:
    features = [np.tile(part, (4, 1)) for part in minilm]
    data, report = encoded(features, bpfp=wanted)
    (warning,) = report.warnings
    assert warning.startswith(f"{wanted:g} BPFP cannot be met closely; the file has ")
    assert caufc.decode(data)[3].shape == features[3].shape


def test_small_inputs_get_at_most_the_rate(minilm: Any) -> None:
    data, report = encoded(minilm[:2], bpfp=1.5)
    assert 8 * len(data) <= 1.5 * flat(minilm[:2]).size
    assert not report.warnings


def test_a_rate_that_integers_exceed() -> None:
    _, report = encoded(np.random.default_rng(0).integers(0, 1 << 30, (100, 10)), bpfp=0.5)
    (warning,) = report.warnings
    assert warning.startswith("0.5 BPFP cannot be met closely")


@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
def test_quality_is_monotone(features: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    runs = [encoded(found, quality=quality) for quality in (0, 10, 25, 40, 50, 60, 75, 90, 100)]
    sizes = [len(data) for data, _ in runs]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)
    decibels = [report.snr_db or 0 for _, report in runs]
    assert decibels == sorted(decibels)


def test_quality_names(minilm: Any) -> None:
    for name, number in {"low": 25, "medium": 50, "high": 75}.items():
        assert caufc.encode(minilm, quality=name) == caufc.encode(minilm, quality=number)
    assert caufc.encode(minilm) == caufc.encode(minilm, quality="50")


def test_gains_double_every_eight() -> None:
    assert [gain_of_quality(quality) for quality in (50, 42, 58, 2, 98)] == [1, 2, 0.5, 64, 1 / 64]


def test_medium_quality_beats_half_precision(efficientnet: Any, minilm: Any) -> None:
    for features in (efficientnet, minilm):
        data, report = encoded(features)
        assert report.snr_db is not None and report.snr_db > 10
        assert len(data) < 0.3 * 2 * flat(features).size


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 101},
        {"quality": -1},
        {"quality": "best"},
        {"quality": float("nan")},
        {"snr": 301},
        {"snr": float("inf")},
        {"bpfp": 0},
        {"bpfp": -1},
        {"max_error": 0},
        {"max_error": -1.0},
        {"max_error": float("nan")},
        {"quality": 50, "snr": 30},
        {"lossless": True, "bpfp": 1},
        {"lossless": True, "truncate": (0, 1)},
        {"max_error": 1, "truncate": (0, 1)},
        {"truncate": (1, 0)},
        {"truncate": 5},
        {"truncate": (0, float("inf"))},
        {"truncate": (-1e300, 1e300)},
        {"chunk": 0},
        {"chunk": 65_537},
        {"tap": "x"},
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        caufc.encode(np.ones((4, 3), "f4"), **options)


@pytest.mark.parametrize(("curve", "above"), [(lambda g: 40 - 6 * g, True), (lambda g: 1000 * 2 ** (-g / 3), False)])
@pytest.mark.parametrize("start", [-1.0, 0.5, 4.0])
def test_search(curve: Any, above: bool, start: float) -> None:
    wanted = 37.5 if above else 700.0
    search = Search(wanted, 0.1 if above else 14, -6 if above else -200, above=above, log_gain=start)
    for _ in range(Search.MOST_PASSES):
        if search.record(curve(search.log_gain)):
            break
    gain, value = search.settled
    assert value == curve(gain)
    assert search.good(value)
    assert wanted <= value <= wanted + 0.1 if above else wanted - 14 <= value <= wanted


def test_search_gives_up() -> None:
    search = Search(10, 0.1, -1, above=False, log_gain=0)
    passes = 0
    while not search.record(100.0 + passes):
        passes += 1
    assert passes < Search.MOST_PASSES
    assert not search.kept(search.settled[1])


class Bytes:
    """A sink that restarts."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> object:
        self.data += data
        return len(data)

    def restart(self) -> bool:
        self.data = b""
        return True


def test_a_refined_search_that_fails_does_not_lose_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate jumps over the target, and with tables that stay it only gets worse: the first find is written."""
    within: set[float] = set()
    free = False

    class Open(TransformDraft):
        def __init__(self) -> None:
            pass

        def plan(self, setting: float, target: Target) -> Any:  # noqa: ARG002
            nonlocal free
            free = True

    def write(plans: Any, gain: float, sink: Any) -> FilePass:
        nonlocal free
        if free and gain > 1.3:
            within.add(gain)
        size = 900 if gain in within else 1200 if free else 2000
        free = False
        sink.write(bytes(size))
        return FilePass(plans, gain, bytes_out=size)

    monkeypatch.setattr(GainControl, "_search", lambda *_: Search(8000, 160, -4000, above=False, log_gain=0.0))
    options, sink = EncodeOptions(Target("bpfp", 1.0)), Bytes()
    writer: Any = SimpleNamespace(write=write)
    done = GainControl(options, 8000, writer).run([Open()], sink)
    assert done.bytes_out == len(sink.data) == 900


def test_an_snr_asks_for_the_smallest_error(minilm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that keep energy are for networks; they cost error."""
    targets: list[dict[str, Any]] = [{"snr": 6}, {"bpfp": 0.8}]
    before = [caufc.encode(minilm, layout="n c", **target) for target in targets]
    monkeypatch.setattr(tensor_draft, "GAIN_SHARE", 1.0)
    after = [caufc.encode(minilm, layout="n c", **target) for target in targets]
    assert before[0] == after[0]
    assert len(before[1]) == len(after[1])
    errors = [
        sum(np.square(a - b).sum() for a, b in zip(caufc.decode(data), minilm, strict=True))
        for data in (before[1], after[1])
    ]
    assert errors[0] < errors[1]
