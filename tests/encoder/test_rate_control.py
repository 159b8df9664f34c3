"""Rate control: what was asked for is met, or a warning says how near it came."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.api import encode_to
from caufc.encoder import transform_draft
from caufc.encoder.goal import quality_of_step, quality_step
from caufc.encoder.rate_control import RateControl
from caufc.encoder.rate_search import RateSearch
from caufc.encoder.report import Report
from caufc.encoder.root import place_of
from caufc.errors import OptionError
from tools.attack.contract_cases import case_of
from tools.attack.contract_values import KINDS, Extent


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
    assert not report.warnings


@pytest.mark.parametrize("align", ["none", "min-max:0,6", "mean-deviation/channel", "robust/token"])
def test_snr_under_any_alignment(align: str, minilm: Any) -> None:
    got = snr(caufc.decode(caufc.encode(minilm, snr=25, align=align)), minilm)
    assert 25 <= got <= 25.2


@pytest.mark.parametrize("wanted", [0.1, 0.5, 1, 2, 4, 8])
def test_bpfp(wanted: float, minilm: Any) -> None:
    features = [np.concatenate([part * np.float32(times) for times in (1, 0.9, 0.8, 0.7)]) for part in minilm]
    assert flat(features).size >= 1e5
    data, report = encoded(features, bpfp=wanted)
    assert 0.98 * wanted <= 8 * len(data) / flat(features).size <= wanted
    assert report.bpfp == 8 * len(data) / report.numel
    assert not report.warnings


@pytest.mark.parametrize("wanted", [0.1, 1, 2])
def test_bpfp_of_a_map(wanted: float, efficientnet: Any) -> None:
    features = np.concatenate([efficientnet, efficientnet[:, ::-1]])
    data, _ = encoded(features, bpfp=wanted)
    bytes_wanted = wanted * features.size / 8
    assert abs(len(data) - bytes_wanted) <= max(0.02 * bytes_wanted, 64)


def test_a_rate_too_low_gives_the_nearest_with_a_warning(minilm: Any) -> None:
    features = [np.tile(part, (4, 1)) for part in minilm]
    data, report = encoded(features, bpfp=1e-5)
    (warning,) = report.warnings
    assert warning.startswith("1e-05 BPFP cannot be met closely; the file has ")
    assert caufc.decode(data)[3].shape == features[3].shape


@pytest.mark.parametrize("wanted", [20, 60])
def test_a_rate_above_the_lossless_one_gives_the_lossless_file(wanted: float, efficientnet: Any) -> None:
    data, report = encoded(efficientnet, bpfp=wanted)
    assert data == caufc.encode(efficientnet, lossless=True)
    np.testing.assert_array_equal(caufc.decode(data), efficientnet)
    assert not report.warnings


def test_small_inputs_get_at_most_the_rate(minilm: Any) -> None:
    data, report = encoded(minilm[:2], bpfp=1.5)
    assert 8 * len(data) <= 1.5 * flat(minilm[:2]).size
    assert not report.warnings


@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("wanted", [40.0, 48.7, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_an_snr_beyond_what_a_basis_leaves_is_met(seed: int, wanted: float, effort: str) -> None:
    """Smooth maps of few directions have bases of fewer vectors than channels."""
    values = KINDS["smooth"](np.random.default_rng(seed), Extent(3, (8, 8), 33, 1)).astype(np.float16)
    decoded = caufc.decode(caufc.encode(values, layout="b (1 + h w) c", effort=effort, snr=wanted))
    error = float(np.square(decoded.astype(float) - values).sum())
    energy = float(np.square(values.astype(float)).sum())
    assert error == 0 or 10 * np.log10(energy / error) > wanted - 0.02


def test_a_file_of_many_tiny_chunks_is_never_larger_than_without_loss() -> None:
    values = np.random.default_rng(0).standard_normal((48, 3, 1)).astype(np.float32)
    options: dict[str, Any] = {"layout": "b n c", "chunk": 1, "align": "min-max/token"}
    lossless = len(caufc.encode(values, lossless=True, **options)) + len("q20") - len("x")
    assert all(len(caufc.encode(values, quality=quality, **options)) <= lossless for quality in (20, 40, 60, 80))


@pytest.mark.parametrize("control", [{}, {"quality": 25}, {"snr": 20}, {"max_error": 0.05}])
def test_a_few_values_among_zeros_take_no_more_than_without_loss(control: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    values = np.zeros((200, 2048), np.float32)
    values[rng.integers(0, 200, 66), rng.integers(0, 2048, 66)] = rng.gamma(2, 2, 66).astype(np.float16)
    assert len(caufc.encode(values, **control)) <= len(caufc.encode(values, lossless=True)) + 16


def test_a_file_that_takes_more_than_was_foreseen_is_coded_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates are far off here: what is seen once the file is there decides."""
    values = np.random.default_rng(0).integers(0, 4, (100, 60)).astype(np.float32) ** 2 / 7
    lossless = len(caufc.encode(values, lossless=True))
    answers = iter([False, True])
    monkeypatch.setattr(RateControl, "_is_near_lossless", lambda *_: next(answers))
    monkeypatch.setattr(transform_draft.TransformDraft, "lossless_bytes", 1e9)
    sink = io.BytesIO()
    assert encode_to(sink, values, quality=95).passes == 2
    assert len(sink.getvalue()) <= lossless + len("q95") - len("x")


def test_a_rate_of_few_bytes_takes_no_more_passes() -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random((20, 20_000)) < 0.004, rng.exponential(size=(20, 20_000)), 0).astype(np.float32)
    for wanted in (0.02, 0.04, 0.0458):
        assert encoded(values, bpfp=wanted)[1].passes <= 4


def test_rates_below_side_information_take_no_more_passes() -> None:
    case = case_of(3, 9891)
    assert encoded(case.features[:240], **case.asked)[1].passes <= 4


def test_a_rate_that_integers_exceed() -> None:
    _, report = encoded(np.random.default_rng(0).integers(0, 1 << 30, (100, 10)), bpfp=0.5)
    (warning,) = report.warnings
    assert warning.startswith("0.5 BPFP cannot be met closely")


@pytest.mark.parametrize("features", ["efficientnet", "minilm"])
def test_quality_is_monotone(features: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(features)
    runs = [encoded(found, quality=quality) for quality in (0, 10, 25, 34, 36, 40, 50, 60, 75, 90, 100)]
    sizes = [len(data) for data, _ in runs]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)
    decibels = [report.snr_db or 0 for _, report in runs]
    assert decibels == sorted(decibels)


@pytest.mark.parametrize(("grid", "few", "channels", "noise"), [((14, 14), 8, 64, 0.02), ((56, 56), 2, 16, 0.1)])
def test_low_qualities_of_maps_of_few_directions(grid: tuple[int, ...], few: int, channels: int, noise: float) -> None:
    signals = np.random.default_rng(1).standard_normal((2, *grid, few))
    for axis in (1, 2, 1, 2):
        signals = (np.roll(signals, 1, axis) + 2 * signals + np.roll(signals, -1, axis)) / 4
    rng = np.random.default_rng(2)
    maps = signals @ rng.standard_normal((few, channels)) + noise * rng.standard_normal((2, *grid, channels))
    runs = [
        encoded(maps.astype(np.float32), layout="b h w c", quality=quality) for quality in (10, 18, 26, 30, 34, 35, 42)
    ]
    decibels = [report.snr_db or 0 for _, report in runs]
    assert decibels == sorted(decibels)
    assert max(len(data) for data, _ in runs) == len(runs[-1][0])


def test_quality_names(minilm: Any) -> None:
    for name, number in {"low": 25, "medium": 50, "high": 75}.items():
        assert caufc.encode(minilm, quality=name) == caufc.encode(minilm, quality=number)
    assert caufc.encode(minilm) == caufc.encode(minilm, quality="50")


def test_steps_double_every_eight() -> None:
    assert [quality_step(quality) for quality in (50, 42, 58, 2, 98)] == [1, 2, 0.5, 64, 1 / 64]
    assert [quality_of_step(quality_step(quality)) for quality in (50, 3.5, 99)] == [50, 3.5, 99]


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


@pytest.mark.parametrize("start", [-30.0, 0.5, 40.0])
@pytest.mark.parametrize("curve", [lambda p: 3 * p, lambda p: 2 ** (p / 4), lambda p: np.floor(p), lambda p: p**3])
def test_a_place_is_found_in_few_measurements(curve: Any, start: float) -> None:
    tried: list[float] = []

    def measure(place: float) -> float:
        tried.append(place)
        return float(curve(place))

    found = place_of(measure, 20.0, first=start, slope=2.0, near=0.5, bounds=(-50, 50), most=20)
    assert curve(found) <= 20
    assert curve(found) >= 19.5 or curve(found + 0.1) > 20
    assert len(tried) <= 20


@pytest.mark.parametrize(("wanted", "end"), [(1e9, 50), (-1e9, -50)])
def test_a_place_out_of_reach_is_the_nearest(wanted: float, end: float) -> None:
    assert place_of(lambda p: p, wanted, first=0, slope=1.0, near=0.1, bounds=(-50, 50), most=30) == end


def test_a_rate_is_met_although_the_model_is_wrong() -> None:
    """A model that misses a third of the bytes is mended by what a file takes."""
    search = RateSearch(10_000, 50_000, lambda quality: 200 * max(quality, 0))

    def size() -> int:
        return round(300 * (search.setting - 8 * search.octave))

    passes = 0
    while not search.record(size()) and passes < 9:
        passes += 1
    assert passes <= 3
    assert 9_800 <= size() <= 10_000


def test_a_rate_is_met_where_files_jump() -> None:
    """Between two qualities that differ by nothing, other steps in the plans of one of them fill the gap."""
    search = RateSearch(10_000, 50_000, lambda quality: 14_000 if quality > 40 else 4_000)

    def size() -> int:
        return round((14_000 if search.setting > 40 else 4_000) * 2 ** (-0.6 * search.octave))

    passes = 1
    while not search.record(size()):
        passes += 1
    assert passes <= 4
    assert 9_800 <= size() <= 10_000


def test_a_model_that_leaps_costs_no_pass() -> None:
    """Plans at the other side of a leap are far from what is wanted, and those that are known have other steps."""
    search = RateSearch(1_220, 53_000, lambda quality: 32_000 if quality > 19.02 else 840)
    sizes: list[int] = []
    while not sizes or not search.record(sizes[-1]):
        assert search.setting <= 19.02
        sizes.append(round(936 * 2 ** (-1.12 * search.octave)))
    assert len(sizes) <= 4 and 1_150 <= sizes[-1] <= 1_220


def test_points_that_keep_energy_cost_bytes_at_equal_error(minilm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are for networks; an SNR, which asks for the fewest bytes, does not have them."""
    targets: list[dict[str, Any]] = [{"snr": 6}, {"quality": 30}]
    before = [caufc.encode(minilm, layout="n c", **target) for target in targets]
    monkeypatch.setattr(transform_draft, "GAIN_SHARE", 1.0)
    after = [caufc.encode(minilm, layout="n c", **target) for target in targets]
    assert before[0] == after[0]
    assert len(before[1]) < len(after[1])


def test_an_snr_is_planned_anew_where_finer_steps_do_not_give_it() -> None:
    """Smooth fields of few directions: it is the codes of a basis that are too coarse."""
    down, along = np.mgrid[:240, :320]
    flow = np.stack([0.1 * (along - 160) + 5 * np.sin(down / 40), 0.05 * (down - 120) + 3 * np.cos(along / 50)])
    features = (flow + 0.1 * np.random.default_rng(0).standard_normal(flow.shape)).astype(np.float32)
    for wanted in (29, 30, 31, 35):
        _, report = encoded(features, snr=wanted, layout="b n c")
        assert report.tensors[0].snr_db is None or report.tensors[0].snr_db > wanted - 0.02
        assert report.passes <= 4
