"""The registry of codecs: unique, whole, and the only place that knows IDs."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import caufc
from caufc.coders.registry import CODECS, Codec, codec_named, codec_of, codec_of_all
from caufc.errors import UnsupportedError

ROOT = Path(caufc.__file__).parent
ENTRIES = {"LOSSLESS", "TRANSFORM", "HYPERPRIOR"}


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_codec_brings_all_its_parts(codec: Codec) -> None:
    coder = codec.load("coder")
    assert {"work", "encode", "decode_symbols", "reconstruct", "channels"} <= set(dir(coder))
    assert codec.lossy == (codec.drafting is not None) == (codec.rate_control is not None)
    if codec.lossy:
        assert hasattr(codec.load("drafting"), "draft")
        assert {"run", "check"} <= set(dir(codec.load("rate_control")))


def test_ids_and_names_are_unique() -> None:
    assert len({codec.id for codec in CODECS}) == len({codec.name for codec in CODECS}) == len(CODECS)
    for codec in CODECS:
        assert codec_of(codec.id, "x") is codec
        assert codec_named(codec.name) is (codec if codec.lossy else None)
    with pytest.raises(UnsupportedError, match="tensor 'x': codec 77 is unknown"):
        codec_of(77, "x")


def test_a_file_is_said_to_be_coded_with_what_loses_something() -> None:
    lossless, transform, hyperprior = CODECS
    assert codec_of_all([]) is codec_of_all([lossless]) is lossless
    assert codec_of_all([lossless, transform, lossless]) is transform
    assert codec_of_all([hyperprior, lossless]) is hyperprior


def comparisons(tree: ast.AST) -> Iterator[ast.expr]:
    """Both sides of all comparisons but those with None."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = (node.left, *node.comparators)
            if not any(isinstance(side, ast.Constant) and side.value is None for side in sides):
                yield from sides


def test_nothing_else_compares_codecs() -> None:
    """Neither IDs nor entries: what differs by codec is a field of its entry, or a method of what it loads."""
    found = []
    for path in ROOT.rglob("*.py"):
        if path.name == "registry.py" and path.parent.name == "coders":
            continue
        for side in comparisons(ast.parse(path.read_text("utf-8"))):
            names = {getattr(side, "id", None), getattr(side, "attr", None)}
            text = ast.unparse(side)
            named = isinstance(side, ast.Constant) and side.value in {codec.name for codec in CODECS if codec.lossy}
            if named or names & ENTRIES or text.endswith(("codec.id", "codec.name", ".codec")):
                found.append(f"{path.relative_to(ROOT)}:{side.lineno} {text}")
    assert found == []
