"""``caufc bench``."""

from __future__ import annotations

import io
import json
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest

import caufc
from caufc.bench.measure import measure
from caufc.bench.methods import QUALITIES, encode_settings
from caufc.codec import kernels
from caufc.errors import OptionError
from caufc.evaluate.rivals.registry import RIVAL_NAMES

from .conftest import Run, names

torch = pytest.importorskip("torch")

ROW_KEYS = {
    "method",
    "options",
    "bytes",
    "bpfp",
    "snr_db",
    "max_abs_error",
    "encode_seconds",
    "decode_seconds",
    "encode_mb_s",
    "decode_mb_s",
    "busy_threads",
}


@pytest.fixture
def smooth() -> Path:
    """Features that are worth coding: fp32 ``[40, 16, 6, 6]``."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40, 16, 1, 1)) + 0.3 * rng.standard_normal((40, 16, 6, 6))
    np.save("smooth.npy", np.maximum(values, 0).astype(np.float32))
    return Path("smooth.npy")


def bench(run: Run, *arguments: object) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The JSON, and its rows by method."""
    ran = run("bench", *arguments, "--json")
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    return data, {row["method"]: row for row in data["rows"]}


def test_the_table(run: Run, smooth: Path, folder: Path) -> None:
    ran = run("bench", smooth, "--quality", "20,high", "--rivals", "fp16,int4", "--zstd-level", "5", "--repeat", "2")
    assert (ran.code, ran.err) == (0, "")
    head, tensor, columns, *rows, meaning, speeds, built = ran.out.splitlines()
    assert head == "smooth.npy: 40 samples, 23,040 values, 92.2 kB as fp32"
    chosen = r"  tensor: \[16, 6, 6\] a sample, fp32, layout 'b c h w' \((.+); --layout sets it\)"
    assert re.fullmatch(chosen, tensor)
    assert columns.split("  ")[0] == "METHOD"
    assert columns.split()[1:] == ["BYTES", "BPFP", "SNR", "dB", "MAX", "ERROR", "ENCODE", "MB/s", "DECODE", "MB/s"]
    methods = ["caufc quality 20", "caufc quality 75", "caufc lossless", "fp16 + zstd -5", "int4 + zstd -5"]
    assert [row.rsplit(maxsplit=6)[0] for row in rows] == methods
    assert [row.split()[-4:-2] for row in rows if "lossless" in row] == [["exact", "0"]]
    assert meaning == "BPFP: bits per value, all bytes counted. SNR and largest error: over all floats, as decoded."
    assert speeds.startswith("MB/s: of the input's values in memory; the fastest of 2 runs, in one process with up to ")
    assert speeds.endswith(" threads busy. Less than 1 MB tells little of speed.")
    assert built == f"caufc's compiled kernels: {kernels.described()}."
    assert names(folder) == ["smooth.npy"]


def test_json(run: Run, smooth: Path) -> None:
    data, rows = bench(run, smooth)
    assert [*rows] == [
        *(f"caufc quality {quality}" for quality in QUALITIES),
        "caufc lossless",
        *(f"{name} + zstd -19" for name in RIVAL_NAMES),
    ]
    assert (data["file"], data["samples"], data["samples_in_file"], data["repeat"]) == ("smooth.npy", 40, 40, 1)
    assert (data["numel"], data["bytes_in"], data["dtype"]) == (23040, 92160, "fp32")
    assert data["tensors"] == [
        {"name": "", "dtype": "fp32", "shape": [16, 6, 6], "layout": "b c h w", "layout_reason": ANY},
    ]
    assert (data["notes"], data["warnings"]) == ([], [])
    assert data["kernels"] == list(kernels.built())
    for row in rows.values():
        assert set(row) == ROW_KEYS
        assert row["bpfp"] == 8 * row["bytes"] / data["numel"]
        assert row["encode_mb_s"] == pytest.approx(92160 / row["encode_seconds"] / 1e6)
        assert row["decode_mb_s"] == pytest.approx(92160 / row["decode_seconds"] / 1e6)
    assert rows["caufc quality 20"]["options"] == {"quality": 20, "effort": "default"}
    assert rows["int8 + zstd -19"]["options"] == {"bits": 8, "packed": False, "zstd_level": 19}


def test_more_bytes_bring_more_decibels(run: Run, smooth: Path) -> None:
    rows = [row for row in bench(run, smooth)[0]["rows"] if row["snr_db"] is not None]
    for family in ("caufc", "int"):
        of_family = [row for row in rows if row["method"].startswith(family)]
        assert len(of_family) >= 5
        for lower, higher in pairwise(of_family):
            assert lower["bytes"] < higher["bytes"]
            assert lower["snr_db"] < higher["snr_db"]
            assert lower["max_abs_error"] > higher["max_abs_error"]


def test_a_row_is_what_encode_and_decode_do(run: Run, smooth: Path) -> None:
    _, rows = bench(run, smooth, "--quality", "40", "--rivals", "fp16", "--chunk", "7", "--align", "min-max/channel")
    values = np.load(smooth)
    data = caufc.encode(values, quality=40, chunk=7, align="min-max/channel")
    row = rows["caufc quality 40"]
    assert row["bytes"] == len(data)
    assert len(data) != len(caufc.encode(values, quality=40))
    for decoded, found in ((caufc.decode(data), row), (values.astype(np.float16), rows["fp16 + zstd -19"])):
        error = values - decoded.astype(np.float32)
        snr = 10 * math.log10(np.square(values, dtype="f8").sum() / np.square(error, dtype="f8").sum())
        assert found["snr_db"] == pytest.approx(snr, rel=1e-4)
        assert found["max_abs_error"] == pytest.approx(np.abs(error).max(), rel=1e-4)


def test_the_first_samples(run: Run, smooth: Path) -> None:
    data, rows = bench(run, smooth, "--samples", "5", "--quality", "50", "--no-lossless", "--no-rivals")
    assert (data["samples"], data["samples_in_file"], data["numel"]) == (5, 40, 5 * 576)
    assert [row["bytes"] for row in rows.values()] == [len(caufc.encode(np.load(smooth)[:5], quality=50))]
    out = run("bench", smooth, "--samples", "5", "--no-rivals", "--quality", "50").out
    assert out.startswith("smooth.npy: the first 5 of 40 samples, 2,880 values, ")
    assert bench(run, smooth, "--samples", "99", "--no-rivals")[0]["samples"] == 40


def test_ragged_lists(run: Run) -> None:
    rng = np.random.default_rng(0)
    values = [torch.from_numpy(rng.standard_normal((n, 24)).astype("f4")) for n in (30, 0, 50, 20)]
    torch.save(values, "x.pt")
    data, rows = bench(run, "x.pt", "--samples", "3", "--rivals", "int8,fp16")
    assert (data["samples"], data["numel"]) == (3, 80 * 24)
    assert data["tensors"][0]["shape"] == [None, 24]
    assert rows["caufc quality 80"]["bytes"] == len(caufc.encode(values[:3], quality=80))
    # uniform noise of a channel's step
    reach = np.ptp(np.concatenate(values[:3]), axis=0)
    snr = 10 * math.log10(12 * 255**2 / np.square(reach).mean())
    assert rows["int8 + zstd -19"]["snr_db"] == pytest.approx(snr, abs=1)


def test_mixed_dicts(run: Run) -> None:
    rng = np.random.default_rng(0)
    hidden = torch.from_numpy(rng.standard_normal((6, 10, 32))).bfloat16()
    ids = torch.arange(60).reshape(6, 10)
    torch.save(
        {"hidden": hidden, "in": {"ids": ids}, "kv": torch.from_numpy(rng.standard_normal((6, 2, 9, 8)))}, "x.pt"
    )
    data, rows = bench(run, "x.pt", "--layout", "kv=b g t d", "--rivals", "int8,fp16")
    assert (data["dtype"], data["bytes_in"]) == ("mixed", 6 * 10 * 32 * 2 + 60 * 8 + 6 * 2 * 9 * 8 * 8)
    assert [tensor["layout"] for tensor in data["tensors"]] == ["b n c", None, "b g t d"]
    assert data["notes"] == ["Kept as they are by rivals, with zstd: 'in.ids' (int64)."]
    assert rows["caufc lossless"]["snr_db"] is None
    assert 40 < rows["int8 + zstd -19"]["snr_db"] < 50 < rows["fp16 + zstd -19"]["snr_db"]
    out = run("bench", "x.pt", "--no-rivals").out.splitlines()
    assert out[0].endswith(" of several dtypes")
    assert out[2] == "  tensor 'in.ids': [10] a sample, int64"


def test_channels_come_from_the_layout(run: Run) -> None:
    """Channels far from each other: codes are fine only where each channel has a range of its own."""
    offsets = 1000 * np.sqrt(np.arange(6))[:, None]
    np.save("x.npy", (np.random.default_rng(0).standard_normal((20, 6, 40)) + offsets).astype("f4"))
    right, wrong = (
        bench(run, "x.npy", "--layout", layout, "--rivals", "int4", "--no-lossless")[1]["int4 + zstd -19"]
        for layout in ("b c n", "b n c")
    )
    assert right["max_abs_error"] < 1
    assert wrong["max_abs_error"] > 50


def test_a_rival_is_the_smaller_of_plain_and_packed(run: Run) -> None:
    rng = np.random.default_rng(0)
    np.save("sparse.npy", np.where(rng.random((200, 50)) < 0.02, 1, 0).astype("f4"))
    np.save("dense.npy", rng.random((200, 50)).astype("f4"))
    sparse = bench(run, "sparse.npy", "--rivals", "int2", "--zstd-level", "3")[1]["int2 + zstd -3"]
    dense = bench(run, "dense.npy", "--rivals", "int2", "--zstd-level", "3")[1]["int2 + zstd -3"]
    assert dense["options"]["packed"]
    assert 0 < dense["bytes"] - 400 - 200 * 50 // 4 < 32
    assert sparse["bytes"] < dense["bytes"]


def test_rivals_that_cannot(run: Run) -> None:
    values = np.random.default_rng(0).standard_normal((50, 40)).astype("f4") * 1e5
    np.save("large.npy", values)
    data, rows = bench(run, "large.npy", "--rivals", "fp16,int8")
    assert data["notes"] == ["Left out: fp16; the tensor holds values beyond 65,504."]
    assert "int8 + zstd -19" in rows
    values[3, 4] = np.nan
    torch.save({"x": torch.from_numpy(values)}, "nan.pt")
    ran = run("bench", "nan.pt", "--nonfinite", "keep", "--rivals", "int4,int8")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "Left out: int4, int8; tensor 'x' holds NaN or Inf."
    ours = bench(run, "nan.pt", "--nonfinite", "keep", "--no-rivals")[1]
    assert ours["caufc quality 65"]["snr_db"] > 25
    np.save("ids.npy", np.arange(600).reshape(60, 10))
    data, rows = bench(run, "ids.npy")
    assert data["notes"] == [f"Left out: {', '.join(RIVAL_NAMES)}; there are no floats with channels."]
    assert {row["snr_db"] for row in rows.values()} == {None}


def test_options_of_encode(run: Run, maps: Path) -> None:
    data, rows = bench(run, maps, "--arch", "timm/resnet50", "--tap", "layer4", "--no-rivals", "--quality", "50")
    assert data["warnings"] == ["has 16 channels, tap 'layer4' has 2048: is the tap right?"]
    assert not data["tensors"][0]["layout_reason"]
    encoded = caufc.encode(np.load(maps), arch="timm/resnet50", tap="layer4", quality=50)
    assert rows["caufc quality 50"]["bytes"] == len(encoded)
    ran = run("bench", maps, "--arch", "timm/resnet50", "--tap", "layer4", "--no-rivals")
    assert ran.err == "caufc: warning: maps.npy: has 16 channels, tap 'layer4' has 2048: is the tap right?\n"
    assert run("bench", maps, "--arch", "timm/resnet50", "--tap", "layer4", "--no-rivals", "--quiet").err == ""


def test_a_profile(run: Run, minilm: list[Any]) -> None:
    torch.save([torch.tensor(part) for part in minilm], "x.pt")
    data, rows = bench(run, "x.pt", "--profile", "minilm-hidden3", "--rivals", "int8", "--quality", "50")
    encoded = caufc.encode([torch.tensor(part) for part in minilm], profile="minilm-hidden3", quality=50)
    assert rows["caufc quality 50"]["bytes"] == len(encoded)
    assert not data["tensors"][0]["layout_reason"]


def test_stdin(run: Run, smooth: Path) -> None:
    ran = run("bench", "-", "--no-rivals", "--quality", "50", stdin=smooth.read_bytes())
    assert ran.code == 0
    assert ran.out.startswith("-: 40 samples, 23,040 values, ")


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "options", "code", "message"),
    [
        (None, "", 1, "no such file; check the path"),
        (b"hello world" * 99, "", 3, ""),
        (
            npy(np.zeros((0, 3), "f4")),
            "",
            2,
            "there is nothing to measure: no tensor has a value; give a file",
        ),
        (npy(np.full((4, 40), np.nan)), "", 2, "holds 160 NaN and 0 Inf in the chunk from sample 0; use --nonfinite"),
        (npy(np.ones((4, 4))), "--quality 20,x", 2, "quality 'x'; a number from 0 to 100, or one of low, medium, high"),
        (npy(np.ones((4, 4))), "--quality 20,101", 2, "quality is 0 to 100, not 101; see --help"),
        (npy(np.ones((4, 4))), "--quality 20,", 2, "a quality is missing; numbers from 0 to 100 with commas"),
        (npy(np.ones((4, 4))), "--rivals int9", 2, "unknown rival 'int9'; did you mean 'int8'? known: int2, "),
        (npy(np.ones((4, 4))), "--rivals int8 --no-rivals", 2, "--rivals and --no-rivals contradict each other; give"),
        (npy(np.ones((4, 4))), "--layout x=bc", 2, "tensor 'x': layout 'bc': axes are separated by spaces; "),
        (npy(np.ones((4, 4))), "--layout=b.h.w", 2, "layout 'b.h.w': axes are separated by spaces; "),
        (npy(np.ones((4, 4))), "--codec huffman", 2, "unknown codec 'huffman'; known: transform"),
    ],
)
def test_what_is_wrong(run: Run, data: bytes | None, options: str, code: int, message: str) -> None:
    if data is not None:
        Path("x.npy").write_bytes(data)
    ran = run("bench", "x.npy", *options.split())
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith(f"caufc: x.npy: {message}")
    assert len(ran.lines) == 1


def test_numbers_out_of_range_are_usage(run: Run, maps: Path) -> None:
    for option in ("--samples", "--repeat", "--zstd-level"):
        ran = run("bench", maps, option, "0")
        assert (ran.code, ran.out) == (2, "")
        assert option in ran.err


def test_what_comes_back_otherwise_is_told(run: Run, maps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distortion is that of decoded features; a decoder that forgets a sample is found out."""
    decode = caufc.decode
    monkeypatch.setattr("caufc.api.decode", lambda data, **_: decode(data)[:-1])
    ran = run("bench", maps, "--no-rivals")
    assert (ran.code, ran.out) == (2, "")
    assert "what was decoded is built otherwise than what was encoded" in ran.err
    monkeypatch.setattr("caufc.api.decode", lambda data, **_: decode(data) + np.float32(0.5))
    assert all(row["max_abs_error"] >= 0.5 for row in bench(run, maps, "--no-rivals")[1].values())
    monkeypatch.setattr("caufc.api.decode", lambda data, **_: decode(data) + np.float32("inf"))
    assert all(row["max_abs_error"] is None for row in bench(run, maps, "--no-rivals")[1].values())


def test_python_measures_what_the_command_does(run: Run, smooth: Path) -> None:
    """The library's report is the command's, but for speeds; progress says which method is at work."""
    seen: list[tuple[str, int, int]] = []
    report = measure(
        np.load(smooth),
        qualities=(20, "high"),
        efforts=("fast", "default"),
        rivals=("int4",),
        zstd_level=3,
        samples=30,
        name=str(smooth),
        progress=lambda *call: seen.append(call),
        layout="b c h w",
    )
    options = ("--quality", "20,high", "--effort", "fast,default", "--rivals", "int4", "--zstd-level", "3")
    data, rows = bench(run, smooth, *options, "--samples", "30", "--layout", "b c h w")
    ours = report.to_json()
    assert {key: value for key, value in ours.items() if key not in ("rows", "tensors")} == {
        **{key: value for key, value in data.items() if key not in ("rows", "tensors")},
        **dict.fromkeys(("notes", "warnings"), ()),
        "kernels": tuple(data["kernels"]),
    }
    assert [(row.method, row.bytes, row.snr_db) for row in report.rows] == [
        (name, row["bytes"], row["snr_db"]) for name, row in rows.items()
    ]
    assert list(dict.fromkeys(what for what, _, _ in seen)) == list(rows)
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert {total for _, _, total in seen} == {6}
    assert report.text().startswith(f"{smooth}: the first 30 of 40 samples, ")


def test_settings_in_python() -> None:
    assert [setting.name for setting in encode_settings([50, "50", "low"], lossless=False)] == [
        "caufc quality 50",
        "caufc quality 25",
    ]
    with pytest.raises(OptionError, match="effort 'slow'; one of fast"):
        encode_settings(efforts=["slow"])
    with pytest.raises(OptionError, match="there is nothing to measure; give a quality"):
        measure(np.ones((4, 4), np.float32), qualities=(), lossless=False, rivals=())
