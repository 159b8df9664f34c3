"""What files say besides their values, in bytes: small files of all kinds, and lone samples under shipped profiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
from safetensors.numpy import load_file

import caufc
from caufc.bitstream import DISTANCE_BYTES, Header
from caufc.bitstream.header import PROFILE_ID_BYTES
from caufc.catalog import shipped_profiles
from caufc.coders.prelude import read_prelude

__all__ = ["additions", "additions_page", "tokens"]

CONTROLS: tuple[dict[str, Any], ...] = (
    {},
    {"quality": "low"},
    {"quality": "high"},
    {"quality": 33},
    {"quality": 100},
    {"quality": 12.345},
    {"snr": 30},
    {"snr": "30/token"},
    {"snr": "27.5/token"},
    {"bpfp": 2},
    {"bpfp": 1.5},
    {"max_error": 0.01},
    {"max_error": 1e-7},
    {"lossless": True},
)
LONE_SETTINGS: tuple[dict[str, Any], ...] = ({}, {"quality": 60})
SHORT_DISTANCE, SHORT_NAME = 4, 8
"""Bytes of a distance of 32 bits, and of a profile's name of 64."""

MOST_ADDED, MOST_OF_CONTROL, MOST_BESIDE = 8, 4, 64
"""Bytes that additions, the control among them, and a lone sample besides its payload are to take at most."""


def _demo(name: str) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    return list(load_file(str(files("caufc") / "data" / "demo" / f"{name}.safetensors")).values())


def tokens() -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Token sequences of texts, ``[T, 384]`` each."""
    return _demo("minilm_hidden3")


def header_of(data: bytes) -> Header:
    """The header of a file."""
    return read_prelude(iter([data]), caufc.Limits()).header


def control_bytes(header: Header) -> tuple[int, int]:
    """What the control takes, and that with the nils before it: what the header is shorter by without it."""
    if header.control is None:
        return 0, 0
    whole = len(header.to_bytes()) - len(replace(header, control=None).to_bytes())
    return 1 + len(header.control.encode()), whole


def additions() -> dict[str, Any]:
    """Bytes of what files say besides: controls, small files, lone samples, the software, metadata, and keys."""
    texts = [text[:40] for text in tokens()]
    plain = len(caufc.encode(texts, layout="n c"))
    keyed = {f"text {number}": text for number, text in enumerate(texts)}
    return {
        "controls": {_named(control): control_bytes(_coded(texts, control)) for control in CONTROLS},
        "small": list(small_files()),
        "lone": list(lone_samples()),
        "distance": DISTANCE_BYTES - SHORT_DISTANCE,
        "profile": PROFILE_ID_BYTES - SHORT_NAME,
        "software": len(caufc.encode(texts, layout="n c", software=True)) - plain,
        "metadata": len(caufc.encode(texts, layout="n c", meta={"model": "esm2"})) - plain,
        "keys": (len(caufc.encode(keyed, layout="n c", keyed=True)) - plain) / len(texts),
        "samples": len(texts),
    }


def _named(control: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in control.items()) or "none given"


def _coded(texts: Sequence[Any], control: Mapping[str, Any]) -> Header:
    return header_of(caufc.encode([*texts], layout="n c", **control))


def small_files() -> Iterator[dict[str, Any]]:
    """Small files without profile, keys or metadata: all their bytes, and those of the additions."""
    text, maps = tokens(), _demo("efficientnet_lite0_last")[0]
    kinds: tuple[tuple[str, Any, dict[str, Any]], ...] = (
        ("a text", [text[0]], {"layout": "n c"}),
        ("14 texts", text, {"layout": "n c"}),
        ("14 texts of an architecture", text, {"layout": "n c", "arch": "hf/sentence-transformers/all-MiniLM-L6-v2"}),
        ("a map", maps[:1], {"layout": "b c h w"}),
        ("14 vectors", np.stack([one.mean(0) for one in text]), {"layout": "b c"}),
        ("a dict of two", {"keys": text[0][None, :5], "ids": np.arange(5)[None]}, {"layout": {"keys": "b n c"}}),
        ("100 integers", np.arange(100), {}),
    )
    settings: tuple[dict[str, Any], ...] = ({}, {"quality": 60}, {"snr": 30}, {"lossless": True})
    for what, features, options in kinds:
        for setting in settings:
            found = caufc.encode(features, **options, **setting)
            yield _additions_of(what, found, setting)
            if not header_of(found).indexed:
                yield _additions_of(what, caufc.encode(features, index=True, **options, **setting), setting)


def _additions_of(what: str, data: bytes, setting: Mapping[str, Any]) -> dict[str, Any]:
    header = header_of(data)
    control, whole = control_bytes(header)
    distance = DISTANCE_BYTES - SHORT_DISTANCE if header.indexed else 0
    return {
        "file": what,
        "setting": _named(setting),
        "indexed": header.indexed,
        "bytes": len(data),
        "control": control,
        "nils": whole - control,
        "added": whole + distance,
    }


def lone_samples() -> Iterator[dict[str, Any]]:
    """A sample under every profile that ships, by dtype and framework: the file's bytes, and those besides payloads."""
    import ml_dtypes
    import torch

    dtypes = {"fp32": np.float32, "fp16": np.float16, "fp64": np.float64, "bf16": ml_dtypes.bfloat16}
    floats = {"fp32": torch.float32, "fp16": torch.float16, "fp64": torch.float64, "bf16": torch.bfloat16}
    forms: dict[str, Callable[[Any, str], Any]] = {
        "torch": lambda array, dtype: torch.from_numpy(array.copy()).to(floats[dtype]),
        "numpy": lambda array, dtype: array.astype(dtypes[dtype]),
    }
    samples = {"efficientnet_lite0-last": _demo("efficientnet_lite0_last")[0][0], "minilm-hidden3": tokens()[0]}
    for profile in shipped_profiles():
        for framework, form in forms.items():
            for dtype in dtypes:
                for setting in LONE_SETTINGS[: 2 if dtype == "fp32" else 1]:
                    data = caufc.Coder(profile, **setting).encode(form(samples[profile], dtype))
                    with caufc.open(data) as reader:
                        payload = sum(tensor["payload_bytes"] for tensor in reader.info.tensors)
                    yield {
                        "profile": profile,
                        "sample": f"{framework} {dtype}",
                        "setting": _named(setting),
                        "bytes": len(data),
                        "beside": len(data) - payload,
                    }


def additions_page(of: Mapping[str, Any]) -> list[str]:
    """The figures as lines of Markdown."""
    lines = ["", "## What files say besides", "", "| addition | bytes |", "|---|---|"]
    lines += [
        f"| the control, {name}: by itself, and with the nils before it | {own}, {whole} |"
        for name, (own, whole) in of["controls"].items()
    ]
    lines += [f"| 64 bits for the distance to the index, not 32 | {of['distance']} |"]
    lines += [f"| a profile's name of 16 bytes, not 8 | {of['profile']} |"]
    lines += [f"| the software, where it is asked for | {of['software']} |"]
    lines += [f"| a text of 4 letters by a name of 5 | {of['metadata']} |"]
    lines += [f"| a key of 6 or 7 letters, a sample, of {of['samples']} | {of['keys']:.1f} |"]
    lines += ["", "### Small files without profile, keys or metadata", "", _within(of["small"]), ""]
    lines += [
        "| file | setting | index | bytes | control | nils before it | all additions |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in of["small"]:
        index = "yes" if one["indexed"] else "no"
        sizes = f"{one['bytes']:,} | {one['control']} | {one['nils']} | {one['added']}"
        lines.append(f"| {one['file']} | {one['setting']} | {index} | {sizes} |")
    over = [one for one in of["lone"] if one["beside"] > MOST_BESIDE]
    lines += ["", "### A lone sample under a profile that ships", ""]
    lines += [
        f"{len(of['lone']) - len(over)} of {len(of['lone'])} take at most {MOST_BESIDE} bytes besides their payload.",
        "",
    ]
    lines += ["| profile | sample | setting | bytes | besides the payload |", "|---|---|---|---|---|"]
    lines += [
        f"| {one['profile']} | {one['sample']} | {one['setting']} | {one['bytes']:,} | {one['beside']} |"
        for one in of["lone"]
    ]
    return lines


def _within(small: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for indexed, what in ((False, "without an index"), (True, "with one")):
        these = [one for one in small if one["indexed"] == indexed]
        most = max(one["added"] for one in these)
        within = sum(one["added"] <= MOST_ADDED for one in these)
        parts.append(
            f"{what}, {within} of {len(these)} take at most {MOST_ADDED} bytes more, and none more than {most}"
        )
    control = max(one["control"] for one in small)
    return f"Files {'; '.join(parts)}. A control takes at most {control} bytes in them ({MOST_OF_CONTROL} are allowed)."
