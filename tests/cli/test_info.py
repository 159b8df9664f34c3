"""``caufc info`` and ``caufc verify``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import caufc

from .conftest import Run


@pytest.fixture
def encoded(run: Run, maps: Path) -> str:
    ran = run("encode", maps, "-o", "x.cauf", "--chunk", 4, "--arch", "timm/resnet50", "--tap", "layer4", "--quiet")
    assert ran.code == 0, ran.err
    return "x.cauf"


def test_info_as_text(run: Run, encoded: str) -> None:
    ran = run("info", encoded)
    assert (ran.code, ran.err) == (0, "")
    size = Path(encoded).stat().st_size
    assert ran.out.splitlines()[:5] == [
        f"x.cauf: version 1.0, transform, 6 samples in 2 chunks, {size:,} B"
        + (f" ({size / 1000:.1f} kB)" if size >= 1000 else ""),
        "  content  batch",
        "  arch     timm/resnet50",
        "  profile  -",
        "  index    yes",
    ]
    assert ran.out.splitlines()[5].split() == ["TENSOR", "DTYPE", "SAMPLE", "LAYOUT", "TAP", "CODEC", "ALIGNMENT"]
    assert re.fullmatch(r"  - +fp32 +\[16, 5, 5\] +b c h w +layer4 +transform +\S+", ran.out.splitlines()[6])
    assert len(ran.out.splitlines()) == 7


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
