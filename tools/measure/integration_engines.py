"""Rows of `integrations`: engines that run on many machines: Ray Data. Its first use starts a cluster on this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import caufc
from tools.measure.integration_row import Neighbour, Samples, Way

__all__ = ["ROWS"]


def write_ray(samples: Samples, coder: caufc.Coder, folder: Path) -> None:
    import ray

    from caufc.integrations.ray import CaufDatasink

    rows = ray.data.from_items([{"features": sample} for sample in samples], override_num_blocks=1)
    rows.write_datasink(CaufDatasink(folder / "a", profile=coder.profile))


def read_ray(folder: Path) -> Any:
    from caufc.integrations.ray import read_cauf

    return [row["features"] for row in read_cauf(folder / "a").iter_rows()]


def write_ray_today(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import ray

    rows = ray.data.from_items([{"x": sample.astype(np.float16)} for sample in samples], override_num_blocks=1)
    rows.write_parquet(str(folder / "a"))


def read_ray_today(folder: Path) -> Any:
    import ray

    return [row["x"] for row in ray.data.read_parquet(str(folder / "a")).iter_rows()]


ROWS = [
    Neighbour(
        "Ray Data",
        "ray",
        "texts",
        Way("CaufDatasink", write_ray, read_ray),
        Way("tensors of float16 in Parquet, its default", write_ray_today, read_ray_today),
    ),
]
