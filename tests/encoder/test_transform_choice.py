"""Which transforms, steps and efforts an encoder chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.codec.transform.grids import Geometry
from caufc.codec.transform.parameters import BASIS, Parameters
from caufc.coders.sections import NUMBERS
from caufc.encoder.effort import EFFORTS, Effort
from caufc.encoder.importance import Importance, flat_importance, flat_steps
from caufc.encoder.transform_judge import TransformJudge
from caufc.encoder.transforms import choose_transforms
from caufc.errors import OptionError

from .test_rate_control import snr


def mixed(tokens: int, channels: int, rank: int) -> NDArray[np.float32]:
    """Dense tokens of a few directions, and some noise."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((tokens, rank)) @ rng.standard_normal((rank, channels))
    return (values + 0.05 * rng.standard_normal((tokens, channels))).astype(np.float32)


def chosen(
    values: Any, geometry: Geometry, step: float, total: float = 1e8, importance: Importance | None = None, **more: Any
) -> Any:
    return choose_transforms(values, geometry, step, total, importance or flat_importance(), **more)


def test_correlated_channels_get_a_basis() -> None:
    values = mixed(4096, 32, 4)
    found = chosen(values, Geometry(((64,),) * 64, 0), 0.5)
    assert found.basis is not None and len(found.basis.codes) < 32


def test_a_basis_is_the_longer_the_less_errors_weigh() -> None:
    rng = np.random.default_rng(0)
    deviations = np.array([8.0, 4.0, 2.0, 1.0])
    values = (rng.standard_normal((4096, 4)) * deviations).astype(np.float32)
    values = values @ np.linalg.qr(rng.standard_normal((4, 4)))[0].astype(np.float32)
    found = chosen(values, Geometry(((64,),) * 64, 0), 0.1, importance=Importance(flat_steps(), 0.5))
    lengths = np.linalg.norm(found.basis.values(), axis=1)
    np.testing.assert_allclose(lengths[1:] / lengths[:-1], np.sqrt(2), rtol=0.05)


@pytest.mark.parametrize("wanted", [23, 24, 25, 26, 27])
def test_coarse_codes_of_a_short_basis_leave_an_snr_in_reach(wanted: float) -> None:
    """What its vectors miss, no step brings back: the file would be the one without loss."""
    rng = np.random.default_rng(11)
    fields = rng.standard_normal((4, 14, 14, 42))
    for axis in (1, 1, 2, 2):
        fields = (np.roll(fields, 1, axis) + 2 * fields + np.roll(fields, -1, axis)) / 4
    maps = fields @ rng.standard_normal((42, 128)) + 0.05 * rng.standard_normal((4, 14, 14, 128))
    data = caufc.encode(maps.reshape(4, 196, 128).astype("f4"), layout="b (h w) c", snr=wanted)
    assert len(data) < 0.05 * 4 * maps.size


@pytest.mark.parametrize("control", [{"quality": 82}, {"quality": 90}, {"snr": 48}, {"snr": 60}], ids=str)
def test_the_finest_codes_of_a_short_basis_leave_high_rates_in_reach(control: dict[str, Any]) -> None:
    """What codes of few bits miss of large directions is more than what a high rate may miss of all."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((128, 128)))[0] * np.exp(-np.arange(128) / 8)[:, None]
    values = (rng.standard_normal((800, 128)) @ directions).astype("f4")
    assert len(caufc.encode(values, layout="b c", **control)) < 0.25 * values.nbytes


def test_a_basis_must_pay_for_its_bytes() -> None:
    values = mixed(4096, 32, 4)
    assert chosen(values, Geometry(((64,),) * 64, 0), 1000.0, total=values.size).basis is None


def test_a_basis_is_as_coarse_as_it_may_be() -> None:
    """Vectors that code little need few bits, in a small file fewer; a profile's serve files of any size."""
    values = mixed(4096, 32, 12)
    geometry = Geometry(((64,),) * 64, 0)
    fine = chosen(values, geometry, 1.0, total=values.size, embedded=False).basis
    coarse = chosen(values, geometry, 1.0, total=values.size / 16).basis
    large = chosen(values, geometry, 1.0, total=1e9).basis
    largest = [np.abs(basis.codes.astype(int)).max(axis=1) for basis in (coarse, fine, large)]
    assert largest[1].min() > 60
    assert largest[0].mean() < largest[2].mean() <= largest[1].mean()
    assert largest[0][0] >= largest[0][-1]


@pytest.mark.parametrize("quality", [20, 40])
def test_a_coarse_basis_loses_little(quality: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes that miss much of a strong direction would spill it over all others."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((96, 96)))[0]
    values = ((rng.standard_normal((4096, 96)) * np.geomspace(50, 0.2, 96)) @ directions).astype(np.float32)
    coarse = caufc.encode(values, layout="n c", quality=quality)
    monkeypatch.setattr(TransformJudge, "coarser", lambda judge, principal, choice: choice)
    fine = caufc.encode(values, layout="n c", quality=quality)
    assert len(coarse) < len(fine) - 500
    assert snr(caufc.decode(coarse), values) > snr(caufc.decode(fine), values) - 0.5


@pytest.mark.parametrize("shared", [True, False])
def test_groups_that_have_much_in_common_share_a_basis(shared: bool) -> None:
    """Heads of a cache are seldom independent; a basis of each is smaller, and as good where they are."""
    values = mixed(4096, 32, 8) if shared else np.concatenate([mixed(4096, 16, 8), mixed(4096, 16, 8)[::-1]], axis=1)
    found = chosen(values, Geometry(((64,),) * 64, 0), 0.5, total=4e5, groups=(2, 1))
    assert (found.basis.ranks is None) == shared


def test_every_one_of_many_tensors_has_a_basis() -> None:
    """The sample is shared among tensors, but not so that each has too few tokens to know its directions."""
    values = mixed(1200, 96, 12).reshape(4, 300, 96)
    alone = len(caufc.encode({"0": values}, layout="b n c"))
    together = caufc.encode({str(number): values for number in range(12)}, layout="b n c")
    assert len(together) < 1.005 * 12 * alone


def test_smooth_grids_get_frequencies() -> None:
    y, x = np.mgrid[0:8, 0:8]
    phases = np.random.default_rng(0).uniform(0, 6, (64, 1, 16))
    smooth = np.sin((y + x).reshape(1, 64, 1) / 4 + phases).reshape(-1, 16).astype(np.float32)
    assert chosen(smooth, Geometry(((8, 8),) * 64, 0), 0.1).spectral


def test_sparse_maps_are_not_forced_through_transforms() -> None:
    rng = np.random.default_rng(0)
    sparse = (rng.standard_normal((4096, 16)) * (rng.random((4096, 16)) < 0.03)).astype(np.float32)
    found = chosen(sparse, Geometry(((8, 8),) * 64, 0), 0.1)
    assert not found.spectral and found.basis is None


def test_a_massive_channel_costs_bits_only_where_it_is() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((64, 65, 48)).astype(np.float32)
    massive = values.copy()
    massive[:, 0, 7] *= 1e4
    plain, with_outliers = (len(caufc.encode(x, layout="b (1 + h w) c", quality=50)) for x in (values, massive))
    assert with_outliers < 1.03 * plain + 64 * 4
    decoded = caufc.decode(caufc.encode(massive, layout="b (1 + h w) c", quality=50))
    rest = np.ones(48, bool)
    rest[7] = False
    error = ((decoded - massive)[:, :, rest] ** 2).mean()
    assert error < 0.1


@pytest.mark.parametrize("effort", EFFORTS)
def test_every_effort_decodes(effort: str, minilm: Any) -> None:
    decoded = caufc.decode(caufc.encode(minilm, effort=effort, snr=20))
    assert snr(decoded, minilm) >= 20


def test_efforts_are_known_by_name() -> None:
    assert Effort.named("best").sample_values > Effort.named("fast").sample_values
    with pytest.raises(OptionError, match="fast, default, best"):
        Effort.named("more")


def test_steps_of_a_file_follow_its_sections(efficientnet: Any) -> None:
    assert NUMBERS[BASIS] == 8 and Parameters(1.0).to_fields() == (1.0, 0, 0, 0)
    assert len(caufc.encode(efficientnet, quality=20)) < len(caufc.encode(efficientnet, quality=60))


def test_tables_are_made_on_enough_tokens_for_every_channel() -> None:
    default = Effort.named("default")
    assert default.tables_of(64) == default.table_values < default.sample_values
    assert default.tables_of(1280) >= 1024 * 1280


@pytest.mark.parametrize("noise", [1e-3, 1e-5])
@pytest.mark.parametrize("rank", [2, 3, 4])
def test_a_small_file_of_few_directions_has_a_basis_that_reaches_high_qualities(rank: int, noise: float) -> None:
    """The codes of few vectors miss what 8 bits do; all vectors together miss nothing."""
    rng = np.random.default_rng(rank)
    values = rng.standard_normal((280, rank)) @ rng.standard_normal((rank, 19)) + noise * rng.standard_normal((280, 19))
    sizes = [len(caufc.encode(values.reshape(7, 40, 19), layout="b n c", quality=quality)) for quality in (75, 81, 88)]
    assert sizes[2] < 4 * sizes[0]
    assert 8 * sizes[2] < values.nbytes
    assert sizes == sorted(sizes)
