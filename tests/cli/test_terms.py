"""Remedies name options as their reader has them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError
from caufc.terms import NAMES, SWITCHES, in_python

from .conftest import Run


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("use --lossless", "use lossless=True"),
        ("give one with --layout, such as 'b n c'", "give one with layout=, such as 'b n c'"),
        ("set it apart, as in --layout 'b (1 + n) c'", "set it apart, as in layout='b (1 + n) c'"),
        ("use --nonfinite keep to carry them", "use nonfinite='keep' to carry them"),
        ("use --quality, --bpfp, or --codec transform", "use quality=, bpfp=, or codec='transform'"),
        ("give it with --profile FILE", "give it with profile=..."),
        ("leave out --no-embed-profile", "leave out embed_profile=False"),
        ("raise it with --limit chunk_tokens=N", "raise it with limits=Limits(chunk_tokens=N)"),
        ("give --data DIR, --classes FILE", "give --data DIR, --classes FILE"),
        ("a - b -- c", "a - b -- c"),
    ],
)
def test_python_reads_arguments(written: str, told: str) -> None:
    assert in_python(written) == told
    error = CaufError("no", remedy=written)
    assert (error.remedy, error.command_remedy) == (told, written)
    assert str(error) == f"no; {told}" and error.for_command() == f"no; {written}"


def test_they_are_arguments() -> None:
    known = {name for verb in (caufc.encode, caufc.decode, caufc.save) for name in inspect.signature(verb).parameters}
    assert {name.replace("-", "_") for name in NAMES} <= known
    assert {text.partition("=")[0] for text in SWITCHES.values()} <= known


def test_the_same_failure_for_both(run: Run) -> None:
    values = np.ones((50, 8), "f4")
    values[3, 3] = np.nan
    np.save("x.npy", values)
    with pytest.raises(caufc.NonFiniteError, match=r"use nonfinite='keep' to carry them exactly$"):
        caufc.encode(values)
    assert run("encode", "x.npy", "-o", "x.cauf").err.endswith("use --nonfinite keep to carry them exactly\n")


def test_warnings_of_reports(run: Run) -> None:
    values = np.random.default_rng(0).standard_normal((400, 64)).astype("f4")
    np.save("x.npy", values)
    (warning,) = caufc.save("y.cauf", values, truncate=(-0.2, 0.2), align="min-max").warnings
    assert warning.endswith("use a higher quality=, or snr=")
    ran = run("encode", "x.npy", "-o", "x.cauf", "--truncate=-0.2,0.2", "--align", "min-max")
    assert "use a higher --quality, or --snr" in ran.err
