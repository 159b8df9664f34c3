"""Rows of `integrations`: samples one by one, in tables and shards: datasets, Arrow, webdataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import caufc
from tools.measure.integration_row import Neighbour, Samples, Way

__all__ = ["ROWS"]


def write_datasets(samples: Samples, coder: caufc.Coder, folder: Path) -> None:
    import datasets

    from caufc.integrations.datasets import CaufTensor

    features = datasets.Features({"x": CaufTensor(profile=coder)})
    datasets.Dataset.from_dict({"x": samples}, features=features).to_parquet(folder / "a.parquet")


def read_datasets(folder: Path) -> Any:
    import datasets

    stream = datasets.load_dataset("parquet", data_files=str(folder / "a.parquet"), split="train", streaming=True)
    return [row["x"] for row in stream]


def write_datasets_today(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import datasets

    features = datasets.Features({"x": datasets.List(datasets.Value("float16"))})
    halves = [sample.astype(np.float16) for sample in samples]
    datasets.Dataset.from_dict({"x": halves}, features=features).to_parquet(folder / "a.parquet")


def read_datasets_today(folder: Path) -> Any:
    import datasets

    stream = datasets.load_dataset("parquet", data_files=str(folder / "a.parquet"), split="train", streaming=True)
    return [row["x"] for row in stream.with_format("numpy")]


def write_arrow(samples: Samples, coder: caufc.Coder, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from caufc.integrations.arrow import CaufArray

    pq.write_table(pa.table({"x": CaufArray.of(samples, coder)}), folder / "a.parquet")


def read_arrow(folder: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(folder / "a.parquet")["x"].combine_chunks().to_numpy_ndarray()


def write_arrow_today(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.stack(samples).astype(np.float16))
    pq.write_table(pa.table({"x": tensors}), folder / "a.parquet", compression="zstd")


def read_arrow_today(folder: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(folder / "a.parquet")["x"].combine_chunks().to_numpy_ndarray()


def write_shards(samples: Samples, coder: caufc.Coder, folder: Path) -> None:
    from caufc.integrations.webdataset import CaufShardWriter

    with CaufShardWriter(f"{folder}/a-%d.tar", coder, verbose=0) as sink:
        for number, sample in enumerate(samples):
            sink.write({"__key__": str(number), "cauf": sample})


def read_shards(folder: Path) -> Any:
    import webdataset as wds

    from caufc.integrations.webdataset import CaufDecoder

    return [sample["cauf"] for sample in wds.WebDataset(f"{folder}/a-0.tar", shardshuffle=False).map(CaufDecoder())]


def write_shards_today(samples: Samples, _: caufc.Coder, folder: Path) -> None:
    import webdataset as wds

    with wds.ShardWriter(f"{folder}/a-%d.tar", verbose=0) as sink:
        for number, sample in enumerate(samples):
            sink.write({"__key__": str(number), "npy": sample.astype(np.float16)})


def read_shards_today(folder: Path) -> Any:
    import webdataset as wds

    return [sample["npy"] for sample in wds.WebDataset(f"{folder}/a-0.tar", shardshuffle=False).decode()]


ROWS = [
    Neighbour(
        "Hugging Face datasets",
        "datasets",
        "vectors",
        Way("CaufTensor", write_datasets, read_datasets),
        Way("lists of float16 in Parquet", write_datasets_today, read_datasets_today),
    ),
    Neighbour(
        "Apache Arrow",
        "pyarrow",
        "vectors",
        Way("CaufArray", write_arrow, read_arrow),
        Way("fixed-shape tensors of float16, Parquet with zstd", write_arrow_today, read_arrow_today),
    ),
    Neighbour(
        "webdataset",
        "webdataset",
        "texts",
        Way("CaufShardWriter", write_shards, read_shards),
        Way("`.npy` of float16", write_shards_today, read_shards_today),
    ),
]
