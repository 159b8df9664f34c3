"""Make the conformance vectors of the specification, from the demo features that ship with caufc.

    python -m tools.make.vectors [--out spec/vectors/1.0]

Each is a file and a JSON with the SHA-256 of its symbols, and of every tensor's values where these are exact. Where
decoders may differ, it has some of the values with their tolerances, as the reference decoder finds them. Existing
vectors are never rewritten without --force: they pin the format.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import caufc
from caufc import features
from caufc.bitstream import SIGNATURE, BlockParser, HeaderParser, block_bytes
from caufc.catalog import find_weights, lookup_of
from caufc.coders.side_files import read_profile
from caufc.decoder.file_decoder import FileDecoder
from caufc.encoder.origin import Origin
from caufc.fit.profile import fit_profile
from caufc.limits import DEFAULT_LIMITS
from spec.reference import decoder as reference
from tools.make.forced_codec import Forced, forced_file, forced_profile
from tools.make.hand_vectors import hand_files, relying_files
from tools.make.hyperprior_vectors import SEED, farthest_hyper_latent, learned, without_shortcut
from tools.make.integer_vectors import integer_inputs
from tools.make.tiny_weights import tiny_weights
from tools.make.vector_sums import FOLDER, write_sums
from tools.make.vector_values import all_values, bounds, listed

DEMO = resources.files("caufc") / "data" / "demo"


def cnn_map() -> np.ndarray[Any, Any]:
    """A CNN map as a batch of six samples of 24 channels, ``[6, 24, 7, 7]`` fp32."""
    last = features.read(str(DEMO / "efficientnet_lite0_last.safetensors"))["last"].read()
    energy = np.argsort(-last.reshape(1280, -1).sum(1), kind="stable")[:144]
    return np.ascontiguousarray(last[0][np.sort(energy)].reshape(6, 24, 7, 7))


def token_lists() -> list[np.ndarray[Any, Any]]:
    """Ragged token sequences ``[T, 64]`` fp32."""
    samples = features.read(str(DEMO / "minilm_hidden3.safetensors"))
    return [np.ascontiguousarray(samples[name].read()[:, :64]) for name in sorted(samples)[:5]]


def bf16(values: np.ndarray[Any, Any]) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values)).bfloat16()


def fp8(bits: np.ndarray[Any, Any], kind: str) -> Any:
    import torch

    return torch.from_numpy(bits).view(getattr(torch, f"float8_{kind}"))


def kept(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Tokens with a NaN, infinities and a massive activation."""
    out = values.copy()
    out[0, 3], out[1, 5], out[2, 7], out[3, 9] = np.nan, np.inf, -np.inf, 3e5
    return out


@dataclass(frozen=True)
class Valid:
    """A valid vector: what is encoded, and how."""

    name: str
    what: str
    features: Any
    options: dict[str, Any] | Forced

    def encode(self) -> bytes:
        if isinstance(self.options, Forced):
            return forced_file(self.features, self.options)
        return caufc.encode(self.features, **self.options)


def smooth(*shape: int) -> np.ndarray[Any, Any]:
    """Samples with the energy in low frequencies and few channels, ``[B, C, ...]`` fp32."""
    values = np.random.default_rng(shape).standard_normal(shape)
    for axis in range(2, len(shape)):
        values = (values + np.roll(values, 1, axis)) / 2
        values = values + values.mean(axis, keepdims=True)
    values *= np.geomspace(4, 0.2, shape[1]).reshape(-1, *[1] * (len(shape) - 2))
    mixing = np.random.default_rng(shape[1]).standard_normal((shape[1], shape[1])) / np.sqrt(shape[1])
    mixed = np.einsum("bc...,cd->bd...", values, np.eye(shape[1]) + mixing)
    return np.asarray(mixed, np.float32)


def transforms() -> Iterator[Valid]:
    """Vectors of every tool of the transform codec, whatever an encoder would choose."""
    maps, lines = smooth(2, 6, 19, 11), smooth(1, 8, 150)
    special = np.ascontiguousarray(smooth(2, 8, 39).transpose(0, 2, 1))
    ragged = [np.ascontiguousarray(smooth(1, 6, 130)[0, :, :length].T) for length in (37, 70, 1, 0, 130, 9)]
    odd = [smooth(1, 4, *grid)[0] for grid in ((9, 9), (17, 1), (1, 1), (25, 8))]
    steps = np.array([-16, -10, -8, -6, -4, -2, 0, 0, 2, 3, 4, 6, 7, 8, -20, -9], np.int8)
    spectral = Forced("b c h w", 0.25, spectral=True, extents=True)
    square, line, lists = (
        replace(spectral, vectors=6),
        replace(spectral, layout="b c t"),
        replace(spectral, layout="n c"),
    )
    quarter, head = 1 << 30, [1 << 29, -(1 << 27), 3, 0]
    halves = np.array([4, *head, 0, 0, 0, 0], np.int32)
    thirds = np.array([3, quarter, -(1 << 27), 3, 0, 0, 0], np.int32)
    pairs = np.array([1, quarter, 0, 0, 0, -5, 0, (1 << 31) - 1, 0], np.int32)
    named = Origin("snr30/token", "another encoder 3.1, with a name of sixty-four characters, all..")
    for name, what, value, forced in (
        ("lattice", "interlaced, no extents", maps, Forced("b c h w", 0.5)),
        ("lattice-extents", "interlaced, extents", maps, Forced("b c h w", 1.5, extents=True)),
        ("lattice-squares", "squares of one token, ragged", odd, Forced("c h w", 1.0, extents=True)),
        ("lattice-3d", "three grid axes", smooth(2, 4, 3, 6, 10), Forced("b c t h w", 0.7, extents=True)),
        ("lattice-own-tables", "own tables, with a gain", maps, Forced("b c h w", 0.2, own_tables=True, gain=1.5)),
        ("lattice-own-extents", "own tables, extents", maps, Forced("b c h w", 0.2, extents=True, own_tables=True)),
        ("spectral-1d", "frequencies of lines in three blocks", lines, line),
        ("spectral-ragged", "frequencies of ragged lines, chunks", ragged, replace(lists, chunk=4)),
        ("spectral-2d", "frequencies", maps, spectral),
        ("spectral-2d-flat", "frequencies without extents", maps, replace(spectral, extents=False)),
        ("spectral-2d-blocks", "four blocks of frequencies", smooth(1, 2, 70, 66), spectral),
        ("spectral-2d-ragged", "frequencies of ragged maps", odd, replace(spectral, layout="c h w")),
        ("spectral-3d", "frequencies of three grid axes", smooth(2, 4, 3, 9, 7), replace(spectral, layout="b c t h w")),
        ("spectral-special", "one special token", special[:, :37], replace(spectral, layout="b (1 + h w) c")),
        ("spectral-specials", "three special tokens", special, replace(spectral, layout="b (3 + h w) c", chunk=1)),
        ("spectral-no-levels", "no levels", maps, replace(spectral, levels=False)),
        ("spectral-own-tables", "own tables", maps, replace(spectral, own_tables=True, step=0.05)),
        ("spectral-own-flat", "own tables, no extents", maps, replace(spectral, own_tables=True, extents=False)),
        ("spectral-outliers", "many extra bits", maps * np.float32(3e4), spectral),
        ("band-steps", "a step a band", special, replace(spectral, layout="b (2 + h) c", band_steps=steps)),
        ("band-steps-plain", "steps of special tokens", special, Forced("b (2 + h) c", 0.3, band_steps=steps)),
        ("basis", "as many vectors as channels", maps, Forced("b c h w", 0.25, vectors=6)),
        ("basis-short", "fewer vectors than channels", maps, Forced("b c h w", 0.25, vectors=3, extents=True)),
        ("basis-spectral", "basis and frequencies", maps, square),
        ("basis-analysis", "vectors that decoders ignore", maps, replace(square, vectors=5, analysis=True)),
        ("basis-per-token", "basis, statistics per token", special, Forced("b n c", 0.1, vectors=4, per_token=True)),
        ("spectral-per-token", "frequencies, statistics per token", ragged, replace(lists, per_token=True, step=0.05)),
        ("spectral-fp16", "half precision", maps.astype("f2"), square),
        ("spectral-bf16", "bfloat16", bf16(maps), square),
        ("spectral-fp64", "double precision", maps.astype("f8"), replace(square, step=2.0**-20)),
        ("groups", "a basis per group", maps.reshape(2, 2, 3, 19, 11), Forced("b g c h w", 0.25, vectors=3, groups=2)),
        (
            "groups-spectral",
            "bases of groups, frequencies",
            maps.reshape(2, 3, 2, 19, 11),
            replace(spectral, layout="b g c h w", vectors=2, groups=3),
        ),
        ("dependent", "dependent indices", maps, Forced("b c h w", 0.2, dependent=True)),
        ("dependent-spectral", "basis, frequencies, extents", maps, replace(square, vectors=5, dependent=True)),
        ("control-and-software", "what the header says for people", maps, replace(square, origin=named)),
        ("control-in-words", "a control that is no code", maps, replace(square, origin=Origin("as small as can be"))),
        ("turns", "halves of channels turned", special, Forced("b n c", 0.1, vectors=8, turns=halves)),
        ("turns-special", "neighbours turned", special, replace(lists, layout="b (2 + t) c", turns=pairs, vectors=5)),
        ("turns-ragged", "turns alone, of ragged samples", ragged, Forced("n c", 0.1, turns=thirds, per_token=True)),
        ("turns-fp16", "turns, half precision", special.astype("f2"), Forced("b n c", 0.05, turns=pairs)),
        ("turns-fp64", "turns, double precision", special.astype("f8"), Forced("b n c", 2.0**-20, turns=pairs)),
        ("dependent-lone", "one channel", maps[:, :1], Forced("b c h w", 0.2, dependent=True)),
    ):
        yield Valid(name, what, value, forced)


def valid() -> Iterator[Valid]:
    """All valid vectors."""
    maps, lists = cnn_map(), token_lists()
    tokens = np.concatenate(lists)
    square = np.stack([np.concatenate([tokens[:17], tokens[17:34]])[i : i + 17] for i in (0, 8, 17)])
    tiny = np.ascontiguousarray(maps[:2, :8, :2, :2])
    yield Valid("tiny", "two samples of 8 channels, the file that the specification explains", tiny,
                Forced("b c h w", 0.25, spectral=True, extents=True, gain=2.0))  # fmt: skip
    yield Valid("cnn-fp32", "CNN maps, medium quality, chunks and index", maps, {"chunk": 2})
    yield Valid("cnn-fp16-low", "half precision, low quality", maps.astype(np.float16), {"quality": "low"})
    yield Valid("cnn-bf16-high", "bfloat16, high quality", bf16(maps), {"quality": "high"})
    yield Valid("cnn-nhwc", "channels last", np.ascontiguousarray(maps.transpose(0, 2, 3, 1)), {"layout": "b h w c"})
    yield Valid("tokens-ragged", "a list of ragged samples, statistics per channel", lists, {"chunk": 2})
    yield Valid("tokens-tuple", "a tuple of samples", tuple(lists[:2]), {"quality": 30})
    yield Valid("tokens-special", "special tokens", square, {"layout": "b (1 + h w) c"})
    yield Valid("tokens-fp64", "double precision", tokens.astype(np.float64), {"layout": "n c", "snr": 60})
    yield Valid("per-token", "statistics per token", lists, {"align": "mean-deviation/token"})
    yield Valid("min-max", "one range for all", maps, {"align": "min-max"})
    yield Valid("truncated", "values clipped to a range", maps, {"align": "min-max", "truncate": (0.0, 2.0)})
    yield Valid("percentile", "statistics per channel by percentiles", lists, {"align": "percentile/channel"})
    yield Valid("robust", "median and quartiles", lists, {"align": "robust/channel"})
    yield Valid("given-statistics", "statistics from the caller", lists, {"align": "mean-deviation:0.0,0.5"})
    yield Valid("snr", "20 dB over the whole file", {"map": maps, "tokens": tokens}, {"snr": 20})
    yield Valid("bpfp", "half a bit a feature point", maps, {"bpfp": 0.9})
    yield Valid("max-error", "an error bound", maps, {"max_error": 0.01})
    yield Valid("max-error-fp16", "an error bound near the precision", tokens.astype(np.float16), {"max_error": 4e-4})
    yield Valid("nonfinite", "NaN, infinities and outliers kept", [kept(x) for x in lists], {"nonfinite": "keep"})
    yield Valid("outliers", "symbols with many extra bits", tokens * np.geomspace(1, 1e5, 64, dtype="f4"),
                {"align": "none", "snr": 90})  # fmt: skip
    sinks = np.stack([tokens[:40], tokens[30:70]])
    sinks[0, 0] *= 3000
    sinks[1, 5, 9] = -4e4
    yield Valid("token-scales", "a token and a value far larger than the rest", sinks, {})
    yield Valid("token-snr", "30 dB in every token", sinks, {"snr": "30/token"})
    yield Valid("token-scales-fp16", "scales of tokens, half precision", sinks.astype("f2"), {"snr": 25})
    far = tokens.copy()
    far[:, 11] = 7e4 + 2 * far[:, 11]
    yield Valid("wide-offsets", "a channel far from 0", far, {"layout": "n c"})
    yield Valid("key-value", "a key-value cache", {"k": square[:, None, :, :32], "v": square[:, None, :, 32:]},
                {"layout": "b g t d"})  # fmt: skip
    yield Valid("pooled", "pooled vectors", maps.mean((2, 3)), {})
    yield Valid("zeros", "nothing but zeros", np.zeros((3, 8, 4, 4), np.float32), {})
    for name, stored in (
        ("fp32", maps),
        ("fp16", maps.astype("f2")),
        ("bf16", bf16(maps)),
        ("fp64", maps.astype("f8")),
    ):
        yield Valid(f"lossless-{name}", "without loss", stored[:3], {"lossless": True})
    yield Valid("lossless-tokens", "without loss, dense values", tokens, {"lossless": True})
    yield Valid("lossless-ragged", "without loss, a sequence of ragged samples", lists, {"lossless": True})
    integers = {t: np.arange(-40 if t[0] == "i" else 0, 40).astype(t) ** 1 for t in
                ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")}  # fmt: skip
    mask = np.arange(80) < 55
    yield Valid("integers", "integers and booleans beside features",
                {"features": tokens[:80], "mask": mask, "meta": integers}, {})  # fmt: skip
    for name, what, values in integer_inputs():
        yield Valid(name, what, values, {})
    yield Valid("nested", "one sample of nested structure",
                {"a": {"b": [tokens[:9], tokens[9:12]], 3: (maps[0],)}, "scalar": np.array(1.5, np.float32)},
                {})  # fmt: skip
    beside = {
        "features": tokens[:40],
        "ids": [f"token {n} é" for n in range(40)],
        **{"model": "minilm", "layer": 3, "score": 0.1, "done": True, "nothing": None},
        "nested": {"a": [1, (2.5, "b")], 7: b"\x00\xff"},
    }
    yield Valid("notes-batch", "text, numbers, booleans beside a batch", beside, {"chunk": 16})
    noted = [{"x": x, "label": n or None, "text": "é" * n, "same": 1.5} for n, x in enumerate(lists)]
    yield Valid("notes-list", "notes that differ between samples, and some that do not", noted, {})
    long = {"x": lists[0], "log": "step 1\n" * 900}
    yield Valid("notes-deflated", "a long note in the header", long, {})
    yield Valid("notes-long", "a note that is too long for the header", long, {"layout": "n c"})
    yield Valid("keyed", "keyed samples, chunks and an index with keys",
                {f"protein/{n:03}": x for n, x in enumerate(lists)}, {"keyed": True, "chunk": 2})  # fmt: skip
    yield Valid("keyed-dicts", "keyed samples of several tensors, one chunk",
                {n - 1: {"x": x, "m": x.mean(0), "n": n} for n, x in enumerate(lists)}, {"keyed": True})  # fmt: skip
    yield Valid("metadata", "metadata by name", maps[:2], {"meta": {"run": "7", "größe": "ü\n"}})
    bits = np.arange(248, dtype="u1").reshape(4, 62)
    yield Valid("fp8", "the dtypes of 8-bit floats", {name: fp8(bits, name) for name in
                ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz", "e8m0fnu")}, {})  # fmt: skip
    yield Valid("joined-grid", "a grid on one axis, without special tokens", square[:, 1:], {"layout": "b (h w) c"})
    yield Valid("arch-and-tap", "an architecture and a tap by name", maps, {"arch": "timm/resnet50", "tap": "layer4"})
    for name, stored in (("fp16", tokens.astype("f2")), ("bf16", bf16(tokens)), ("fp64", tokens.astype("f8"))):
        yield Valid(f"per-token-{name}", "statistics per token", stored, {"align": "robust/token", "layout": "n c"})
    largest = (tokens * np.float32(65504 / np.abs(tokens).max())).astype("f2")
    yield Valid("largest-fp16", "values up to the largest of half precision", largest, {"quality": 0})
    yield Valid("stored-floats", "too few floats to code", tokens[:1, :7], {"lossless": True})
    yield Valid("empty-batch", "no samples", np.zeros((0, 5), np.float32), {})
    yield Valid("zero-size", "samples without values", [np.zeros((0, 6), np.float32), np.ones((2, 6), np.float32)], {})
    yield Valid("large-transform", "a million values, to time decoders", smooth(4, 64, 63, 62), {"quality": "medium"})
    sparse = np.maximum(smooth(4, 64, 63, 62) - np.float32(1.5), 0).astype(np.float16)
    yield Valid("large-lossless", "a million sparse values, to time decoders", sparse, {"lossless": True})
    yield Valid("constant", "one value", np.full((2, 3, 9, 9), 2.5, np.float32), {"lossless": True})


def by_hand(tiny: bytes) -> bytes:
    """A file with what caufc does not write: a later minor version, ancillary blocks and sections, one given twice."""
    parser = HeaderParser(DEFAULT_LIMITS)
    parser.feed(tiny)
    found = parser.next()
    if found is None:
        raise SystemExit("no header")
    _, seed, length = found
    head = bytearray(tiny[: length - 4])
    head[len(SIGNATURE) + 1] = 7
    new = zlib.crc32(head)
    blocks = BlockParser(seed, length, DEFAULT_LIMITS)
    blocks.feed(tiny[length:])
    out = bytes(head) + new.to_bytes(4, "little")
    while blocks.pending:
        block = blocks.next()
        if block is None:
            raise SystemExit("no block")
        again = 2 if block.tag == "S" else 1
        out += block_bytes("S", b"\xac\x02whatever", new) if block.tag == "S" else b""
        out += again * block_bytes(block.tag, bytes(block.body), new) + block_bytes("x", b"ancillary", new)
    return out[: -len(block_bytes("x", b"ancillary", new))]


def expected(data: bytes, profile: Path | None = None, weights: Path | None = None) -> dict[str, Any]:
    """What a decoder must find in a file; both decoders have found it."""
    given = None if profile is None else read_profile(profile.read_bytes(), DEFAULT_LIMITS)
    model = None if weights is None else find_weights(weights)
    lookup = lookup_of(given, weights=model)
    decoder = FileDecoder.of(iter([data]), lookup, DEFAULT_LIMITS)
    parts: list[list[bytes]] = [[] for _ in decoder.configs]
    for chunk in decoder.samples():
        for found, samples in zip(parts, chunk.tensors, strict=True):
            found += [np.ascontiguousarray(sample).tobytes() for sample in samples]
    known = {} if given is None or profile is None else {given.id: profile.read_bytes()}
    if model is not None and weights is not None:
        known[model.id] = weights.read_bytes()
    second = reference.decode(data, known)
    tensors = [
        {"name": config.name, "dtype": config.dtype, "shape": list(config.template), **values(tensor, b"".join(found))}
        for config, tensor, found in zip(decoder.configs, second.tensors, parts, strict=True)
    ]
    again = FileDecoder.of(iter([data]), lookup, DEFAULT_LIMITS)
    symbols = again.symbols_sha256()
    if symbols != second.symbols_sha256:
        raise SystemExit("the decoders find other symbols")
    beside = {"metadata": second.metadata, "keys": second.keys}
    return {"samples": decoder.count, "symbols_sha256": symbols, **beside, "tensors": tensors}


def values(tensor: Any, found: bytes) -> dict[str, Any]:
    """The digest of exact values, else some of the values as (position, value, tolerance)."""
    wanted = b"".join(sample.tobytes() for sample in tensor.samples)
    if tensor.exact or not wanted:
        if wanted != found:
            raise SystemExit("the decoders find other values")
        return {"values_sha256": hashlib.sha256(found).hexdigest()}
    floats, allowed = bounds(tensor)
    mine = reference.as_floats(tensor.dtype, np.frombuffer(found, tensor.storage))
    given = allowed == 0
    near = np.abs(mine[~given] - floats[~given]) <= allowed[~given]
    if not near.all() or not np.array_equal(mine[given], floats[given], equal_nan=True):
        raise SystemExit("the decoders differ by more than the tolerance")
    return {"values": listed(floats, allowed)}


def write(folder: Path, name: str, data: bytes, facts: dict[str, Any], force: bool) -> None:
    """Write a vector and its JSON."""
    path = folder / f"{name}.cauf"
    if path.exists() and not force:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    text = json.dumps(facts, indent=1)
    text = re.sub(r"\[\s+(-?\d[^\[\]]*?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text)
    (folder / f"{name}.json").write_text(text + "\n")
    print(f"{path}: {len(data)} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--force", action="store_true", help="rewrite vectors that are there")
    options = parser.parse_args()
    for vector in (*valid(), *transforms()):
        data = vector.encode()
        facts = {"description": vector.what, **expected(data)}
        write(options.out / "valid", vector.name, data, facts, options.force)
        if vector.name == "tiny":
            data = by_hand(data)
            facts = {
                "description": "a later minor version, ancillary blocks and sections, a section given twice",
                **expected(data),
            }
            write(options.out / "valid", "ancillary", data, facts, options.force)
    with_profile(options.out, options.force)
    with_stack(options.out, options.force)
    with_weights(options.out, options.force)
    by_hand_files(options.out, options.force)
    with_values(options.out / "valid", options.force)
    write_sums(options.out)


def with_values(folder: Path, force: bool) -> None:
    """All values of vectors that list some, beside them."""
    for path in sorted(folder.glob("*.cauf")):
        into = path.with_suffix(".npz")
        inexact = any("values" in tensor for tensor in json.loads(path.with_suffix(".json").read_text())["tensors"])
        if inexact and (force or not into.exists()) and (found := all_values(path)):
            np.savez_compressed(into, **found)


def with_profile(out: Path, force: bool) -> None:
    """Two files that rely on a profile, one sample each, and the profile."""
    lists = token_lists()
    folder = out / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokens.caufp"
    if force or not path.exists():
        path.write_bytes(fit_profile(lists))
    for name, value, what in (
        ("profile-list", lists[:1], "a sample that relies on a profile"),
        ("profile-other-dtype", [lists[1].astype(np.float16)], "a sample that overrides a profile's dtype"),
    ):
        profiled(out, name, what, value, path, force)
    maps = smooth(2, 6, 19, 11)
    wanted = Forced("b c h w", 0.25, spectral=True, extents=True, vectors=4, analysis=True, own_tables=True)
    path = folder / "analysis.caufp"
    if force or not path.exists():
        path.write_bytes(forced_profile(maps, wanted))
    profiled(out, "profile-analysis", "a basis with analysis vectors in a profile", maps[:1], path, force)
    gained = folder / "gain.caufp"
    if force or not gained.exists():
        gained.write_bytes(forced_profile(maps, replace(wanted, gain=3.0)))
    profiled(out, "profile-gain", "a profile with a gain, which is not taken", maps[:1], gained, force)
    what = "a file that leaves out what its profile has"
    profiled(out, "profile-emptied", what, maps[:1], path, force, max_error=0.1)


def with_stack(out: Path, force: bool) -> None:
    """A file that relies on a profile which stacks tensors, and one that has the profile's sections itself."""
    path = out / "profiles" / "stack.caufp"
    if force or not path.exists():
        path.write_bytes(fit_profile(caches(24)))
    few = caches(2)
    profiled(out, "stack-profiled", "stacked tensors, as a profile has them", few, path, force)
    profiled(out, "stack-dissolved", "tensors that only a profile stacks", few, path, force, snr=20)
    data = caufc.encode([{name: few[name][0] for name in few}], profile=path)
    facts = {"description": "stacked tensors of a list", **expected(data)}
    write(out / "valid", "stack", data, facts, force)


def caches(samples: int) -> dict[str, np.ndarray[Any, Any]]:
    """Keys of four layers that have much in common, ``[B, 2, 19, 4]`` fp32 each."""
    common = np.random.default_rng(samples).standard_normal((samples, 19, 6))
    found = {}
    for layer in range(4):
        rng = np.random.default_rng(layer)
        keys = common @ rng.standard_normal((6, 8)) + 0.05 * rng.standard_normal((samples, 19, 8))
        found[f"keys.{layer}"] = keys.reshape(samples, 19, 2, 4).transpose(0, 2, 1, 3).astype("f4") * (1 + layer)
    return found


def with_weights(out: Path, force: bool) -> None:
    """Files of the learned codec, and tiny weights."""
    folder = out / "profiles"
    for name, options in (("tiny", {}), ("plain", {"shortcut": False})):
        path = folder / f"{name}.caufw"
        if force or not path.exists():
            path.write_bytes(tiny_weights(SEED, **options))
    for vector, name in [(vector, "tiny") for vector in learned()] + [(without_shortcut(), "plain")]:
        path = folder / f"{name}.caufw"
        data = vector.encode(path)
        named = {"weights": path.name} if vector.named else {}
        facts = {"description": vector.what, **named, **expected(data, weights=path if vector.named else None)}
        write(out / "valid", vector.name, data, facts, force)


def by_hand_files(out: Path, force: bool) -> None:
    """Files that caufc does not write, and the ends of the learned codec."""
    tiny = out / "profiles" / "tiny.caufw"
    farthest = ("hyperprior-farthest", "the largest hyper-latent", farthest_hyper_latent(tiny))
    for name, what, data in (*hand_files(), farthest):
        write(out / "valid", name, data, {"description": what, **expected(data)}, force)
    for what, file in relying_files():
        needed = file.write_others(out / "profiles")
        paths = {kind: out / "profiles" / name for kind, name in needed.items()}
        facts = {"description": what, **needed, **expected(file.data, **paths)}
        write(out / "valid", file.name, file.data, facts, force)


def profiled(out: Path, name: str, what: str, value: Any, path: Path, force: bool, **options: Any) -> None:
    """A file that relies on a profile."""
    data = caufc.encode(value, profile=path, embed_profile=False, **options)
    facts = {"description": what, "profile": path.name, **expected(data, path)}
    write(out / "valid", name, data, facts, force)


if __name__ == "__main__":
    main()
