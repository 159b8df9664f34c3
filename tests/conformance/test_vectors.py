"""Both decoders over all vectors; and the check itself is checked: a mutated vector must turn red."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.catalog import find_profile, lookup_of
from caufc.codec.lossless.integers.codec import DECODERS
from caufc.codec.lossless.integers.nodes import Kind
from caufc.codec.transform.parameters import TABLES, Parameters
from caufc.coders.registry import HYPERPRIOR, TRANSFORM
from caufc.coders.sections import NUMBERS
from caufc.decoder.file_decoder import FileDecoder
from caufc.limits import DEFAULT_LIMITS
from caufc.types import FLOATS
from spec.reference import decoder as reference
from spec.reference.container import CaufError
from tools.make.vector_sums import RELEASED, VECTORS, added, announced, sums
from tools.make.vector_values import LISTED, needed_by

LARGE = 150_000
"""Bytes of vectors that the reference decoder takes seconds for; tools.make.vectors has compared them."""

SLOW = ("floor-channels", "floor-latents")
"""Small vectors of which the same is true."""

SPEC = Path(__file__).resolve().parents[2] / "spec"
VALID = sorted((SPEC / "vectors").glob("*/valid/*.cauf"))
INVALID = sorted((SPEC / "vectors").glob("*/invalid/*.cauf"))
STORAGE = {"fp32": "<f4", "fp16": "<f2", "bf16": "<u2", "fp64": "<f8"}
DAMAGE = {"DamagedError": "Damaged", "MalformedError": "CaufViolation", "LimitError": "LimitExceeded"}


def facts(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return found


def profile_of(path: Path) -> Path | None:
    name = facts(path).get("profile")
    return None if name is None else path.parents[1] / "profiles" / str(name)


def weights_of(path: Path) -> Path | None:
    name = facts(path).get("weights")
    return None if name is None else path.parents[1] / "profiles" / str(name)


def decoder(path: Path) -> FileDecoder:
    profile = profile_of(path)
    given = None if profile is None else find_profile(profile)
    weights = weights_of(path)
    lookup = lookup_of(given, weights)
    return FileDecoder.of(iter([path.read_bytes()]), lookup, DEFAULT_LIMITS)


def test_there_are_vectors() -> None:
    assert len(VALID) >= 40 and len(INVALID) >= 80


@pytest.mark.parametrize("folder", sorted(VECTORS.iterdir()), ids=lambda folder: folder.name)
def test_no_vector_of_a_version_changes(folder: Path) -> None:
    """Files of a released version never change; those that were added since are named, and are new."""
    text = (folder / "SHA256SUMS").read_text()
    assert text == sums(folder)
    assert announced(folder, text, added(folder))
    assert added(folder) <= {line.partition("  ")[2] for line in text.splitlines()}


def test_a_vector_that_changes_or_goes_is_noticed() -> None:
    folder = VECTORS / "1.0"
    lines = (folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    of = {line.rstrip("\n").partition("  ")[2]: number for number, line in enumerate(lines)}
    first = of["valid/tiny.cauf"]
    other = [*lines[:first], f"{'0' * 64}  valid/tiny.cauf\n", *lines[first + 1 :]]
    assert not announced(folder, "".join(other), added(folder))
    assert not announced(folder, "".join(lines[:first] + lines[first + 1 :]), added(folder))
    assert not announced(folder, "".join(lines), added(folder) | {"valid/tiny.cauf"})
    assert not announced(folder, "".join(lines), set())


def test_released_versions_are_there() -> None:
    assert set(RELEASED) <= {folder.name for folder in VECTORS.iterdir()}


def values(path: Path) -> list[bytes]:
    """Bytes of every tensor's values, sample after sample."""
    found = decoder(path)
    if any(config.codec == HYPERPRIOR for config in found.configs):
        pytest.importorskip("torch")
    parts: list[list[bytes]] = [[] for _ in found.configs]
    for chunk in found.samples():
        for listed, samples in zip(parts, chunk.tensors, strict=True):
            listed += [np.ascontiguousarray(sample).tobytes() for sample in samples]
    assert found.count == facts(path)["samples"]
    return [b"".join(part) for part in parts]


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_vectors_give_their_symbols_and_values(path: Path) -> None:
    wanted = facts(path)
    assert decoder(path).symbols_sha256() == wanted["symbols_sha256"]
    for found, tensor in zip(values(path), wanted["tensors"], strict=True):
        if "values_sha256" in tensor:
            assert hashlib.sha256(found).hexdigest() == tensor["values_sha256"]
            continue
        stored = np.frombuffer(found, STORAGE[tensor["dtype"]])
        floats = reference.as_floats(tensor["dtype"], stored)
        assert len(tensor["values"]) > 10
        for position, value, allowed in tensor["values"]:
            assert abs(floats[position] - value) <= allowed


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_all_values_are_there_where_some_are_listed(path: Path) -> None:
    """Of tensors that are not too large, the .npz has all values, those of the JSON among them."""
    kept = np.load(path.with_suffix(".npz")) if path.with_suffix(".npz").exists() else {}
    for number, tensor in enumerate(facts(path)["tensors"]):
        known = f"{number}.values" in kept
        assert known == ("values" in tensor and len(tensor["values"]) <= LISTED)
        for position, value, allowed in tensor["values"] if known else ():
            assert kept[f"{number}.values"][position] == value
            assert kept[f"{number}.allowed"][position] == pytest.approx(allowed, rel=1e-6)


@pytest.mark.parametrize(
    "path",
    [path for path in VALID if path.stat().st_size < LARGE and path.stem not in SLOW],
    ids=lambda path: path.stem,
)
def test_the_reference_decoder_agrees(path: Path) -> None:
    wanted = facts(path)
    decoded = reference.decode(path.read_bytes(), needed_by(path))
    summary = reference.summary(decoded)
    assert decoded.symbols_sha256 == wanted["symbols_sha256"]
    for mine, theirs in zip(summary["tensors"], wanted["tensors"], strict=True):
        assert mine == {**mine, **{key: value for key, value in theirs.items() if key != "values"}}
    for tensor, found in zip(decoded.tensors, values(path), strict=True):
        agree(tensor, found)


def agree(tensor: Any, found: bytes) -> None:
    """Values are the reference's: exactly, or within the tolerance of the specification [CAUF-0222]."""
    stored = b"".join(sample.tobytes() for sample in tensor.samples)
    if tensor.exact or not stored:
        assert stored == found
        return
    sums = np.concatenate([part.ravel() for part in tensor.sums])
    wanted = np.frombuffer(stored, tensor.storage)
    allowed = reference.tolerance(tensor.dtype, wanted, sums)
    mine, theirs = (reference.as_floats(tensor.dtype, x) for x in (np.frombuffer(found, tensor.storage), wanted))
    fixed = allowed == 0
    np.testing.assert_array_equal(mine[fixed], theirs[fixed])
    assert (np.abs(mine[~fixed] - theirs[~fixed]) <= allowed[~fixed]).all()
    if not fixed.all():
        assert np.median(allowed[~fixed]) < 1e-2 * np.abs(theirs[~fixed]).max()


def test_vectors_use_every_tool() -> None:
    tools: set[tuple[object, ...]] = set()
    for path in VALID:
        for number, config in enumerate(decoder(path).configs):
            if config.codec != TRANSFORM or config.leader not in (None, number):
                continue
            parameters = Parameters.from_fields(config.parameters)
            tools |= {(NUMBERS[name], parameters.spectral) for name in config.arrays}
            tools |= {("tables", parameters.spectral, parameters.extents, TABLES in config.arrays)}
            tools |= {("scope", config.alignment.scope if config.alignment else 0), ("dtype", config.dtype)}
    assert {(kind, spectral) for kind in range(3, 10) for spectral in (False, True)} <= tools
    assert {(kind, True) for kind in (10, 11)} <= tools
    choices = [(False, True)] * 3
    assert {("tables", *choice) for choice in itertools.product(*choices)} <= tools
    assert {("scope", scope) for scope in range(3)} <= tools
    assert {("dtype", dtype) for dtype in FLOATS} <= tools


def test_vectors_use_every_kind_of_node(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[Kind] = set()

    def noted(kind: Kind, *arguments: Any) -> Any:
        seen.add(kind)
        return DECODERS[kind](*arguments)

    recording = {kind: functools.partial(noted, kind) for kind in Kind}
    monkeypatch.setattr("caufc.codec.lossless.integers.codec.DECODERS", recording)
    for path in VALID:
        if path.stem.startswith("integers"):
            caufc.decode(path.read_bytes())
    assert seen == set(Kind)


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_vectors_are_refused_for_their_reason(path: Path) -> None:
    wanted = facts(path)
    with pytest.raises(caufc.CaufError) as refusal:
        caufc.decode(path.read_bytes(), profile=profile_of(path), weights=weights_of(path))
    assert type(refusal.value).__name__ == wanted["error"]
    assert getattr(refusal.value, "requirement", wanted["requirement"]) == wanted["requirement"]
    with pytest.raises(CaufError) as second:
        reference.decode(path.read_bytes(), needed_by(path))
    assert type(second.value).__name__ == DAMAGE.get(wanted["error"], "Unsupported")
    assert second.value.requirement == wanted["requirement"]


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_mutated_vector_turns_red(path: Path) -> None:
    data = path.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 12)):
        mutated = bytearray(data)
        mutated[position] ^= 1 << position % 8
        with pytest.raises(caufc.CaufError):
            caufc.decode(bytes(mutated))
        with pytest.raises(CaufError):
            reference.decode(bytes(mutated))


def test_every_requirement_that_an_error_cites_is_in_the_specification() -> None:
    text = (SPEC / "cauf-1.0.md").read_text("utf-8")
    for path in INVALID:
        assert f"CAUF-{facts(path)['requirement']:04d}" in text, path.name
