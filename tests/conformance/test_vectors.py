"""Both decoders over all vectors; and the check itself is checked: a mutated vector must turn red."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import caufc
from caufc.limits import DEFAULT_LIMITS
from caufc.pipeline.decoder import FileDecoder
from caufc.profiles import find_profile, profile_lookup

SPEC = Path(__file__).resolve().parents[2] / "spec"
VALID = sorted((SPEC / "vectors" / "valid").glob("*.cauf"))
INVALID = sorted((SPEC / "vectors" / "invalid").glob("*.cauf"))
DAMAGE = {"DamagedError": "Damaged", "MalformedError": "CaufViolation"}


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    sys.path.insert(0, str(SPEC))
    try:
        return importlib.import_module("refdecoder")
    finally:
        sys.path.remove(str(SPEC))


def facts(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return found


def profile_of(path: Path) -> Path | None:
    name = facts(path).get("profile")
    return None if name is None else SPEC / "vectors" / "profiles" / str(name)


def decoder(path: Path) -> FileDecoder:
    profile = profile_of(path)
    given = None if profile is None else find_profile(profile)
    return FileDecoder(iter([path.read_bytes()]), profile_lookup(given), DEFAULT_LIMITS)


def test_there_are_vectors() -> None:
    assert len(VALID) >= 40 and len(INVALID) >= 80


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_valid_vectors_give_their_symbols_and_values(path: Path) -> None:
    wanted = facts(path)
    assert decoder(path).symbols_sha256() == wanted["symbols_sha256"]
    found = decoder(path)
    digests = [hashlib.sha256() for _ in found.setups]
    for chunk in found.samples():
        for digest, samples in zip(digests, chunk.tensors, strict=True):
            for sample in samples:
                digest.update(np.ascontiguousarray(sample).tobytes())
    assert found.count == wanted["samples"]
    assert [digest.hexdigest() for digest in digests] == [tensor["values_sha256"] for tensor in wanted["tensors"]]


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_the_reference_decoder_agrees(path: Path, reference: ModuleType) -> None:
    wanted, profile = facts(path), profile_of(path)
    profiles = {} if profile is None else {hashlib.sha256(profile.read_bytes()).digest()[:8]: profile.read_bytes()}
    decoded = reference.decode(path.read_bytes(), profiles)
    summary = reference.summary(decoded)
    assert decoded.symbols_sha256 == wanted["symbols_sha256"]
    for mine, theirs in zip(summary["tensors"], wanted["tensors"], strict=True):
        assert {key: mine[key] for key in theirs} == theirs


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_vectors_are_refused_for_their_reason(path: Path, reference: ModuleType) -> None:
    wanted = facts(path)
    with pytest.raises(caufc.CaufError) as refusal:
        caufc.decode(path.read_bytes())
    assert type(refusal.value).__name__ == wanted["error"]
    assert getattr(refusal.value, "requirement", wanted["requirement"]) == wanted["requirement"]
    with pytest.raises(reference.CaufError) as second:
        reference.decode(path.read_bytes())
    assert type(second.value).__name__ == DAMAGE.get(wanted["error"], "Unsupported")
    assert second.value.requirement == wanted["requirement"]


@pytest.mark.parametrize("path", VALID[::6], ids=lambda path: path.stem)
def test_a_mutated_vector_turns_red(path: Path, reference: ModuleType) -> None:
    data = path.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 40)):
        mutated = bytearray(data)
        mutated[position] ^= 1 << position % 8
        with pytest.raises(caufc.CaufError):
            caufc.decode(bytes(mutated))
        with pytest.raises(reference.CaufError):
            reference.decode(bytes(mutated))


def test_every_requirement_that_an_error_cites_is_in_the_specification() -> None:
    text = (SPEC / "cauf-1.0.md").read_text("utf-8")
    for path in INVALID:
        assert f"CAUF-{facts(path)['requirement']:04d}" in text, path.name
