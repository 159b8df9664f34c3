"""Rows of `integrations`: arrays in chunks: zarr and numcodecs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import caufc
from tools.measure.integration_row import Neighbour, Samples, Way

__all__ = ["ROWS"]


def write_zarr(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import zarr

    from caufc.integrations.zarr import CaufCodec

    codec = CaufCodec(layout="b c")
    zarr.create_array(folder / "a.zarr", data=samples[0], serializer=codec, compressors=None)


def read_zarr(folder: Path) -> Any:
    import zarr

    return [zarr.open_array(folder / "a.zarr", mode="r")[:]]


def write_zarr_today(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import zarr

    zarr.create_array(folder / "a.zarr", data=samples[0].astype(np.float16))


def read_zarr_today(folder: Path) -> Any:
    import zarr

    return [zarr.open_array(folder / "a.zarr", mode="r")[:]]


def write_numcodecs(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    from caufc.integrations.numcodecs import Cauf

    (folder / "a").write_bytes(Cauf(layout="b c").encode(samples[0]))


def read_numcodecs(folder: Path) -> Any:
    from caufc.integrations.numcodecs import Cauf

    return [Cauf().decode((folder / "a").read_bytes())]


def write_numcodecs_today(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import numcodecs

    (folder / "a").write_bytes(numcodecs.Blosc("zstd").encode(samples[0].astype(np.float16)))


def read_numcodecs_today(folder: Path) -> Any:
    import numcodecs

    data = numcodecs.Blosc("zstd").decode((folder / "a").read_bytes())
    return [np.frombuffer(data, np.float16).reshape(-1, 384)]


ROWS = [
    Neighbour(
        "zarr",
        "zarr",
        "matrix",
        Way("CaufCodec", write_zarr, read_zarr),
        Way("float16 with zstd, its default", write_zarr_today, read_zarr_today),
    ),
    Neighbour(
        "numcodecs",
        "numcodecs",
        "matrix",
        Way("Cauf", write_numcodecs, read_numcodecs),
        Way("float16 with Blosc of zstd", write_numcodecs_today, read_numcodecs_today),
    ),
]
