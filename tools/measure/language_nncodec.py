"""NNCodec on a language model's features, in a process of an environment of its own: it needs numpy below 2."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.evaluate.feature_file import FeatureFile
from caufc.evaluate.rivals.nncodec import NNCODEC
from caufc.evaluate.worker import CodingJob
from tools.measure.language_model import Features, tokens
from tools.measure.language_rivals import Coded
from tools.measure.machine import ROOT

__all__ = ["nncodec", "nncodec_missing"]

FORMAT = "<f4"
"""Of the deviations that are stored beside the codes."""


def nncodec_missing(python: str) -> str | None:
    """Why NNCodec cannot run in an interpreter; None if it can."""
    done = _run(python, "-c", "import nncodec.tensor, caufc.evaluate.worker")
    return None if done.returncode == 0 else "not installed in the interpreter of --nncodec"


def nncodec(features: Features, octaves: float, python: str) -> Coded:
    """All tensors as one matrix of tokens ``[N, C]``, each divided by its deviation, so that steps are in its units.

    Args:
        features: to code.
        octaves: the step is the deviation over ``2 ** octaves``.
        python: interpreter with NNCodec.

    Raises:
        RuntimeError: if it fails.
    """
    rows = {name: tokens(np.asarray(part, np.float32)) for name, part in features.items()}
    scales = {name: np.float32(part.std(dtype=np.float64) or 1) for name, part in rows.items()}
    matrix = np.concatenate([part / scales[name] for name, part in rows.items()])
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npy", Path(folder) / "found.npy"
        FeatureFile.of(matrix, "b c").save(given)
        job = CodingJob(str(given), str(found), NNCODEC.key, {"octaves": octaves}, {})
        done = _run(python, "-m", "caufc.evaluate.worker", text=json.dumps(asdict(job)))
        answer: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr[-500:]}
        if "error" in answer:
            raise RuntimeError(f"NNCodec: {answer['error']}")
        back = FeatureFile.load(found).samples
    ends = np.cumsum([len(part) for part in rows.values()])[:-1]
    parts = dict(zip(rows, np.split(back, ends), strict=True))
    restored = {name: _like(parts[name] * scales[name], part) for name, part in features.items()}
    return answer["bytes"] + len(scales) * np.dtype(FORMAT).itemsize, restored


def _like(rows: NDArray[Any], part: NDArray[Any]) -> NDArray[Any]:
    """Tokens as the tensor that they come from: the inverse of ``tokens``."""
    if part.ndim == 3:
        return rows.reshape(part.shape)
    batch, heads, count, width = part.shape
    return rows.reshape(batch, count, heads, width).transpose(0, 2, 1, 3)


def _run(python: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [python, *arguments], input=text, capture_output=True, text=True, env=environment, check=False
    )
