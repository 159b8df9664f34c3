"""Measures the layouts that caufc chooses when nobody says one: their bytes against those of the best one.

    python -m tools.measure.layouts --data DATA --features FEATURES --audio SOUND.wav --work WORK --results layouts

For every shape of ``layout_shapes.py``: the layout that is chosen, its reason, and the time of the choice; bytes of the
file at equal error, against all layouts that could be meant: the SNR of what is no outlier, whatever the layout, that
the chosen layout has at ``--snr``. Features and points are kept in WORK, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import io
import math
import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import caufc
from caufc.api import encode_to
from caufc.coders.dtypes import to_floats
from caufc.encoder.layout import choose_layouts
from caufc.encoder.options import TensorOptions
from caufc.encoder.source import SourceTensor
from caufc.errors import LayoutError
from caufc.features import to_source
from caufc.types import FLOATS
from tools.measure.layout_shapes import SHAPES, Folders, Shape
from tools.measure.machine import plain_command, write_results
from tools.measure.point_log import PointLog, codec_state
from tools.measure.qualities_common import Figures

SNR_DB = 30.0
NEAR_DB, MOST_DB = 0.02, 200.0
FARTHEST_DB, MOST_FILES = 2.0, 4
"""How far from the wanted SNR a file may be that tells its bytes, and how many are tried."""

FAR = 16.0
"""Values so many times the median distance from the median are outliers."""

REPEATS = 3


def features_of(shape: Shape, folders: Folders, work: Path) -> Any:
    """The features of a shape, made once."""
    import torch

    path = work / f"{_plain(shape.name)}.pt"
    if not path.exists():
        torch.save(shape.make(folders), path)
    return torch.load(path, weights_only=False)


def _plain(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def measured(shape: Shape, features: Any, snr: float) -> Figures:
    """What is chosen, and the bytes of every layout."""
    chosen, seconds = _choice(features)
    layouts = list(dict.fromkeys([*(layout for layout, _ in chosen.values()), *shape.layouts]))
    layouts += [guess for guess in [_guess(layouts[0])] if guess not in layouts]
    own = _coded(features, None, snr)
    if own is None:
        raise SystemExit(f"{shape.name}: no layout")
    sizes = {layout: _size(features, layout, snr, own[1]) for layout in layouts}
    return {
        "chosen": {name: {"layout": layout, "reason": reason} for name, (layout, reason) in chosen.items()},
        "seconds": seconds,
        "tensors": len(chosen),
        "bytes": own[0],
        "snr": own[1],
        "bytes_by_layout": {layout: size for layout, size in sizes.items() if size is not None},
    }


def _choice(features: Any) -> tuple[dict[str, tuple[str, str]], float]:
    """Layout and reason by tensor, and the processor's time."""
    source = to_source(features)
    options = {tensor.name: TensorOptions() for tensor in source.tensors}
    took = []
    for _ in range(REPEATS):
        started = time.process_time()
        found = choose_layouts(source, options)
        took.append(time.process_time() - started)
    return {name: (str(choice.layout), choice.reason) for name, choice in found.items() if choice.layout}, min(took)


def _size(features: Any, layout: str, asked: float, wanted: float) -> int | None:
    """Bytes of a file under one layout for all tensors, where it has the SNR that is wanted.

    Between two files, and a little beyond, the bytes go straight with the SNR. None if the layout does not fit, or if
    no file comes near that SNR.
    """
    found: list[tuple[float, int]] = []
    for _ in range(MOST_FILES):
        made = _coded(features, layout, asked)
        if made is None:
            return None
        found.append((made[1], made[0]))
        if abs(made[1] - wanted) < NEAR_DB:
            return made[0]
        asked += wanted - made[1]
    (one, few), (other, more) = sorted(found, key=lambda point: abs(point[0] - wanted))[:2]
    if abs(one - wanted) > FARTHEST_DB or one == other:
        return None
    return round(few + (more - few) * (wanted - one) / (other - one))


def _coded(features: Any, layout: str | None, snr: float) -> tuple[int, float] | None:
    """Bytes of a file, and the mean SNR of its tensors, of what is no outlier, in dB; None if a layout does not fit."""
    file = io.BytesIO()
    try:
        size = encode_to(file, features, layout=layout, snr=snr).bytes_out
    except LayoutError:
        return None
    given, decoded = (to_source(each).tensors for each in (features, caufc.decode(file.getvalue())))
    found = [_rest_snr(*map(_values, pair)) for pair in zip(given, decoded, strict=True) if pair[0].dtype in FLOATS]
    return size, float(np.mean(found))


def _values(tensor: SourceTensor) -> NDArray[np.float64]:
    return np.concatenate([to_floats(leaf.read().ravel(), tensor.dtype) for leaf in tensor.leaves]).astype(np.float64)


def _rest_snr(values: NDArray[np.float64], decoded: NDArray[np.float64]) -> float:
    """dB over values that are no farther from the median than a multiple of the usual."""
    distances = np.abs(values - np.median(values))
    present = distances[distances > 0]
    rest = distances <= FAR * (np.median(present) if present.size else 0.0)
    energy, noise = (float(np.square(part[rest]).sum()) for part in (values, decoded - values))
    return 10 * math.log10(energy / noise) if energy and noise else MOST_DB


def table(figures: dict[str, Figures], snr: float) -> str:
    """The figures for people."""
    lines = [
        f"Bytes at an SNR of {snr:g} dB; of other layouts at the error that values which are no outliers then have.",
        "*Beyond the best* is how much larger the file is than under the best of all layouts that were tried, one for",
        "all tensors; below 0 where tensors do better with different ones. *Time* is of the processor, for all tensors",
        "of the file.",
        "",
        "| features | chosen | why | bytes | best | bytes | beyond the best | guess by the number of axes | time, ms |",
        "|---|---|---|---:|---|---:|---:|---|---:|",
    ]
    for name, row in figures.items():
        layouts = list(dict.fromkeys(choice["layout"] for choice in row["chosen"].values()))
        reasons = list(dict.fromkeys(choice["reason"] for choice in row["chosen"].values()))
        best = min(row["bytes_by_layout"], key=row["bytes_by_layout"].__getitem__)
        least = row["bytes_by_layout"][best]
        cells = [
            name,
            ", ".join(f"`{layout}`" for layout in layouts),
            reasons[0] + (" and others" if len(reasons) > 1 else ""),
            f"{row['bytes']:,}",
            f"`{best}`",
            f"{least:,}",
            f"{100 * (row['bytes'] / least - 1):+.1f} %",
            _before(row),
            f"{1000 * row['seconds']:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _before(row: Figures) -> str:
    """What the guess by the number of axes takes."""
    guess = _guess(next(iter(row["chosen"].values()))["layout"])
    size = row["bytes_by_layout"].get(guess)
    least = min(row["bytes_by_layout"].values())
    return f"`{guess}`: " + ("refused" if size is None else f"{100 * (size / least - 1):+.1f} %")


def _guess(layout: str) -> str:
    """What stands for as many axes as a layout has, where only their number is known."""
    guesses = {1: "c", 2: "n c", 3: "c h w", 4: "c t h w", 5: "g c t h w"}
    batched = layout.startswith("b ")
    count = len(re.sub(r"\([^)]*\)", "n", layout).split()) - batched
    return f"b {guesses[count]}" if batched else guesses[count]


def main() -> None:
    """Measure all shapes."""
    parser = argparse.ArgumentParser(description="Measure the layouts that caufc chooses against the best ones.")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data folder")
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="what tap_features wrote")
    parser.add_argument("--audio", type=Path, required=True, metavar="FILE", help="a .wav file")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where features and points are kept")
    parser.add_argument("--only", metavar="TEXT", default="", help="shapes whose names hold this")
    parser.add_argument("--snr", type=float, default=SNR_DB, help="dB")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.md and NAME.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    folders = Folders(options.data.resolve(), options.features.resolve(), options.audio.resolve())
    log, figures = PointLog(options.work / "layouts.jsonl"), {}
    for shape in SHAPES:
        if options.only in shape.name:
            features = features_of(shape, folders, options.work)
            figures[shape.name] = log.get(shape.name, codec_state(), partial(measured, shape, features, options.snr))
    shown = table(figures, options.snr)
    print(shown)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"snr_db": options.snr, "shapes": figures}, shown)


if __name__ == "__main__":
    main()
