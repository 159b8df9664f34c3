"""The rivals of an evaluation: each gives back what it can hold, closer the more bytes it takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caufc.errors import OptionError, UnknownNameError
from caufc.evaluate.feature_file import FeatureFile
from caufc.evaluate.rivals.base import RivalFamily, RivalInputs
from caufc.evaluate.rivals.kvtc import allocate
from caufc.evaluate.rivals.registry import FAMILIES, RIVAL_NAMES, find_families, find_rivals
from caufc.evaluate.worker import snr_db

GENERATOR = np.random.default_rng(0)
MIXING = GENERATOR.standard_normal((16, 16)) * np.geomspace(4, 0.05, 16)


def tokens(*lengths: int) -> list[np.ndarray]:
    """Correlated channels of different power, as features have them."""
    return [(GENERATOR.standard_normal((length, 16)) @ MIXING.T).astype(np.float32) for length in lengths]


RAGGED = FeatureFile.of(tokens(60, 20, 90), "n c")
MAPS = FeatureFile.of(np.stack([part.T.reshape(16, 5, 6) for part in tokens(30, 30, 30)]), "b c h w")


@pytest.mark.parametrize("features", [RAGGED, MAPS], ids=["ragged", "maps"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_more_bytes_are_closer(family: RivalFamily, features: FeatureFile) -> None:
    if family.missing():
        pytest.skip(family.missing() or "")
    found = []
    for value in (family.sweep.values[-1], family.sweep.values[len(family.sweep.values) // 2]):
        for rival in family.make({family.sweep.option: value}, RivalInputs(RAGGED.tokens)):
            data = rival.encode(features.arrays, features.spec)
            back = rival.decode(data, features.spec, np.dtype("<f4"))
            again = features.like(back[0] if features.batch else back)
            assert [part.shape for part in again.arrays] == [part.shape for part in features.arrays]
            found.append((value, len(data), snr_db(features, again)))
    best, other = found[0], found[-1]
    assert best[2] is not None and best[2] > 12
    if other[0] != best[0]:
        assert other[1] < best[1] and other[2] is not None and other[2] < best[2]


def test_names() -> None:
    assert [family.key for family in find_families(["sz3", "int"])] == ["sz3", "int"]
    with pytest.raises(UnknownNameError, match="unknown rival 'sz'; did you mean 'sz3'"):
        find_families(["sz"])
    with pytest.raises(OptionError, match="rival 'int' is named twice"):
        find_families(["int", "int"])


def test_one_registry_serves_bench_and_evaluate() -> None:
    assert RIVAL_NAMES == ("int2", "int3", "int4", "int5", "int6", "int7", "int8", "fp16")
    assert {name for family in FAMILIES for name in family.named} == set(RIVAL_NAMES)
    for name, variants in zip(RIVAL_NAMES, find_rivals(RIVAL_NAMES), strict=True):
        assert {variant.kind for variant in variants} == {name}


def test_bits_go_where_the_error_is() -> None:
    assert allocate(np.array([16.0, 1.5, 1e-9]), 3).tolist() == [2, 1, 0]
    assert allocate(np.array([1.0, 1.0]), 0.1).tolist() == [1, 0]


def test_eight_points_and_more() -> None:
    """A curve needs them; what has one setting is a point, and faiss has four scalar quantisers."""
    curves = [family for family in FAMILIES if len(family.sweep.values) > 1 and family.key != "faiss-sq"]
    assert len(curves) > 6
    assert all(len(family.sweep.values) >= 7 for family in curves)


def test_the_page_lists_every_family() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "evaluate.md").read_text("utf-8")
    assert [family.key for family in FAMILIES if f"`{family.key}`" not in page] == []
