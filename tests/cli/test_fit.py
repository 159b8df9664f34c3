"""``caufc fit``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.cli.progress import Bar
from caufc.coders.side_files import content_id

from .conftest import Run

torch = pytest.importorskip("torch")


@pytest.fixture
def texts(minilm: Any) -> list[Any]:
    return [torch.from_numpy(np.array(text)) for text in minilm]


def test_a_profile_saves_bytes_and_is_named(run: Run, texts: list[Any]) -> None:
    torch.save(texts[:7], "a.pt")
    torch.save(texts[7:], "b.pt")
    ran = run("fit", "a.pt", "b.pt", "-o", "p.caufp", "--json")
    assert ran.code == 0
    assert re.fullmatch(r"caufc: fit: 14 samples of [0-9,]+ values in all, .* read once; about \d+ s\n", ran.err)
    report = json.loads(ran.out)
    data = Path("p.caufp").read_bytes()
    assert report["bytes"] == len(data)
    assert report["id"] == content_id(data).hex()
    assert report["samples"] == len(texts)
    with_profile = caufc.encode(texts[:1], profile="p.caufp", embed_profile=False)
    assert len(with_profile) < len(caufc.encode(texts[:1]))


@pytest.mark.parametrize("suffix", [".npy", ".pt"])
def test_files_are_joined(run: Run, suffix: str) -> None:
    """One profile of two halves is that of the whole."""
    values = np.random.default_rng(0).standard_normal((30, 8, 4, 4)).astype(np.float32)
    for name, part in (("whole", values), ("one", values[:10]), ("two", values[10:])):
        if suffix == ".npy":
            np.save(f"{name}.npy", part)
        else:
            torch.save(torch.from_numpy(part), f"{name}.pt")
    assert run("fit", f"whole{suffix}", "-o", "whole.caufp", "--quiet").code == 0
    assert run("fit", f"one{suffix}", f"two{suffix}", "-o", "halves.caufp", "--quiet").code == 0
    assert Path("halves.caufp").read_bytes() == Path("whole.caufp").read_bytes()


def test_files_of_named_tensors_are_joined(run: Run) -> None:
    rng = np.random.default_rng(0)
    whole = {"maps": rng.standard_normal((30, 8, 4, 4)), "vectors": rng.standard_normal((30, 24))}
    for name, rows in (("whole", slice(None)), ("one", slice(10)), ("two", slice(10, None))):
        parts: Any = {key: part[rows].astype(np.float32) for key, part in whole.items()}
        np.savez(f"{name}.npz", **parts)
    assert run("fit", "whole.npz", "-o", "whole.caufp", "--quiet").code == 0
    ran = run("fit", "one.npz", "two.npz", "-o", "halves.caufp")
    assert "from 30 samples" in ran.out
    assert Path("halves.caufp").read_bytes() == Path("whole.caufp").read_bytes()


def test_batches_of_other_lengths_are_joined_as_samples(run: Run) -> None:
    rng = np.random.default_rng(0)
    for name, length in (("one", 20), ("two", 31)):
        np.save(f"{name}.npy", rng.standard_normal((10, length, 16)).astype(np.float32))
    ran = run("fit", "one.npy", "two.npy", "-o", "p.caufp")
    assert ran.code == 0 and "from 20 samples" in ran.out


def test_the_report(run: Run) -> None:
    np.save("x.npy", np.random.default_rng(0).standard_normal((30, 8, 4, 4)).astype(np.float32))
    ran = run("fit", "x.npy", "--samples", "20", "-o", "p.caufp")
    assert ran.code == 0 and ran.err.startswith("caufc: fit: 20 samples of 2,560 values in all, 10,240 B (10.2 kB), ")
    assert ran.out.startswith("p.caufp: ") and "from 20 samples" in ran.out
    quiet = run("fit", "x.npy", "-f", "--quiet", "-o", "p.caufp")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_the_bar_shows_the_stage_and_the_time_left(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def update(bar: Bar, fraction: float) -> None:
        bar.fraction = fraction
        drawn.append(bar.text(bar.started + 10))

    monkeypatch.setattr(Bar, "update", update)
    np.save("x.npy", np.random.default_rng(0).standard_normal((30, 8, 4, 4)).astype(np.float32))
    assert run("fit", "x.npy", "-o", "p.caufp").code == 0
    assert re.fullmatch(r"fit: statistics and choices \[[#-]+\] +\d+%  \d+:\d\d left", drawn[-1])


def test_outputs_stay_unless_forced(run: Run) -> None:
    np.save("x.npy", np.ones((30, 8, 4, 4), np.float32))
    Path("p.caufp").write_bytes(b"mine")
    assert run("fit", "x.npy", "-o", "p.caufp").code == 1
    assert Path("p.caufp").read_bytes() == b"mine"
    assert run("fit", "x.npy", "-o", "p.caufp", "-f").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("x.npy -o p.cauf", 2, "end it in .caufp"),
        ("x.npy -o p.caufp --sensitivity", 2, "give --arch ID and one --tap NAME"),
        ("x.npy y.npy -o p.caufp", 2, "y.npy: holds samples of other axes or dtypes than those of x.npy"),
        ("x.npy z.npz -o p.caufp", 2, "z.npz: holds tensors 'a', x.npy without names"),
        ("missing.npy -o p.caufp", 1, "no such file"),
        ("x.npy -o p.caufp --arch nobody/knows --tap a --sensitivity", 2, "nobody/knows"),
    ],
)
def test_what_is_wrong(run: Run, arguments: str, code: int, message: str) -> None:
    np.save("x.npy", np.ones((4, 8, 4, 4), np.float32))
    np.save("y.npy", np.ones((4, 9), np.float32))
    np.savez("z.npz", a=np.ones((4, 9), np.float32))
    ran = run("fit", *arguments.split())
    assert ran.code == code
    assert message in ran.err
    assert not Path("p.caufp").exists()


def test_files_of_other_channels_are_refused(run: Run) -> None:
    """Unless a layout says that the axis is none of channels: joined, no axis could be."""
    rng = np.random.default_rng(0)
    for name, shape in {
        "e": (200, 48),
        "w": (100, 20),
        "m": (30, 8, 6, 6),
        "n": (30, 8, 9, 6),
        "o": (9, 12, 6, 6),
    }.items():
        np.save(f"{name}.npy", rng.standard_normal(shape).astype(np.float32))
    remedy = "fit on files of one structure, or say with --layout that this axis is one of tokens"
    ran = run("fit", "e.npy", "w.npy", "-o", "q.caufp")
    message = f"caufc: w.npy: has samples of 20 channels, e.npy of 48: they cannot be joined; {remedy}\n"
    assert (ran.code, ran.out, ran.err) == (2, "", message)
    ran = run("fit", "m.npy", "n.npy", "o.npy", "-o", "q.caufp", "--layout", "b c h w")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"caufc: o.npy: has samples of 12 channels, m.npy of 8: they cannot be joined; {remedy}\n"
    assert not Path("q.caufp").exists()
    assert run("fit", "m.npy", "n.npy", "-o", "q.caufp", "--layout", "b c h w").code == 0
    ran = run("fit", "e.npy", "w.npy", "-o", "n.caufp", "--layout", "b n")
    assert ran.code == 0 and ran.out.endswith("\n  tensor: layout 'n'\n")


def test_the_report_shows_layouts(run: Run) -> None:
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {"maps": rng.standard_normal((30, 8, 4, 4)), "ids": np.arange(30)}
    np.savez("x.npz", **values)
    ran = run("fit", "x.npz", "-o", "p.caufp", "--layout", "maps=b c h w")
    assert ran.out.splitlines()[1:] == ["  tensor 'maps': layout 'b c h w'", "  tensor 'ids': without loss"]
    report = json.loads(run("fit", "x.npz", "-o", "p.caufp", "--layout", "maps=b c h w", "-f", "--json").out)
    assert report["layouts"] == {"maps": "b c h w", "ids": None}
