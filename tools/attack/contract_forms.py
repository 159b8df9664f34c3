"""Forms of random features: layouts, dtypes, frameworks and structures that values ``[B, N, C]`` are put into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caufc.layouts import GRID_LETTERS, Layout
from tools.attack.contract_values import Extent, Values

__all__ = ["Form", "arrange", "cast", "draw_dtype", "draw_layout", "largest", "structured"]

Rng = np.random.Generator
Maker = Callable[[Extent], Values]

LARGEST = {"fp16": 65504.0, "bf16": 3.3895e38, "fp32": float(np.finfo(np.float32).max), "fp64": 1.7e308}
NUMPY = {"fp16": np.float16, "fp32": np.float32, "fp64": np.float64}
MASKS = {"fp16": -65504.0, "bf16": -3.3895e38, "fp32": float(np.finfo(np.float32).min), "fp64": -1e30}
"""What stands for minus infinity in masked scores."""


def largest(dtype: str) -> float:
    """The largest value of a dtype, rounded down."""
    return LARGEST[dtype]


def draw_dtype(rng: Rng) -> str:
    return str(rng.choice(["fp32", "fp16", "bf16", "fp64"], p=[0.45, 0.25, 0.2, 0.1]))


def cast(values: Values, dtype: str, *, torch: bool = False) -> Any:
    """Values in a dtype of numpy or torch, within its range; bf16 needs ml_dtypes or torch, else it is fp32."""
    values = np.where(np.isneginf(values), MASKS[dtype], values)
    values = np.clip(values, -LARGEST[dtype], LARGEST[dtype])
    torch = bool((torch or (dtype == "bf16" and not find_spec("ml_dtypes"))) and find_spec("torch"))
    if torch:
        from torch import bfloat16, from_numpy

        plain = np.array(values, NUMPY.get(dtype, np.float32), order="C")
        return from_numpy(plain).to(bfloat16) if dtype == "bf16" else from_numpy(plain)
    if dtype == "bf16" and find_spec("ml_dtypes"):
        import ml_dtypes

        return np.asarray(values.astype(ml_dtypes.bfloat16))
    return np.asarray(values.astype(NUMPY.get(dtype, np.float32)))


def draw_layout(rng: Rng, extent: Extent) -> str:
    """A layout that an extent can have."""
    special = f"{extent.special} + " if extent.special else ""
    if len(extent.grid) == 3:
        return str(rng.choice(["b c t h w", "b t h w c"]))
    if len(extent.grid) == 2:
        joined = f"b ({special}h w) c"
        return joined if special else str(rng.choice([joined, "b c h w", "b c h w", "b h w c"]))
    if extent.tokens == 1 and rng.random() < 0.7:
        return "b c"
    grouped = ["b g n d", "b n g d"] if _groups(extent.channels) > 1 else []
    return str(rng.choice(["b n c", "b n c", "b n c", *grouped]))


def _groups(channels: int) -> int:
    return next((groups for groups in (8, 4, 3, 2) if channels % groups == 0 and channels > groups), 1)


def arrange(values: NDArray[Any], extent: Extent, layout: str) -> NDArray[Any]:
    """An array ``[B, N, C]`` with its axes as a layout has them; without ``b``, the only sample."""
    terms = Layout(layout).of_batch().terms
    grid = [term for term in terms if term[0] in GRID_LETTERS]
    channels = [term for term in terms if term[0] in "gcd"]
    groups = _groups(extent.channels)
    widths = [groups, extent.channels // groups] if len(channels) == 2 else [extent.channels]
    lengths = list(extent.grid) if len(grid) == len(extent.grid) and not extent.special else [extent.tokens]
    lengths = lengths if grid else []
    order = ["b", *grid, *channels]
    full = values.reshape(extent.samples, *lengths, *widths).transpose([order.index(term) for term in terms])
    return full if Layout(layout).batched else full[0]


@dataclass(frozen=True)
class Form:
    """Features in a structure.

    Args:
        features: tensors in dicts, lists and tuples.
        text: for people.
        options: the layouts that are given.
    """

    features: Any
    text: str
    options: dict[str, Any] = field(default_factory=dict)


def structured(rng: Rng, make: Maker, extent: Extent, dtype: str) -> Form:
    """Values of an extent in some structure; those of several tensors are smaller."""
    names, shares = zip(*((name, share) for name, (_, share) in STRUCTURES.items()), strict=True)
    name = str(rng.choice(names, p=np.array(shares) / sum(shares)))
    torch = rng.random() < 0.1
    form = STRUCTURES[name][0](rng, lambda some: make(some), extent, lambda values: cast(values, dtype, torch=torch))
    return replace(form, text=f"{name} {form.text} {'torch ' if torch else ''}{dtype}")


Cast = Callable[[Values], Any]


def _lone(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    layout = draw_layout(rng, extent)
    if extent.samples == 1 and rng.random() < 0.3:
        layout = layout.removeprefix("b ")
    found = to(arrange(make(extent), extent, layout))
    given = {"layout": layout} if rng.random() < 0.6 else {}
    return Form(found, f"{layout if given else 'no layout'} {list(found.shape)}", given)


def _small(rng: Rng, extent: Extent, samples: int) -> Extent:
    """A tensor beside others."""
    channels = max(1, min(extent.channels, 512) // int(rng.choice((1, 2, 3))))
    return Extent(samples, (int(rng.integers(1, 1 + min(64, max(1, 2048 // (samples * channels))))),), channels)


def _batch(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    samples = max(2, min(extent.samples, 32))
    small = [_small(rng, extent, samples) for _ in range(int(rng.integers(2, 4)))]
    layouts = {f"tap{name}": draw_layout(rng, each) for name, each in zip("abc", small, strict=False)}
    found = {
        name: to(arrange(make(each), each, layout)) for (name, layout), each in zip(layouts.items(), small, strict=True)
    }
    given = {"layout": layouts} if rng.random() < 0.6 else {}
    return Form(found, f"of {len(found)}", given)


def _cache(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Keys 50 times larger than values."""
    each = replace(_small(rng, extent, max(1, min(extent.samples, 8))), channels=32)
    layout = "b g n d"
    found = {
        "keys": to(50 * arrange(make(each), each, layout)),
        "values": to(arrange(make(each), each, layout)),
    }
    return Form(found, f"{list(found['keys'].shape)}", {"layout": layout} if rng.random() < 0.6 else {})


def _single(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    small = [_small(rng, extent, 1) for _ in range(2)]
    found = {
        f"out{number}": to(make(replace(each, grid=(each.tokens + number,)))[0]) for number, each in enumerate(small)
    }
    return Form(found, "of 2", {"layout": "n c"} if rng.random() < 0.6 else {})


def _nested(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    samples = max(2, min(extent.samples, 16))
    a, b, c = (to(make(_small(rng, extent, samples))) for _ in range(3))
    return Form({"layer": {"attention": a, "output": b}, "rest": (c,)}, "of 3")


def _list(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Samples of different lengths."""
    each = _small(rng, extent, 1)
    lengths = rng.integers(1, 2 + each.tokens, max(1, min(extent.samples, 12)))
    found = [to(make(replace(each, grid=(int(length),)))[0]) for length in lengths]
    return Form(found, f"of {len(found)} [T, {each.channels}]", {"layout": "n c"} if rng.random() < 0.6 else {})


def _maps(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Maps that differ in height and width."""
    channels, found = min(16, extent.channels), []
    for _ in range(max(2, min(extent.samples, 6))):
        each = Extent(1, (int(rng.integers(2, 9)), int(rng.integers(2, 9))), channels)
        found.append(to(arrange(make(each), each, "c h w")))
    return Form(found, f"of {len(found)} [{channels}, H, W]", {"layout": "c h w"} if rng.random() < 0.6 else {})


def _tuple(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    each = _small(rng, extent, 1)
    found = tuple(to(make(each)[0]) for _ in range(int(rng.integers(1, 6))))
    return Form(found, f"of {len(found)} {list(found[0].shape)}", {"layout": "n c"} if rng.random() < 0.6 else {})


def _dicts(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Samples of hidden states and a pooled vector."""
    each = _small(rng, extent, 1)
    found = []
    for length in rng.integers(1, 2 + each.tokens, max(2, min(extent.samples, 8))):
        hidden = make(replace(each, grid=(int(length),)))[0]
        found.append({"hidden": to(hidden), "pooled": to(np.where(np.isfinite(hidden), hidden, 0).mean(axis=0))})
    return Form(found, f"of {len(found)}")


def _pyramid(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Maps of one image, each of half the size and twice the channels of the one before."""
    side, channels, found = int(rng.choice((8, 16))), int(rng.choice((4, 8))), []
    for level in range(int(rng.integers(2, 4))):
        each = Extent(1, (side >> level, side >> level), channels << level)
        found.append(to(arrange(make(each), each, "b c h w")))
    return Form(found if extent.samples % 2 else tuple(found), f"of {len(found)} maps")


def _states(rng: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Hidden states of several layers beside their token IDs, as they are stored to train drafters."""
    layers, channels, found = int(rng.integers(2, 5)), min(64, max(8, extent.channels)), []
    for length in rng.integers(4, 24, int(rng.integers(2, 5))):
        ids = rng.integers(0, 30_000, int(length))
        found.append({"hidden_states": to(make(Extent(int(length), (layers,), channels))), "token_ids": ids})
    return Form(found, f"of {len(found)} [T, {layers}, {channels}]")


def _keyed(_: Rng, make: Maker, extent: Extent, to: Cast) -> Form:
    """Vectors by name."""
    rows = make(Extent(33, (1,), min(64, extent.channels)))
    return Form({f"id-{7 * number}": to(row[0]) for number, row in enumerate(rows)}, f"of 33 {rows.shape[-1:]}")


Structure = Callable[[Rng, Maker, Extent, Cast], Form]
STRUCTURES: dict[str, tuple[Structure, float]] = {
    "array": (_lone, 0.60),
    "dict": (_batch, 0.08),
    "cache": (_cache, 0.05),
    "dict of one sample": (_single, 0.05),
    "nested dict": (_nested, 0.05),
    "list": (_list, 0.07),
    "list of maps": (_maps, 0.02),
    "tuple": (_tuple, 0.03),
    "list of dicts": (_dicts, 0.04),
    "pyramid": (_pyramid, 0.015),
    "list of states": (_states, 0.015),
    "keyed": (_keyed, 0.01),
}
