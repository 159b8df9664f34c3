"""Options for tensors by name, prefix and pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import caufc
from caufc.errors import UnknownNameError
from caufc.tensor_patterns import for_tensor, unmatched

GIVEN = {"*": 0, "hidden_states": 1, "hidden_states.1*": 2, "hidden_states.12": 3, "layer.*.keys": 4, "x[0]": 5}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_states.12", 3),
        ("hidden_states.13", 2),
        ("hidden_states.2", 1),
        ("hidden_states", 1),
        ("hidden_states_2", 0),
        ("layer.7.keys", 4),
        ("layer.7.values", 0),
        ("x[0]", 5),
        ("x0", 5),
        ("", 0),
    ],
)
def test_the_most_specific_counts(name: str, value: int) -> None:
    assert for_tensor(GIVEN, name) == value


def test_names_alone() -> None:
    assert for_tensor(GIVEN, "hidden_states.13", patterns=False) is None
    assert for_tensor({}, "x") is None


def test_what_fits_nothing() -> None:
    assert unmatched(["*", "a", "b.*", "c"], ["a", "b.1", "c.d"]) is None
    assert unmatched(["a", "b.*"], ["a", "b"]) == "b.*"


def layers() -> Any:
    values = np.random.default_rng(0).normal(size=(3, 12, 8)).astype("f4")
    return {"hidden_states": tuple(values + i for i in range(3)), "last": values, "ids": np.arange(36).reshape(3, 12)}


@pytest.mark.parametrize("name", ["hidden_states", "hidden_states.*", "hidden_states.[0-2]", "hidden*"])
def test_layouts_by_prefix_and_pattern(name: str) -> None:
    data = caufc.encode(layers(), layout={name: "b c n", "*": "b n c"}, snr=20)
    found = {tensor["name"]: tensor["layout"] for tensor in caufc.inspect(data).tensors}
    assert found == {**{f"hidden_states.{i}": "b c n" for i in range(3)}, "last": "b n c", "ids": None}


def test_an_unknown_pattern_names_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"'hiden_states\.0'; did you mean 'hidden_states\.0'\? known: hidden_s"):
        caufc.encode(layers(), layout={"hiden_states.0": "b n c"})
    with pytest.raises(UnknownNameError, match=r"unknown tensor 'lst\*'; did you mean 'last'\?"):
        caufc.encode(layers(), align={"lst*": "none"})


def test_many_names_are_not_all_listed() -> None:
    with pytest.raises(UnknownNameError, match=r"k19, and 80 more$"):
        caufc.encode({f"k{i}": np.ones((2, 3), "f4") for i in range(100)}, layout={"zzzzzzzz": "b c"})
