"""Lists and tuples that are one output of a network, and those that are samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import caufc
from caufc.features import to_source
from caufc.features.outputs import is_one_output


def zeros(*shapes: tuple[int, ...]) -> list[Any]:
    return [np.zeros(shape, np.float32) for shape in shapes]


def pairs(*shapes: tuple[int, ...]) -> list[Any]:
    return [(np.ones(shape, np.float32), np.ones(shape, np.float32)) for shape in shapes]


OUTPUTS = {
    "layers of hidden states": tuple(zeros(*[(2, 7, 8)] * 13)),
    "layers of one text": tuple(zeros(*[(1, 7, 8)] * 3)),
    "attention of layers": tuple(zeros(*[(2, 4, 7, 7)] * 3)),
    "a cache": tuple(pairs(*[(2, 3, 7, 8)] * 4)),
    "a cache as a list": pairs(*[(1, 3, 7, 8)] * 4),
    "a cache with windows": tuple(pairs((1, 3, 7, 8), (1, 3, 5, 8))),
    "a pyramid": zeros((1, 8, 16, 16), (1, 16, 8, 8), (1, 32, 4, 4)),
    "a pyramid of a batch": tuple(zeros((3, 8, 16, 16), (3, 16, 8, 8))),
    "a pyramid, channels last": zeros((2, 16, 16, 8), (2, 8, 8, 16), (2, 4, 4, 32)),
    "a pyramid of tokens": zeros((2, 256, 8), (2, 64, 16), (2, 16, 32)),
    "a pyramid, channels before tokens": zeros((2, 8, 256), (2, 16, 64), (2, 32, 16)),
}

SAMPLES = {
    "nothing": [],
    "a list of layers": zeros(*[(2, 7, 8)] * 13),
    "texts": zeros((5, 8), (7, 8), (9, 8)),
    "a tuple of texts": tuple(zeros((5, 8), (5, 8))),
    "square maps": tuple(zeros((9, 7, 7), (9, 7, 7))),
    "square maps, channels last": tuple(zeros((7, 7, 9), (7, 7, 9))),
    "maps of any size": zeros((9, 7, 12), (9, 8, 10), (9, 12, 7)),
    "two maps": zeros((9, 8, 12), (9, 12, 8)),
    "caches of texts": pairs((1, 3, 7, 8), (1, 3, 5, 8)),
    "dicts": [{"x": part} for part in zeros((1, 8, 16, 16), (1, 16, 8, 8))],
    "batches of one": zeros((1, 7, 8), (1, 9, 8)),
    "pairs of vectors": [tuple(zeros((8,), (8,)))] * 3,
    "ranks that differ": zeros((2, 3, 4), (2, 3, 4, 5)),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_one_output(name: str) -> None:
    features = OUTPUTS[name]
    assert is_one_output(features)
    source = to_source(features)
    count = len(features) * (2 if "cache" in name else 1)
    first = features[0][0] if "cache" in name else features[0]
    assert (source.structure.kind, len(source.tensors), source.samples) == ("batch", count, first.shape[0])


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str) -> None:
    assert not is_one_output(SAMPLES[name])


@pytest.mark.parametrize("name", ["a cache", "a pyramid", "layers of hidden states"])
def test_one_output_comes_back(name: str) -> None:
    back = caufc.decode(caufc.encode(OUTPUTS[name], lossless=True))
    assert type(back) is type(OUTPUTS[name])
    assert len(back) == len(OUTPUTS[name])
    assert type(back[0]) is type(OUTPUTS[name][0])


def test_layouts_decide_whether_an_output_has_samples() -> None:
    features = OUTPUTS["layers of hidden states"]
    assert to_source(features, {"*": "b n c"}).samples == 2
    assert (to_source(features, {"*": "t n c"}).structure.kind, to_source(features, {"*": "t n c"}).samples) == (
        "single",
        1,
    )
