"""Task-aware profiles: what a network does not look at costs nothing, what it looks at stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.align import LayoutAligner
from caufc.errors import InputError
from caufc.fit import task_aware
from caufc.fit.network_tail import NetworkTail
from caufc.fit.profile import fit_profile
from caufc.fit.remainder import RemainderMaker
from caufc.fit.sensitivity import measure_sensitivity
from caufc.layouts import Layout

torch = pytest.importorskip("torch")

SAMPLES, CHANNELS, SIDE, CLASSES = 240, 12, 6, 4


@pytest.fixture(scope="module")
def maps() -> NDArray[np.float32]:
    """Dense maps ``[B, 12, 6, 6]`` whose channels are mixtures, and whose means differ."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((CHANNELS, CHANNELS))
    values = rng.standard_normal((SAMPLES, CHANNELS, SIDE, SIDE)) + 2 * rng.standard_normal((SAMPLES, CHANNELS, 1, 1))
    mixed: NDArray[np.float32] = np.einsum("cd,bdhw->bchw", mixing, values).astype(np.float32)
    return mixed


@pytest.fixture(scope="module")
def weight() -> Any:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((CHANNELS, CLASSES)).astype(np.float32))


@pytest.fixture(scope="module")
def pooled(weight: Any) -> Any:
    """A head on the mean over positions: it sees four directions of one frequency."""
    return lambda features: features.mean((2, 3)) @ weight


def agreement(resume: Any, one: Any, other: Any) -> float:
    tops = [resume(torch.as_tensor(part)).argmax(1).numpy() for part in (one, other)]
    return float((tops[0] == tops[1]).mean())


def test_only_what_the_network_sees_is_coded(maps: Any, pooled: Any, tmp_path: Path) -> None:
    fit, test = maps[::2], maps[1::2]
    profile = tmp_path / "p.caufp"
    profile.write_bytes(fit_profile(fit, resume=pooled))
    aware = caufc.encode(test, profile=profile, embed_profile=False)
    blind = caufc.encode(test)
    assert len(aware) < len(blind) / 10
    assert agreement(pooled, test, caufc.decode(aware, profile=profile)) >= 0.95


def test_higher_qualities_agree_on_all(maps: Any, pooled: Any, tmp_path: Path) -> None:
    profile = tmp_path / "p.caufp"
    profile.write_bytes(fit_profile(maps, resume=pooled))
    sizes = []
    for quality in (20, 50, 90):
        data = caufc.encode(maps, profile=profile, quality=quality, embed_profile=False)
        sizes.append(len(data))
    assert sizes == sorted(sizes)
    assert agreement(pooled, maps, caufc.decode(data, profile=profile)) >= 0.99


def test_an_embedded_profile_decodes_alone(maps: Any, pooled: Any, tmp_path: Path) -> None:
    profile = tmp_path / "p.caufp"
    profile.write_bytes(fit_profile(maps, resume=pooled))
    assert agreement(pooled, maps, caufc.decode(caufc.encode(maps, profile=profile))) >= 0.97


def test_equal_seeds_make_equal_profiles(maps: Any, pooled: Any) -> None:
    assert fit_profile(maps[:40], resume=pooled) == fit_profile(maps[:40], resume=pooled)


def test_values_keep_20_db(maps: Any, weight: Any, tmp_path: Path) -> None:
    def resume(features: Any) -> Any:
        return torch.einsum("bchw,ck->bkhw", features, weight)

    profile = tmp_path / "p.caufp"
    profile.write_bytes(fit_profile(maps, resume=resume))
    decoded = caufc.decode(caufc.encode(maps, profile=profile), profile=profile)
    before, after = (resume(torch.as_tensor(part)).numpy() for part in (maps, decoded))
    assert 10 * np.log10((before**2).sum() / ((before - after) ** 2).sum()) > 19


def test_ragged_texts(tmp_path: Path, weight: Any) -> None:
    rng = np.random.default_rng(2)
    texts = [torch.from_numpy(rng.standard_normal((n, CHANNELS)).astype(np.float32)) for n in (5, 9, 5, 70, 9, 3) * 8]

    def resume(features: Any) -> Any:
        return features.mean(1) @ weight

    profile = tmp_path / "p.caufp"
    profile.write_bytes(fit_profile(texts, resume=resume))
    data = caufc.encode(texts, profile=profile, embed_profile=False)
    assert len(data) < len(caufc.encode(texts)) / 3
    decoded = caufc.decode(data, profile=profile)
    same = [int(resume(a[None]).argmax() == resume(b[None]).argmax()) for a, b in zip(texts, decoded, strict=True)]
    assert np.mean(same) >= 0.95


def test_sensitivity_finds_the_directions_and_the_frequency(maps: Any, pooled: Any, weight: Any) -> None:
    found = measure_sensitivity(NetworkTail(pooled), list(maps[:50]), RemainderMaker(LayoutAligner(Layout("c h w"))))
    assert found.moments[0].max() > 0.1 and found.moments[1:].max() < 1e-12
    values, vectors = np.linalg.eigh(found.moments[0])
    assert (values[: CHANNELS - CLASSES] < 1e-5 * values[-1]).all()
    spanned = vectors[:, CHANNELS - CLASSES :]
    outside = weight.numpy() - spanned @ (spanned.T @ weight.numpy())
    centred = outside - outside.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, 0, atol=1e-4)


@pytest.mark.parametrize(
    ("resume", "message"),
    [
        (lambda features: torch.zeros(len(features), 3, requires_grad=True), "does not depend"),
        (lambda features: features.sum(), "no output for each"),
    ],
)
def test_networks_that_cannot_be_fitted(maps: Any, resume: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_profile(maps[:8], resume=resume)


def test_several_tensors_have_no_one_tail(maps: Any, pooled: Any) -> None:
    with pytest.raises(InputError, match="one tensor"):
        fit_profile({"a": maps[:8], "b": maps[:8]}, resume=pooled)


def test_candidates_are_compared_at_all_marks() -> None:
    """The cheapest where hardly any prediction changes may be dear where some do."""

    def trials(*bits: float) -> list[task_aware._Trial]:
        return [task_aware._Trial(0.0, 0, each, mark, mark) for each, mark in zip(bits, task_aware.MARKS, strict=True)]

    assert task_aware._cheapest({"steep": trials(90, 70, 60), "flat": trials(100, 70, 50)}) == "flat"
