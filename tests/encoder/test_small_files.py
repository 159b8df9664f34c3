"""Small files: what few values keep moves by leaps, and yet more of a control keeps no less."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.api import encode_to
from caufc.encoder.gain_ladder import Figures, GainLadder
from caufc.encoder.goal import Goal
from caufc.encoder.options import LEAST_RATE
from caufc.encoder.sample_plan import QuantizerKind
from tools.attack.contract_cases import case_of
from tools.attack.contract_checks import judge
from tools.attack.contract_figures import is_rest, snr_db, token_snrs_db, worst_token_snr_db
from tools.attack.contract_outcome import Caufc, outcome_of_case
from tools.attack.contract_outliers import with_outliers
from tools.attack.contract_values import KINDS, Extent

SLACK = 0.1

QUALITIES = [{"quality": float(quality)} for quality in range(8, 96, 12)]
LEVELS = [{"snr": float(level)} for level in range(4, 52, 9)]
RATES = [{"bpfp": 2.0**octave} for octave in np.arange(0, 3.2, 0.8)]


def values_of(kind: str, extent: Extent, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.asarray(KINDS[kind](np.random.default_rng(seed), extent), np.float32)


def kept(values: np.ndarray[Any, Any], control: dict[str, Any]) -> tuple[float, float]:
    """SNR in dB of a tensor ``[B, N, C]``, and that of its worst tokens, of which those below 0 dB are lost."""
    decoded = caufc.decode(caufc.encode(values, layout="b n c", **control))
    matrix, error = (part.reshape(-1, values.shape[-1]).astype(float) for part in (values, decoded - values))
    rest = is_rest(matrix)
    return snr_db(matrix[rest], error[rest]), max(0.0, worst_token_snr_db(matrix, error))


@pytest.mark.parametrize("controls", [QUALITIES, LEVELS], ids=["quality", "snr"])
@pytest.mark.parametrize(
    ("kind", "extent"),
    [
        ("levels", Extent(3, (17,), 8)),
        ("one-hot", Extent(33, (1,), 2)),
        ("relu", Extent(2, (20,), 12)),
        ("SAE codes", Extent(3, (7,), 32)),
        ("smooth", Extent(3, (24,), 16)),
        ("constant channels", Extent(3, (16,), 12)),
        ("lognormal", Extent(2, (30,), 3)),
    ],
)
def test_more_of_a_control_keeps_no_less(kind: str, extent: Extent, controls: list[dict[str, Any]]) -> None:
    values = values_of(kind, extent)
    found = [level for level in (kept(values, control) for control in controls) if level[0] < math.inf]
    for figures in zip(*found, strict=True):
        most = np.maximum.accumulate(figures)
        assert (np.array(figures) >= most - SLACK).all(), figures


def test_a_higher_quality_keeps_no_less_beside_outliers() -> None:
    test_more_of_a_control_keeps_no_less("sinks", Extent(4, (10,), 6), QUALITIES)


@pytest.mark.parametrize(
    ("kind", "extent", "seed"),
    [("smooth", Extent(1, (8,), 341), 0), ("levels", Extent(3, (17,), 8), 2), ("gaussian", Extent(3, (20,), 24), 0)],
)
def test_a_higher_rate_keeps_no_less(kind: str, extent: Extent, seed: int) -> None:
    values = values_of(kind, extent, seed)
    found = [kept(values, control)[0] for control in RATES]
    assert (np.array(found) >= np.maximum.accumulate(found) - SLACK).all(), found


@pytest.mark.parametrize(
    ("seed", "number"),
    [(50, 287), (51, 735), (51, 1165), (51, 1716), (51, 2185), (52, 1838), (61, 2174), (71, 71), (6, 1112), (6, 3136)],
)
def test_random_inputs_keep_no_less_for_more(seed: int, number: int) -> None:
    """Of bases, grids and quantisers that a quality, an SNR or a rate might choose for a small file."""
    case = case_of(seed, number)
    assert judge(outcome_of_case(Caufc(), case))["monotone"] == []


@pytest.mark.parametrize(("seed", "number"), [(60, 806), (60, 926)], ids=["small", "larger"])
def test_rates_are_met_where_plans_leap(seed: int, number: int) -> None:
    """Over eight octaves of steps, or where coarser steps take more bytes."""
    case = case_of(seed, number)
    verdicts = judge(outcome_of_case(Caufc(), case))
    assert verdicts["bpfp"] == [] and verdicts.get("bpfp-reach", []) == []


@pytest.mark.parametrize("number", [1444, 2310])
def test_medium_is_tried_on_what_is_coded(number: int) -> None:
    """On enough vectors of one value, and with the scales that tokens will have."""
    case = case_of(3, number)
    assert judge(outcome_of_case(Caufc(), case))["medium"] == []


@pytest.mark.parametrize("number", [1783, 4718])
def test_zeros_beside_masks_stay_what_they_are(number: int) -> None:
    case = case_of(3, number)
    assert judge(outcome_of_case(Caufc(), case))["outlier"] == []


@pytest.mark.parametrize("number", [9867, 11138, 15491])
def test_a_rate_that_side_information_exceeds_gives_the_smallest_file(number: int) -> None:
    case = case_of(1, number)
    data, least = (
        caufc.encode(case.features, **options) for options in (case.asked, {**case.options, "bpfp": LEAST_RATE})
    )
    longer_control = len("b.2568435") - len("b1e-6")
    assert len(data) <= len(least) + longer_control + 1, "and where the index starts may take a byte more"


@pytest.mark.parametrize(("place", "wanted"), [("token", 40.0), ("tokens", 52.0), ("sample", 39.0)])
@pytest.mark.parametrize("seed", range(3))
def test_outliers_have_the_snr_among_themselves(place: str, wanted: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, _, others = with_outliers(rng, KINDS["low rank"](rng, Extent(6, (12,), 9)), place, 1e4)
    decoded = caufc.decode(caufc.encode(values.astype("f4"), layout="b n c", snr=wanted)).astype(float)
    for part in (others, ~others):
        assert snr_db(values[part], decoded[part] - values[part]) >= wanted - 0.02


@pytest.mark.parametrize("seed", range(3))
def test_outlying_channels_hide_no_errors_of_a_token(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, _, others = with_outliers(rng, KINDS["relu"](rng, Extent(1, (24,), 38)), "channels", 4e3)
    values = values.astype("f4")
    decoded = caufc.decode(caufc.encode(values, layout="b n c", snr="36/token"))
    rest, error = (np.where(others, part, 0)[0].astype(float) for part in (values, decoded - values))
    assert token_snrs_db(rest, error)[rest.any(axis=1)].min() >= 36 - 0.02


def test_layouts_of_random_values_are_mostly_the_usual_ones() -> None:
    """Few values seem cheaper in one layout or the other by chance."""
    found = Counter(
        str(encode_to(Nowhere(), values_of("relu", Extent(17, (10,), 45), seed)).tensors[0].layout)  # type: ignore[arg-type]
        for seed in range(16)
    )
    assert found["b n c"] > 2 * (found.total() - found["b n c"])


class Nowhere:
    """Takes bytes and drops them."""

    def write(self, data: bytes) -> int:
        return len(data)


def ladder(errors: dict[float, float]) -> GainLadder:
    """A ladder whose gains in octaves have errors in dB below 0, and 60 beyond."""

    def figures(_: QuantizerKind, gain: float) -> Figures:
        level = errors.get(round(math.log2(gain), 3), 60.0 if gain < 1 else 0.0)
        return Figures(10 ** (-level / 10), 10 ** (-level / 10), level)

    return GainLadder(lambda _: "plain", figures)


def test_a_rung_is_no_worse_than_coarser_ones() -> None:
    """A coarse gain that keeps 30 dB by chance serves all goals up to that, and finer ones keep more."""
    rungs = ladder({0.5: 5.0, 0.25: 30.0, 0.125: 12.0, 0.0625: 20.0, 0.0: 33.0})
    found = [rungs.gain_for(Goal(10 ** (-wanted / 10)), 1.0)[0] for wanted in (4.0, 11.0, 19.0, 29.0, 31.0)]
    assert found == [2**0.5, 2**0.25, 2**0.25, 2**0.25, 1.0]


def test_a_quantiser_changes_once_on_a_ladder() -> None:
    asked: list[float] = []

    def kind(gain: float) -> QuantizerKind:
        asked.append(gain)
        return "plain" if gain > 2 else "dependent"

    rungs = GainLadder(kind, lambda _, gain: Figures(gain**2, gain**2, -20 * math.log10(gain)))
    found = {rungs.gain_for(Goal(2.0**octave), 1.0)[1] for octave in (-2, 0, 1)}
    assert found == {"dependent"} and rungs.gain_for(Goal(2.0**6), 1.0)[1] == "plain" and len(asked) < 20
