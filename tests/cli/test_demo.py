"""``caufc demo``."""

from __future__ import annotations

import json

import pytest

from .conftest import Run

METHODS = ["caufc low", "caufc medium", "caufc high", "caufc lossless", "fp16 + zstd -3", "int8 + zstd -3"]


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caufc.cli.demo.REPEATS", 1)


def test_the_table(run: Run) -> None:
    ran = run("demo")
    assert (ran.code, ran.err) == (0, "")
    first, second, last = ran.out.split("\n\n")
    assert last == "Everything that came back has the structure, names, shapes and dtypes of what went in.\n"
    for block, name in ((first, "efficientnet_lite0_last.safetensors"), (second, "minilm_hidden3.safetensors")):
        head, columns, *rows = block.splitlines()
        assert head.startswith(f"{name}: ")
        assert columns.split() == ["METHOD", "BYTES", "BPFP", "SNR", "dB", "ENCODE", "MB/s", "DECODE", "MB/s"]
        assert [row.rsplit(maxsplit=5)[0] for row in rows] == METHODS


def test_json(run: Run) -> None:
    data = json.loads(run("demo", "--json").out)
    for file in data["files"]:
        rows = {row["method"]: row for row in file["rows"]}
        assert list(rows) == METHODS
        assert all(row["bpfp"] == 8 * row["bytes"] / file["numel"] for row in rows.values())
        assert all(row["encode_mb_s"] > 0 and row["decode_mb_s"] > 0 for row in rows.values())
        assert [name for name, row in rows.items() if row["snr_db"] is None] == ["caufc lossless"]
        assert rows["caufc low"]["bytes"] < rows["caufc medium"]["bytes"] < rows["caufc high"]["bytes"]
        assert rows["caufc medium"]["bytes"] < rows["int8 + zstd -3"]["bytes"]
