"""Fixtures of all tests: the real features that ship with the package."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caufc.features import read

# Before torch is imported: threads of several workers get in each other's way.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Processes that tests start find the package compiled, and need not compile it again each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

FIRST_STATES = pytest.StashKey[dict[int, Any]]()
DEMO = Path(str(resources.files("caufc"))) / "data" / "demo"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A module's random generators start anew for every test, so that no test's values depend on what ran before."""
    states = item.config.stash.setdefault(FIRST_STATES, {})
    for value in list(vars(getattr(item, "module", pytest)).values()):
        if isinstance(value, np.random.Generator):
            value.bit_generator.state = states.setdefault(id(value), value.bit_generator.state)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes, one runs all tests of a file: no second one makes what they share."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(scope="session")
def efficientnet() -> NDArray[np.float32]:
    """A sparse map behind a ReLU6, ``[1, 1280, 7, 7]``."""
    features: Any = read(DEMO / "efficientnet_lite0_last.safetensors")
    array: NDArray[np.float32] = features["last"].read()
    array.setflags(write=False)
    return array


@pytest.fixture(scope="session")
def minilm() -> list[NDArray[np.float32]]:
    """Dense hidden states of 14 texts, ``[T, 384]`` each."""
    features: Any = read(DEMO / "minilm_hidden3.safetensors")
    arrays = [leaf.read() for leaf in features.values()]
    for array in arrays:
        array.setflags(write=False)
    return arrays
