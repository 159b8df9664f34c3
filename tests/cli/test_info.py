"""``caufc info`` and ``caufc verify``."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

import caufc
from caufc.coders.side_files import content_id

from .conftest import Run

TINY = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "profiles" / "tiny.caufw"


@pytest.fixture
def encoded(run: Run, maps: Path) -> str:
    ran = run("encode", maps, "-o", "x.cauf", "--chunk", 4, "--arch", "timm/resnet50", "--tap", "layer4", "--quiet")
    assert ran.code == 0, ran.err
    return "x.cauf"


def test_info_as_text(run: Run, encoded: str) -> None:
    ran = run("info", encoded)
    assert (ran.code, ran.err) == (0, "")
    size = Path(encoded).stat().st_size
    lines = ran.out.splitlines()
    assert lines[:7] == [
        f"x.cauf: version 1.0, transform, 6 samples in 2 chunks, {size:,} B"
        + (f" ({size / 1000:.1f} kB)" if size >= 1000 else ""),
        f"  rate     {8 * size / 2400:.4g} BPFP, {size / 6:,.0f} B per sample, ratio {9600 / size:.2f}",
        "  control  quality 50",
        "  content  batch",
        "  arch     timm/resnet50",
        "  profile  -",
        "  index    yes",
    ]
    assert re.fullmatch(r"  sections [0-9,]+ B( \([0-9.]+ kB\))? of bases, tables and statistics", lines[7])
    heads = ["TENSOR", "DTYPE", "SAMPLE", "LAYOUT", "TAP", "CODEC", "ALIGNMENT", "PAYLOAD", "BPFP"]
    assert lines[8].split() == heads
    assert re.fullmatch(r"  - +fp32 +\[16, 5, 5\] +b c h w +layer4 +transform +\S+ +[0-9.]+ k?B +[0-9.]+", lines[9])
    assert len(lines) == 10


def test_info_as_json(run: Run, encoded: str) -> None:
    data = json.loads(run("info", encoded, "--json").out)
    assert {key: data[key] for key in ("file", "version", "arch", "codec", "samples", "bytes")} == {
        "file": "x.cauf",
        "version": "1.0",
        "arch": "timm/resnet50",
        "codec": "transform",
        "samples": 6,
        "bytes": Path(encoded).stat().st_size,
    }
    (tensor,) = data["tensors"]
    assert (tensor["dtype"], tensor["shape"], tensor["layout"], tensor["tap"]) == (
        "fp32",
        [16, 5, 5],
        "b c h w",
        "layer4",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--quality low", "quality 25"),
        ("--snr 30", "SNR 30 dB"),
        ("--bpfp 1.5", "1.5 BPFP"),
        ("--max-error 0.01", "largest error 0.01"),
        ("--lossless", "lossless"),
    ],
)
def test_the_control_and_rates(run: Run, maps: Path, options: str, said: str) -> None:
    report = json.loads(run("encode", maps, "-o", "x.cauf", "--json", *options.split()).out)
    data = json.loads(run("info", "x.cauf", "--json").out)
    assert data["control"] == said
    assert f"  control  {said}\n" in run("info", "x.cauf").out
    assert (data["numel"], data["raw_bytes"], data["bpfp"]) == (2400, 9600, report["bpfp"])
    assert data["bytes_per_sample"] == report["bytes_out"] / 6 and data["ratio"] == 9600 / report["bytes_out"]
    (tensor,), (coded,) = data["tensors"], report["tensors"]
    assert {key: tensor[key] for key in ("numel", "payload_bytes", "bpfp")} == {
        key: coded[key] for key in ("numel", "payload_bytes", "bpfp")
    }
    assert 0 < tensor["payload_bytes"] + data["section_bytes"] < report["bytes_out"]


def test_files_name_the_software_if_they_are_asked_to(run: Run, maps: Path) -> None:
    assert "software" not in run("info", (run("encode", maps, "--quiet"), "maps.cauf")[1]).out
    assert run("encode", maps, "--software", "--force", "--quiet").code == 0
    assert f"  software caufc {metadata.version('caufc')}\n" in run("info", "maps.cauf").out


def test_verify(run: Run, encoded: str) -> None:
    ran = run("verify", encoded)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("OK x.cauf: 6 samples, 1 tensor, 2 chunks, ")
    digest = caufc.verify(encoded, deep=True).symbols_sha256
    assert run("verify", encoded, "--deep").out.endswith(f", symbols sha256 {digest}\n")
    data = json.loads(run("verify", encoded, "--deep", "--json").out)
    assert data["symbols_sha256"] == digest
    assert (data["file"], data["samples"], data["chunks"], data["numel"]) == ("x.cauf", 6, 2, 2400)
    assert json.loads(run("verify", encoded, "--json").out)["symbols_sha256"] is None
    assert run("verify", encoded, "--quiet").out == ""


@pytest.mark.parametrize("command", ["info", "verify"])
def test_several_files_go_on_after_a_failure(run: Run, encoded: str, command: str) -> None:
    Path("cut.cauf").write_bytes(Path(encoded).read_bytes()[:-9])
    ran = run(command, "missing.cauf", "cut.cauf", encoded)
    assert ran.code == 3
    assert [line.split(":")[1] for line in ran.lines] == [" missing.cauf", " cut.cauf"]
    assert ran.out.splitlines()[0].removeprefix("OK ").startswith("x.cauf: ")
    ran = run(command, "missing.cauf", "cut.cauf", encoded, "--json")
    files = json.loads(ran.out)["files"]
    assert [file["file"] for file in files] == ["missing.cauf", "cut.cauf", "x.cauf"]
    assert [file.get("exit_code") for file in files] == [1, 3, None]
    assert files[0]["error"] == "missing.cauf: no such file; check the path"
    assert json.loads(ran.out)["exit_code"] == ran.code == 3


def test_profiles_and_weights_are_shown(run: Run, maps: Path) -> None:
    assert run("fit", maps, "-o", "p.caufp", "--quiet", "--layout", "b c h w").code == 0
    data = Path("p.caufp").read_bytes()
    ran = run("info", "p.caufp")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"p.caufp: a profile, {len(data):,} B")
    assert lines[1:4] == [
        f"  id       {content_id(data).hex()}",
        "  arch     -",
        "  use      caufc encode FEATS --profile p.caufp",
    ]
    assert lines[5].split()[:4] == ["-", "c", "h", "w"]
    shown = json.loads(run("info", "-", "--json", stdin=data).out)
    assert (shown["kind"], shown["tensors"][0]["layout"]) == ("profile", "c h w")
    ran = run("verify", "p.caufp")
    assert (ran.code, ran.err) == (0, "") and ran.out.startswith("OK p.caufp: a profile, 1 tensor, ")
    assert run("info", TINY).out.splitlines()[0].startswith(f"{TINY}: weights, ")
    assert json.loads(run("verify", "--json", TINY).out)["kind"] == "weights"
    Path("cut.caufp").write_bytes(data[:-9])
    for command in ("info", "verify"):
        ran = run(command, "cut.caufp")
        assert (ran.code, ran.out) == (3, "") and ran.err.startswith("caufc: cut.caufp: damaged at byte ")
    ran = run("decode", "p.caufp", "-o", "x.npy")
    assert (ran.code, ran.err) == (
        3,
        "caufc: p.caufp: malformed: holds a profile and no samples [CAUF-0164]; encode with it: --profile FILE\n",
    )


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_failure_as_json(run: Run, command: str) -> None:
    ran = run(command, "--json", "nope.cauf")
    message = "nope.cauf: no such file; check the path"
    assert (ran.code, ran.err) == (1, f"caufc: {message}\n")
    assert json.loads(ran.out) == {"file": "nope.cauf", "error": message, "exit_code": 1}
