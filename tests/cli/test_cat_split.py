"""``caufc cat`` and ``split``: chunks go from file to file, and no value changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

from .conftest import Run, names

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(24, 64))


def tokens(*shape: int) -> Any:
    return (RNG.normal(size=(*shape, 24)) @ MIXING).astype("f4")


@pytest.fixture
def whole() -> bytes:
    """A hundred samples in fifteen chunks, with a basis and tables of their own."""
    features = {"x": tokens(100, 20), "n": np.arange(100), "text": [f"text {n}" for n in range(100)]}
    data = caufc.encode(features, chunk=7, meta={"run": "7"})
    Path("whole.cauf").write_bytes(data)
    return data


@pytest.mark.parametrize(("option", "samples"), [("--parts=4", [28, 21, 28, 23]), ("--samples=30", [35, 35, 30])])
def test_what_is_split_is_joined_to_the_same_bytes(
    run: Run, folder: Path, whole: bytes, option: str, samples: list[int]
) -> None:
    ran = run("split", "whole.cauf", option, "-o", "parts", "--json")
    assert (ran.code, ran.err) == (0, "")
    parts = json.loads(ran.out)["parts"]
    assert [part["samples"] for part in parts] == samples
    assert names(folder / "parts") == [f"whole-{number:05d}.cauf" for number in range(len(samples))]
    for part in parts:
        assert caufc.verify(part["output"], deep=True).samples == part["samples"]
        assert Path(part["output"]).stat().st_size == part["bytes"]
    ran = run("cat", "parts", "-o", "again.cauf")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{len(samples)} files -> again.cauf: 100 samples in 15 chunks, ")
    assert Path("again.cauf").read_bytes() == whole


@pytest.mark.usefixtures("whole")
def test_parts_are_beside_the_file(run: Run, folder: Path) -> None:
    ran = run("split", "whole.cauf", "--parts", "2")
    assert ran.out.splitlines()[0].startswith("whole-00000.cauf: 49 samples, ")
    assert names(folder) == ["whole-00000.cauf", "whole-00001.cauf", "whole.cauf"]
    assert run("split", "whole.cauf", "--parts", "2").err == "caufc: whole-00000.cauf: exists already; use --force\n"
    assert run("split", "whole.cauf", "--parts", "2", "-f").code == 0


def test_what_split_refuses(run: Run, whole: bytes) -> None:
    assert run("split", "whole.cauf").code == 2
    assert run("split", "whole.cauf", "--parts", "2", "--samples", "3").code == 2
    ran = run("split", "whole.cauf", "--parts", "16")
    assert (ran.code, ran.err) == (
        2,
        "caufc: whole.cauf: has 15 chunks, too few for 16 parts; encode with a smaller --chunk\n",
    )
    Path("cut.cauf").write_bytes(whole[:-9])
    assert run("split", "cut.cauf", "--parts", "2").code == 3
    assert run("split", "none.cauf", "--parts", "2").code == 1


def test_lossless_files_are_joined(run: Run) -> None:
    lists: list[Any] = [[np.arange(n, dtype="i4") for n in (3, 4)], [np.arange(n, dtype="i4") for n in (5,)]]
    for number, samples in enumerate(lists):
        caufc.save(f"{number}.cauf", samples, lossless=True)
    caufc.save("batch.cauf", np.arange(8, dtype="i4").reshape(2, 4), lossless=True)
    caufc.save("one.cauf", np.arange(9, dtype="i4"), lossless=True, layout="c")
    ran = run("cat", "0.cauf", "batch.cauf", "1.cauf", "one.cauf", "-o", "all.cauf")
    assert (ran.code, ran.err) == (0, "")
    back = caufc.load("all.cauf")
    assert [sample.tolist() for sample in back] == [
        *([list(range(n)) for n in (3, 4)]),
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        list(range(5)),
        list(range(9)),
    ]
    assert caufc.verify("all.cauf", deep=True).samples == 6


def test_files_of_one_profile_are_joined(run: Run) -> None:
    profile = caufc.Coder.fit(tokens(400, 20), layout="b n c").profile
    Path("p.caufp").write_bytes(profile)
    messages = [caufc.Coder(profile).encode(tokens(20)) for _ in range(3)]
    for number, message in enumerate(messages):
        Path(f"{number}.cauf").write_bytes(message)
    assert run("cat", "[0-9].cauf", "-o", "all.cauf").code == 4  # the profile is not there
    assert run("cat", "[0-9].cauf", "-o", "all.cauf", "--profile", "p.caufp").code == 0
    back = caufc.load("all.cauf", profile="p.caufp")
    for sample, message in zip(back, messages, strict=True):
        np.testing.assert_array_equal(sample, caufc.decode(message, profile=profile))
    assert Path("all.cauf").stat().st_size < sum(map(len, messages)) + 60


def test_files_that_were_planned_apart_are_refused(run: Run, folder: Path) -> None:
    caufc.save("a.cauf", {"x": tokens(40, 20)})
    caufc.save("b.cauf", {"x": tokens(40, 20)}, quality=70)
    before = names(folder)
    ran = run("cat", "a.cauf", "b.cauf", "-o", "c.cauf")
    assert ran.code == 2
    assert ran.err == (
        "caufc: b.cauf: cannot be joined with a.cauf as it is: tensor 'x' has quantiser steps of its own; "
        "open both as one (caufc.open takes lists), or encode with one --profile\n"
    )
    assert names(folder) == before
    with caufc.open(["a.cauf", "b.cauf"]) as reader:
        assert len(reader) == 80


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"x": np.zeros((3, 4), "i8")}, "tensor 'x' has another dtype"),
        ({"y": np.zeros((3, 4), "i4")}, "they have different tensors"),
        ({"x": np.zeros((3, 4, 1), "i4")}, "tensor 'x' has another number of axes"),
        ({"x": np.zeros((3, 4), "i4"), "note": "b"}, "they differ in structure, or in the notes beside tensors"),
        ({f"k{n}z": {"x": np.zeros(4, "i4")} for n in range(40)}, "only one of them has keys"),
    ],
)
def test_in_what_files_differ(run: Run, other: Any, reason: str) -> None:
    caufc.save("a.cauf", {"x": np.zeros((3, 4), "i4")}, lossless=True)
    caufc.save("b.cauf", other, lossless=True)
    ran = run("cat", "a.cauf", "b.cauf", "-o", "c.cauf")
    assert ran.code == 2
    assert f"b.cauf: cannot be joined with a.cauf as it is: {reason};" in ran.err


def test_keyed_files_keep_their_keys(run: Run) -> None:
    for part in "ab":
        caufc.save(f"{part}.cauf", {f"{part}{n}": np.full(3, n) for n in range(5)}, lossless=True, keyed=True, chunk=2)
    assert run("cat", "a.cauf", "b.cauf", "-o", "c.cauf").code == 0
    assert list(caufc.load("c.cauf")) == [f"{part}{n}" for part in "ab" for n in range(5)]
    assert run("split", "c.cauf", "--samples", "5").code == 0
    assert list(caufc.load("c-00001.cauf")) == ["b1", "b2", "b3", "b4"] or len(caufc.load("c-00000.cauf")) >= 5
    ran = run("cat", "c.cauf", "a.cauf", "-o", "d.cauf")
    assert (ran.code, ran.err) == (
        2,
        "caufc: a.cauf: has a sample 'a0', and so has c.cauf; leave one of them out\n",
    )
    assert not Path("d.cauf").exists()


def test_metadata_that_differ_are_told(run: Run) -> None:
    for number, text in enumerate(("x", "y")):
        caufc.save(f"{number}.cauf", np.arange(4), lossless=True, layout="c", meta={"run": text, f"n{number}": "1"})
    ran = run("cat", "0.cauf", "1.cauf", "-o", "c.cauf")
    assert ran.err == "caufc: warning: metadata 'run' of 1.cauf differ, and are left out\n"
    assert caufc.inspect("c.cauf").metadata == {"run": "x", "n0": "1", "n1": "1"}


def test_cat_to_a_pipe(run: Run, whole: bytes) -> None:
    run("split", "whole.cauf", "--parts", "3")
    ran = run("cat", "whole-*.cauf", "-o", "-", "--json")
    assert ran.out_bytes == whole
    assert json.loads(ran.err)["samples"] == 100


def test_what_cat_refuses(run: Run, whole: bytes) -> None:
    assert run("cat", "whole.cauf", "-o", "whole.cauf").code == 2  # input and output
    assert run("cat", "whole.cauf", "-o", "x.npy").code == 2
    assert run("cat", "none*.cauf", "-o", "x.cauf").code == 1
    Path("cut.cauf").write_bytes(whole[: len(whole) // 2])
    assert run("cat", "whole.cauf", "cut.cauf", "-o", "x.cauf").code == 3
    assert not Path("x.cauf").exists()
