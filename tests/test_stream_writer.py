"""The streaming writer: samples as they come, targets for each chunk, and what is there after a crash."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.errors import InputError, LayoutError, NonFiniteError, OptionError, OutputExistsError, StorageError

RNG = np.random.default_rng(0)
MIXING = RNG.normal(size=(24, 64))


def tokens(length: int, scale: float = 1.0) -> NDArray[np.float32]:
    return (scale * RNG.normal(size=(length, 24)) @ MIXING).astype("f4")


def snr_db(values: Any, decoded: Any) -> float:
    return float(10 * np.log10(np.square(values, dtype="f8").sum() / np.square(values - decoded, dtype="f8").sum()))


def test_samples_come_back_in_order_and_by_key(tmp_path: Path) -> None:
    samples = [{"x": tokens(length), "label": f"text {length}", "y": np.int64(length)} for length in range(1, 60)]
    with caufc.writer(tmp_path / "x.cauf", chunk=8, layout={"x": "n c"}, meta={"run": "7"}) as w:
        for number, sample in enumerate(samples):
            w.add(sample, key=f"doc-{number}")
        assert w.acknowledged == 56
    report = w.report
    assert report is not None
    assert report.samples == 59
    assert report.chunks == 8
    assert report.bytes_out == (tmp_path / "x.cauf").stat().st_size
    assert os.listdir(tmp_path) == ["x.cauf"]  # noqa: PTH208
    assert caufc.verify(tmp_path / "x.cauf", deep=True).samples == 59
    back = caufc.load(tmp_path / "x.cauf")
    assert list(back) == [f"doc-{number}" for number in range(59)]
    for sample, decoded in zip(samples, back.values(), strict=True):
        assert decoded["label"] == sample["label"]
        assert decoded["y"] == sample["y"]
        assert snr_db(sample["x"], decoded["x"]) > 12
    with caufc.open(tmp_path / "x.cauf") as reader:
        assert reader["doc-17"]["label"] == "text 18"
        assert reader.info.metadata == {"run": "7"}
        assert reader.info.content == "keyed"


def test_values_are_those_of_the_moment(tmp_path: Path) -> None:
    """A model may write its next output into the same memory."""
    buffer = np.zeros((4, 3), "f4")
    with caufc.writer(tmp_path / "x.cauf", lossless=True) as w:
        for number in range(5):
            buffer[:] = number
            w.add(buffer)
    assert [int(sample[0, 0]) for sample in caufc.load(tmp_path / "x.cauf")] == [0, 1, 2, 3, 4]


def test_torch_tensors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    samples = [torch.randn(7, 16, dtype=torch.bfloat16) for _ in range(5)]
    with caufc.writer(tmp_path / "x.cauf", lossless=True) as w:
        for sample in samples:
            w.add((sample, {"n": 7}))
    for sample, back in zip(samples, caufc.load(tmp_path / "x.cauf"), strict=True):
        assert torch.equal(sample, back[0])
        assert back[1] == {"n": 7}


def test_an_snr_holds_for_each_chunk(tmp_path: Path) -> None:
    """Though samples become many times as large on the way."""
    samples = [tokens(20, scale) for scale in np.geomspace(1, 30, 80)]
    with caufc.writer(tmp_path / "x.cauf", snr=25, chunk=8, layout="n c") as w:
        for sample in samples:
            w.add(sample)
    back = caufc.load(tmp_path / "x.cauf")
    found = [snr_db(np.stack(samples[at : at + 8]), np.stack(back[at : at + 8])) for at in range(0, 80, 8)]
    assert all(25 <= snr < 26 for snr in found)
    assert w.report is not None
    assert w.report.scope == "chunk"
    assert w.report.warnings == ()


def test_a_rate_holds_for_each_chunk(tmp_path: Path) -> None:
    samples = [tokens(60, scale) for scale in np.geomspace(1, 30, 80)]
    with caufc.writer(tmp_path / "x.cauf", bpfp=1.5, chunk=8, layout="n c") as w:
        for sample in samples:
            w.add(sample)
    with caufc.Reader(tmp_path / "x.cauf") as reader:
        rates = [8 * length / (8 * 60 * 64) for length, _ in reader._reader.index.chunks]
    assert all(0.98 * 1.5 <= rate <= 1.5 for rate in rates)
    assert w.report is not None
    assert w.report.scope == "chunk"
    assert 1.5 < w.report.bpfp < 1.6  # with header, tables and index


@pytest.mark.parametrize("options", [{"max_error": 0.05}, {"snr": "20/token"}, {"quality": 60}, {"lossless": True}])
def test_other_targets_hold_as_ever(options: dict[str, Any], tmp_path: Path) -> None:
    samples = [tokens(9, scale) for scale in np.geomspace(1, 20, 40)]
    with caufc.writer(tmp_path / "x.cauf", chunk=8, layout="n c", **options) as w:
        for sample in samples:
            w.add(sample)
    back = caufc.load(tmp_path / "x.cauf")
    if "max_error" in options:
        assert max(np.abs(a - b).max() for a, b in zip(samples, back, strict=True)) <= 0.05
    elif "lossless" in options:
        assert all(np.array_equal(a, b) for a, b in zip(samples, back, strict=True))
    elif "snr" in options:
        pairs = zip(np.concatenate(samples), np.concatenate(back), strict=True)
        assert min(snr_db(token, decoded) for token, decoded in pairs) >= 20
    assert w.report is not None
    assert w.report.scope == "file"


def test_what_cannot_be_met_is_told(tmp_path: Path) -> None:
    with caufc.writer(tmp_path / "x.cauf", bpfp=0.01, chunk=4, layout="n c") as w:
        for _ in range(8):
            w.add(tokens(3))
    assert w.report is not None
    assert any("2 chunks could not meet 0.01 BPFP" in warning for warning in w.report.warnings)


def test_a_profile_plans(tmp_path: Path) -> None:
    profile = caufc.Coder.fit([tokens(50) for _ in range(40)], layout="n c").profile
    for name, options in (("with", {"profile": profile, "embed_profile": False}), ("without", {"layout": "n c"})):
        with caufc.writer(tmp_path / f"{name}.cauf", chunk=4, **options) as w:
            for seed in range(40):
                w.add((np.random.default_rng(seed).normal(size=(30, 24)) @ MIXING).astype("f4"))
    assert (tmp_path / "with.cauf").stat().st_size < (tmp_path / "without.cauf").stat().st_size
    with caufc.open(tmp_path / "with.cauf", profile=profile) as reader:
        assert reader[39].shape == (30, 64)
    with pytest.raises(caufc.MissingProfileError):
        caufc.open(tmp_path / "with.cauf")


def test_a_basis_pays_in_a_stream(tmp_path: Path) -> None:
    """The first chunk alone would not pay for one; a stream is planned for what is to come."""
    samples = [tokens(40) for _ in range(100)]
    with caufc.writer(tmp_path / "x.cauf", chunk=25, layout="n c", samples=10_000) as w:
        for sample in samples:
            w.add(sample)
    with caufc.Reader(tmp_path / "x.cauf") as reader:
        assert "basis" in reader._reader.chunks.configs[0].arrays


def test_later_samples_may_have_other_lengths(tmp_path: Path) -> None:
    with caufc.writer(tmp_path / "x.cauf", chunk=4, layout="n c", snr=20) as w:
        for _ in range(4):
            w.add(tokens(10))
        with pytest.raises(InputError, match=r"sample 4 has shape \[10, 63\], others have \[\*, 64\]"):
            w.add(tokens(10)[:, :63])
        for length in (1, 300, 7):
            w.add(tokens(length))
    assert [len(sample) for sample in caufc.load(tmp_path / "x.cauf")] == [10, 10, 10, 10, 1, 300, 7]


LATER: list[tuple[str, tuple[int, ...], tuple[int, ...], str]] = [
    ("n c", (5, 64), (3, 65), r"sample 6 has shape \[3, 65\], others have \[\*, 64\]"),
    ("b n c", (5, 64), (3, 65), r"sample 6 has shape \[3, 65\], others have \[\*, 64\]"),
    ("b c", (64,), (65,), r"sample 6 has shape \[65\], others have \[64\]"),
    ("b c h w", (8, 6, 6), (9, 6, 6), r"sample 6 has shape \[9, 6, 6\], others have \[8, \*, \*\]"),
    ("(2 + n) c", (5, 64), (1, 64), "needs 2 special tokens, there are 1"),
]


@pytest.mark.parametrize("options", [{}, {"max_error": 0.01}, {"lossless": True}, {"chunk": 60}])
@pytest.mark.parametrize(("layout", "shape", "other", "message"), LATER)
def test_other_channels_are_refused_before_there_is_a_plan(
    layout: str, shape: tuple[int, ...], other: tuple[int, ...], message: str, options: dict[str, Any], tmp_path: Path
) -> None:
    with caufc.writer(tmp_path / "x.cauf", layout=layout, **options) as w:
        for _ in range(6):
            w.add(RNG.normal(size=shape).astype("f4"))
        with pytest.raises(LayoutError if "special" in message else InputError, match=message):
            w.add(RNG.normal(size=other).astype("f4"))
    assert [sample.shape for sample in caufc.load(tmp_path / "x.cauf")] == 6 * [shape]


def test_a_first_sample_that_does_not_fit_its_options_is_not_taken(tmp_path: Path) -> None:
    profile = caufc.Coder.fit([tokens(50) for _ in range(4)], layout="n c").profile
    with caufc.writer(tmp_path / "x.cauf", profile=profile) as w:
        with pytest.raises(InputError, match="the profile is for samples of shape"):
            w.add(tokens(9)[:, :32])
        w.add(tokens(9))
    assert len(caufc.load(tmp_path / "x.cauf")) == 1


def test_a_sample_that_cannot_be_written_takes_no_others_with_it(tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    limits = caufc.Limits(chunk_elements=4_000)
    for body in ("ends", "raises"):
        w = caufc.writer(path, layout="n c", limits=limits, force=True)
        with pytest.raises((caufc.LimitError, ZeroDivisionError)), w:
            for number in range(9):
                w.add(tokens(70 if number == 4 else 2), key=number)
            if body == "raises":
                raise ZeroDivisionError
        assert not path.exists()
        assert w.acknowledged == 8
        with caufc.open(f"{path}.partial", recover=True) as reader:
            assert reader.keys() == [0, 1, 2, 3, 5, 6, 7, 8]
    with pytest.raises(InputError, match="the writer is closed"):
        w.add(tokens(2))


def test_samples_that_are_refused_are_not_taken(tmp_path: Path) -> None:
    with caufc.writer(tmp_path / "x.cauf", layout={"x": "n c"}) as w:
        w.add({"x": tokens(5), "n": 1}, key="a")
        bad = tokens(5)
        bad[2, 3] = np.nan
        cases: list[tuple[Any, Any, type[Exception], str]] = [
            ({"x": bad, "n": 2}, "b", NonFiniteError, r"x\.cauf: tensor 'x': holds 1 values that are NaN or Inf"),
            ({"x": tokens(5), "n": 2}, "a", InputError, "key 'a' was added already"),
            ({"x": tokens(5), "n": 2}, None, InputError, "sample 1 has no key, and others have"),
            ({"x": tokens(5), "n": 2}, True, InputError, "neither text nor an integer"),
            ({"z": tokens(5), "n": 2}, "b", InputError, "sample 1 differs from the first in structure: 'x' is in one"),
            (
                {"x": tokens(5).astype("f8"), "n": 2},
                "b",
                InputError,
                "has fp64 of numpy with 2 axes, the first one has",
            ),
            ({"n": 2}, "b", InputError, "a sample without a tensor"),
        ]
        for sample, key, error, message in cases:
            with pytest.raises(error, match=message):
                w.add(sample, key=key)
        w.add({"x": tokens(6), "n": 2}, key="b")
    assert list(caufc.load(tmp_path / "x.cauf")) == ["a", "b"]


def test_what_streams_do_not_have(tmp_path: Path) -> None:
    for options, message in (
        ({"codec": "hyperprior"}, "a stream is coded by the transform codec; leave codec= out"),
        ({"index": False}, "a stream has an index"),
        ({"keyed": True}, "added with key="),
        ({"samples": 0}, "samples=0 is too small; give 1 or more"),
        ({"samples": "9"}, "samples='9' is no whole number"),
        ({"chunk": "9"}, "chunk='9' is no whole number"),
        ({"limits": {}}, "limits= is a dict"),
        ({"snr": 30, "bpfp": 1}, "two rate controls"),
    ):
        with pytest.raises(OptionError, match=message):
            caufc.writer(tmp_path / "x.cauf", **options)
    with pytest.raises(StorageError, match="its folder does not exist"):
        caufc.writer(tmp_path / "none" / "x.cauf")
    assert list(tmp_path.iterdir()) == []
    w = caufc.writer(tmp_path / "x.cauf", layout="n c h w")
    with pytest.raises(LayoutError, match="does not fit samples"):
        w.add(tokens(5))
        w.flush()
    w.abort()


def test_outputs_that_exist(tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    path.write_text("mine")
    with pytest.raises(OutputExistsError):
        caufc.writer(path)
    assert path.read_text() == "mine"
    with caufc.writer(path, force=True) as w:
        w.add(tokens(3))
        assert path.read_text() == "mine"  # until the end
    assert len(caufc.load(path)) == 1


def test_use_after_close(tmp_path: Path) -> None:
    with caufc.writer(tmp_path / "x.cauf") as w:
        w.add(tokens(3))
    assert w.close() is w.report
    for call in (w.flush, lambda: w.add(tokens(3))):
        with pytest.raises(InputError, match=r"x\.cauf: the writer is closed; open another one"):
            call()


@pytest.mark.parametrize("options", [{"snr": 30}, {"layout": "n c", "lossless": True}, {"meta": {"run": "7"}}])
def test_nothing_was_added(options: dict[str, Any], tmp_path: Path) -> None:
    with caufc.writer(tmp_path / "x.cauf", **options) as w:
        pass
    assert w.report is not None
    assert w.report.samples == 0
    assert caufc.load(tmp_path / "x.cauf") == []
    assert caufc.verify(tmp_path / "x.cauf", deep=True).samples == 0
    with caufc.open(tmp_path / "x.cauf") as reader:
        assert (len(reader), reader[:], reader.shapes) == (0, [], {})
        assert reader.info.metadata == options.get("meta", {})
        with pytest.raises(IndexError):
            reader[0]


def test_an_error_leaves_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    with pytest.raises(ZeroDivisionError), caufc.writer(path, lossless=True, chunk=4) as w:
        for number in range(6):
            w.add(np.full((2, 3), number))
        raise ZeroDivisionError
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.cauf.partial"]
    with caufc.open(f"{path}.partial", recover=True) as reader:
        assert [int(sample[0, 0]) for sample in reader] == list(range(6))
    with pytest.raises(OutputExistsError, match=r"x\.cauf\.partial: exists already: it was not finished"):
        caufc.writer(path)
    with caufc.writer(path, force=True) as again:
        again.add(np.zeros(3))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.cauf"]


CHILD = """
import os, signal, sys, numpy as np, caufc
w = caufc.writer(sys.argv[1], chunk=10, layout="n c", max_error=0.01)
for number in range(37):
    w.add(np.full((3, 8), number, "f4"), key=f"k{number}")
    if number == 13:
        w.flush()
print(w.acknowledged, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_process_loses_what_was_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "x.cauf"
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert int(done.stdout) == 34
    assert not path.exists()
    with caufc.open(f"{path}.partial", recover=True) as reader:
        assert isinstance(reader, caufc.Reader)
        assert reader.keys() == [f"k{number}" for number in range(34)]
        assert [round(float(sample[0, 0])) for sample in reader] == list(range(34))
        assert reader.lost == ((34, None),)
    command = [sys.executable, "-m", "caufc.cli.main", "decode", f"{path}.partial", "--recover"]
    ran = subprocess.run([*command, "-o", str(tmp_path / "x.npz")], capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert "34 samples written" in ran.stderr
    assert list(np.load(tmp_path / "x.npz")) == [f"k{number}" for number in range(34)]


def test_memory_is_bounded(tmp_path: Path) -> None:
    with caufc.writer(tmp_path / "x.cauf", chunk=16, lossless=True) as w:
        values = RNG.integers(0, 9, (128, 64)).astype("u1")
        for _ in range(32):
            w.add(values)
        tracemalloc.start()
        for _ in range(320):
            w.add(values)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept < 16 * values.nbytes
