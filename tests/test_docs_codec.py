"""docs/codec.md says what happens: shapes, dtypes and numbers of its two columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caufc.coders.base import FileShare
from caufc.coders.transform import TransformCoder
from caufc.encoder.encoder import Encoder
from caufc.encoder.transform_draft import TransformDraft
from caufc.features import to_source
from caufc.options import make_options

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "codec.md").read_text("utf-8")


def walked(features: Any) -> dict[str, Any]:
    """What stands at each step of one encode and one decode."""
    source = to_source(features)
    (tensor,) = source.tensors
    options = make_options([tensor.name], source.dimensions)
    (draft,) = Encoder(source, options)._drafts()
    assert isinstance(draft, TransformDraft)
    plan = draft.plan(50.0, options.target)
    coder = TransformCoder(plan.config, FileShare(1.0))
    block: Any = tensor.block(0, source.samples)
    tokens = coder._tokens_of(coder._stacked(block))
    aligned, _ = coder.value.forward(tokens.matrix)
    geometry = coder._geometry(tokens.grids, tokens.special)
    coefficients = coder.codec.transform(aligned, geometry)
    assert plan.terms.quantizer is not None
    indices = plan.terms.quantizer(coefficients, coder.codec.steps(1.0).astype(np.float64), geometry.bands)
    encoded = coder.encode(block, plan.terms)
    shapes = [sample.shape for sample in block]
    symbols = coder.decode_symbols(memoryview(encoded.payload), shapes)
    back = coder.reconstruct(symbols, shapes)
    return {
        "plan": plan,
        "tokens": tokens,
        "aligned": aligned,
        "geometry": geometry,
        "coefficients": coefficients,
        "indices": indices,
        "symbols": symbols.state.symbols,
        "back": back,
    }


def row(step: str) -> list[str]:
    """The two cells of a step."""
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| {step} |"))
    return [cell.strip() for cell in line.split("|")[3:5]]


def check(found: dict[str, Any], column: int, tokens: int, channels: int) -> None:
    shape = f"[{tokens}, {channels}]"
    for step, key in (
        ("**format alignment**", "tokens"),
        ("**value alignment**", "aligned"),
        ("**transform**", "coefficients"),
        ("**indices**", "indices"),
        ("symbols", "symbols"),
    ):
        array: NDArray[Any] = getattr(found[key], "matrix", found[key])
        assert array.shape == (tokens, channels)
        assert f"{array.dtype} `{shape}`" in row(step)[column], step
    low, high = found["indices"].min(), found["indices"].max()
    assert f"{low} to {high}" in row("**indices**")[column]
    arrays = found["plan"].config.arrays
    tables, contexts = arrays["tables"].size // 64, arrays["context-map"].size // 40
    assert f"{tables} tables" in row("tables chosen")[column]
    assert f"{contexts} x 40" in row("tables chosen")[column]
    assert f"`[2, 16, {channels}]`" in row("quantiser chosen")[column]
    assert found["plan"].terms.quantizer.costs.shape == (2, 16, channels)
    assert f"{len(arrays)} sections" in row("chunk, file")[column]
    assert f"{len(found['geometry'].passes)} " in row("passes")[column]


def test_a_map(efficientnet: NDArray[np.float32]) -> None:
    found = walked(efficientnet)
    check(found, 0, 49, 1280)
    assert ", ".join(str(len(part.tokens)) for part in found["geometry"].passes) in row("passes")[0]
    assert not found["geometry"].spectral and found["plan"].config.alignment is None
    assert found["tokens"].matrix.flags.c_contiguous
    assert found["back"].shape == (1, 1280, 7, 7) and found["back"].dtype == np.float32


def test_tokens(minilm: list[NDArray[np.float32]]) -> None:
    found = walked(minilm)
    check(found, 1, 354, 384)
    assert found["geometry"].spectral and found["plan"].terms.quantizer.dependent
    assert found["plan"].config.alignment_text == "mean-deviation/channel"
    sizes = [grid[0] for grid in found["tokens"].grids]
    assert f"14 grids of {min(sizes)} to {max(sizes)} tokens" in row("grids")[1]
    assert [sample.shape for sample in found["back"]] == [sample.shape for sample in minilm]


@pytest.mark.parametrize("column", [0, 1])
def test_every_step_has_both_columns(column: int) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 5]
    assert len(rows) > 18
    assert all(line.split("|")[3 + column].strip() for line in rows)


def test_the_files_that_the_pages_name_exist() -> None:
    root = Path(__file__).resolve().parents[1]
    for page in ("codec", "architecture"):
        text = (root / "docs" / f"{page}.md").read_text("utf-8")
        for name in {word for word in text.replace("`", " ").split() if word.endswith(".py")}:
            name = name.strip(",.;:()")
            folders = ("", "caufc", "caufc/encoder", "caufc/codec", "caufc/codec/transform", "caufc/codec/lossless")
            assert any((root / folder / name).is_file() for folder in folders), f"{page}: {name}"
