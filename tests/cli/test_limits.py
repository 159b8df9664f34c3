"""``--limit``: what a file may ask for, changed by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from caufc.cli.options import parse_limits
from caufc.limits import DEFAULT_LIMITS, Limits

from .conftest import Run


def test_limits_are_changed_by_name() -> None:
    assert parse_limits([]) == DEFAULT_LIMITS
    assert parse_limits(["none"]) == Limits.unlimited()
    changed = parse_limits(["tensors=9", "chunk-elements=1000"])
    assert (changed.tensors, changed.chunk_elements) == (9, 1000)
    assert changed.dimensions == DEFAULT_LIMITS.dimensions
    lifted = parse_limits(["tensors=9", "none"])
    assert (lifted.tensors, lifted.chunk_elements) == (9, Limits.unlimited().chunk_elements)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("tensor=9", "unknown limit 'tensor'; did you mean 'tensors'?"),
        ("tensors", "limit 'tensors' is not NAME=N; for example --limit tensors=1000000"),
        ("tensors=many", "limit 'tensors=many' is not NAME=N; for example --limit tensors=1000000"),
        ("chunk-elements=-1", "limit 'chunk-elements=-1' is not NAME=N; for example --limit chunk_elements=1000000"),
    ],
)
def test_what_is_no_limit(run: Run, maps: Path, given: str, message: str) -> None:
    assert run("encode", maps, "-o", "x.cauf").code == 0
    ran = run("decode", "x.cauf", "-o", "back.npy", "--limit", given)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"caufc: {message}")


def test_a_limit_holds(run: Run, maps: Path) -> None:
    assert run("encode", maps, "-o", "x.cauf").code == 0
    assert run("decode", "x.cauf", "-o", "back.npy", "--limit", "chunk-elements=100").code == 4
    for lifted in ("none", "section-bytes=99999999999999999999999"):
        assert run("decode", "x.cauf", "-o", "back.npy", "--force", "--limit", lifted).code == 0
