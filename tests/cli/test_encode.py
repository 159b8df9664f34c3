"""``caufc encode`` of one file: options and reports."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.codec import kernels

from .conftest import Run, names

torch = pytest.importorskip("torch")

ENCODE_KEYS = {
    "bytes_in",
    "bytes_out",
    "numel",
    "samples",
    "bpfp",
    "snr_db",
    "nmse",
    "max_abs_error",
    "seconds",
    "arch",
    "codec",
    "tensors",
    "warnings",
    "kernels",
    "waste_bytes",
    "input",
    "output",
    "status",
}


def test_the_report(run: Run, maps: Path, folder: Path) -> None:
    ran = run("encode", maps)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    size = Path("maps.cauf").stat().st_size
    assert lines[0] == "maps.npy -> maps.cauf"
    assert lines[1].startswith(f"  size   9,600 B (9.6 kB) -> {size:,} B")
    assert f"ratio {9600 / size:.2f}, " in lines[1]
    assert lines[1].endswith(f"{8 * size / 2400:.4g} BPFP")
    assert lines[2].startswith("  error  SNR ")
    assert re.fullmatch(
        r"  error  SNR \S+ dB, 99 % of tokens \S+ dB or more, cosine [0-9.]{7}, NMSE \S+, largest \S+", lines[2]
    )
    assert re.fullmatch(r"  time   [0-9.]+ s", lines[3])  # so few bytes have no speed
    chosen = r"  tensor: 6 samples of \[16, 5, 5\] fp32, transform, layout 'b c h w' \(.+; --layout sets it\)"
    assert re.fullmatch(chosen, lines[4])
    assert len(lines) == 5
    ran = run("encode", maps, "-f", "--layout", "b c h w")
    assert ran.out.splitlines()[4] == "  tensor: 6 samples of [16, 5, 5] fp32, transform, layout 'b c h w'"
    assert run("encode", maps, "-f", "--quiet") == run("encode", maps, "-f", "--quiet")
    assert run("encode", maps, "-f", "--quiet").out == ""
    assert names(folder) == ["maps.cauf", "maps.npy"]


def test_json(run: Run, maps: Path) -> None:
    data = json.loads(run("encode", maps, "--json", "--arch", "timm/resnet50", "--tap", "layer4").out)
    values = np.load(maps)
    back = caufc.load("maps.cauf")
    assert set(data) >= ENCODE_KEYS
    size = Path("maps.cauf").stat().st_size
    assert (data["bytes_in"], data["bytes_out"], data["numel"], data["samples"]) == (9600, size, 2400, 6)
    assert data["bpfp"] == 8 * size / 2400
    assert (data["arch"], data["codec"], data["status"]) == ("timm/resnet50", "transform", "done")
    assert data["kernels"] == list(kernels.built())
    lost, energy = np.square(values - back, dtype=np.float64).sum(), np.square(values, dtype=np.float64).sum()
    assert data["nmse"] == pytest.approx(lost / energy, rel=1e-4)
    assert data["snr_db"] == pytest.approx(10 * math.log10(energy / lost), rel=1e-4)
    assert data["max_abs_error"] == pytest.approx(np.abs(values - back).max(), rel=1e-4)


def test_random_weights_are_a_warning(run: Run, maps: Path) -> None:
    arch = "timm/resnet50?pretrained=false"
    ran = run("encode", maps, "--arch", arch, "--tap", "layer4", "--json")
    assert json.loads(ran.out)["warnings"][0].startswith(f"'{arch}' has random weights: ")
    assert ran.lines[0].startswith(f"caufc: warning: maps.npy: '{arch}' has random weights")
    for other in ("timm/resnet50", "timm/resnet50?pretrained=true", "timm/resnet50?pretrained=false&checkpoint=x"):
        data = json.loads(run("encode", maps, "-f", "--arch", other, "--tap", "layer4", "--json").out)
        assert "random weights" not in " ".join(data["warnings"])


def test_lossless_has_no_snr(run: Run, maps: Path) -> None:
    data = json.loads(run("encode", maps, "--json", "--lossless").out)
    assert (data["snr_db"], data["nmse"], data["max_abs_error"], data["codec"]) == (None, 0, 0, "lossless")
    assert "error  none, every value is exact" in run("encode", maps, "-f", "--lossless").out


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        ("--snr 30", lambda data: 29.9 <= data["snr_db"] <= 30.3),
        ("--bpfp 1.5", lambda data: data["bpfp"] <= 1.5),
        ("--max-error 0.05", lambda data: data["max_abs_error"] <= 0.05),
        ("--quality 90", lambda data: data["snr_db"] > 30),
        ("--quality low", lambda data: data["snr_db"] < 30),
        ("--truncate -1,1", lambda data: data["clipped"] > 0),
        ("--align min-max:0,4", lambda data: data["tensors"][0]["alignment"] == "min-max/global"),
        ("--chunk 2 --index", lambda data: data["chunks"] == 3),
    ],
)
def test_rates_and_options(run: Run, maps: Path, options: str, holds: Any) -> None:
    ran = run("encode", maps, "--json", *options.split())
    assert ran.code == 0
    assert holds(json.loads(ran.out)), ran.out


def test_values_by_tensor_name(run: Run) -> None:
    rng = np.random.default_rng(0)
    torch.save({"kv": {"k=": torch.from_numpy(rng.standard_normal((3, 2, 4, 8))), "v": torch.ones(3, 5, 6)}}, "kv.pt")
    ran = run("encode", "kv.pt", "--layout", "kv.k==b g t d", "--align", "kv.v=none", "--json")
    assert ran.code == 0, ran.err
    keys, values = json.loads(ran.out)["tensors"]
    assert (keys["name"], keys["layout"], keys["layout_reason"]) == ("kv.k=", "b g t d", "")
    assert (values["name"], values["alignment"]) == ("kv.v", "none")


def test_layouts_by_pattern(run: Run) -> None:
    values = np.random.default_rng(0).standard_normal((3, 12, 8)).astype("f4")
    features: dict[str, Any] = {"layer.0.keys": values, "layer.1.keys": values, "last": values}
    np.savez("x.npz", **features)
    ran = run("encode", "x.npz", "--layout", "layer.*=b c n", "--layout", "last=b n c", "--json")
    assert [tensor["layout"] for tensor in json.loads(ran.out)["tensors"]] == ["b c n", "b c n", "b n c"]
    ran = run("encode", "x.npz", "-f", "--layout", "layr.*=b c n")
    assert (ran.code, ran.out) == (2, "")
    assert "unknown tensor 'layr.*'" in ran.err
    assert ran.err.rstrip().endswith("known: layer.0.keys, layer.1.keys, last")


def test_warnings_go_to_stderr(run: Run) -> None:
    np.save("x.npy", np.random.default_rng(0).standard_normal((400, 300)).astype(np.float32))
    ran = run("encode", "x.npy", "--bpfp", "1e-6", "--json")
    assert ran.code == 0
    assert len(json.loads(ran.out)["warnings"]) == 1
    assert ran.err.startswith("caufc: warning: x.npy: 1e-06 BPFP cannot be met closely; the file has ")
    assert run("encode", "x.npy", "--bpfp", "1e-6", "-f", "--quiet").err == ""


def test_waste_of_a_view(run: Run) -> None:
    torch.save(torch.randn(100, 32)[:10], "view.pt")
    assert json.loads(run("encode", "view.pt", "--json").out)["waste_bytes"] == 90 * 32 * 4
    line = run("encode", "view.pt", "-f").out.splitlines()[-1]
    assert line == (
        "  waste  11,520 B (11.5 kB) of view.pt belong to no tensor: a view was saved with its base; save .clone()"
    )


def test_nonfinite_keep(run: Run) -> None:
    values = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    values[1, 2], values[3, 4] = np.nan, -np.inf
    np.save("x.npy", values)
    assert run("encode", "x.npy", "--nonfinite", "keep").code == 0
    back = caufc.load("x.cauf")
    assert np.isnan(back[1, 2])
    assert back[3, 4] == -np.inf
