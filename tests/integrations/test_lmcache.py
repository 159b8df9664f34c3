"""LMCache: keys and values through its storage manager, with the serde of the page."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import caufc

from .neighbours import blocks, decibels, neighbour

torch = pytest.importorskip("torch")
neighbour("lmcache")
api = neighbour("lmcache.v1.distributed.api")
config = neighbour("lmcache.v1.distributed.config")
managers = neighbour("lmcache.v1.distributed.storage_manager")

LAYERS, TOKENS, CHANNELS, CHUNKS = 4, 64, 64, 24
LAYOUT = api.MemoryLayoutDesc([torch.Size([2, LAYERS, TOKENS, CHANNELS])], [torch.bfloat16])
KEYS = [api.ObjectKey(bytes([number]) * 16, "model", 1 << 24) for number in range(CHUNKS)]


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the first block of the page defines; a name is registered once in a process."""
    known: dict[str, Any] = {"__name__": "serve"}
    exec(compile(blocks("lmcache")[0], "serve.py", "exec"), known)
    return known


@pytest.fixture(scope="module")
def chunks() -> list[Any]:
    """Keys and values of text after text, with what the channels of all have in common."""
    generator = torch.Generator().manual_seed(0)
    mixing = torch.randn(2, LAYERS, CHANNELS, CHANNELS, generator=generator) / 8
    mixing *= 2.0 ** -torch.arange(CHANNELS)[:, None].sqrt()
    return [(torch.randn(2, LAYERS, TOKENS, CHANNELS, generator=generator) @ mixing).bfloat16() for _ in KEYS]


@contextmanager
def manager(folder: str, **serde: Any) -> Iterator[Any]:
    """LMCache's storage manager on the adapter ``fs``, as its command line makes it."""
    adapter = {"type": "fs", "base_path": folder, **({"serde": serde} if serde else {})}
    parser = config.add_storage_manager_args(argparse.ArgumentParser())
    arguments = ["--l1-size-gb", "0.1", "--no-l1-use-lazy", "--eviction-policy", "LRU"]
    given = parser.parse_args([*arguments, "--l2-adapter", json.dumps(adapter)])
    given.shm_name = ""
    made = managers.StorageManager(config.parse_args_to_config(given))
    try:
        yield made
    finally:
        made.close()


def put(made: Any, chunks: list[Any], until: Callable[[], bool]) -> None:
    """Write chunks into L1, and wait until L2 has them."""
    reserved = made.reserve_write(KEYS, LAYOUT)
    for key, chunk in zip(KEYS, chunks, strict=True):
        reserved[key].tensor.copy_(chunk)
    made.finish_write(KEYS)
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end, "L2 does not get the chunks"
        time.sleep(0.01)


def stored(folder: str) -> list[Path]:
    """The files of the adapter."""
    return sorted(Path(folder).glob("*.data"))


def found(made: Any) -> list[Any] | None:
    """What a prefetch brings from L2."""
    handle = made.submit_prefetch_task(api.PrefetchTaskSpec([api.GroupedObjectKeys(KEYS, 0, LAYOUT)]))
    assert made.wait_prefetch_status(handle, 60)
    if made.query_prefetch_status(handle).l2_hit_count < CHUNKS:
        return None
    with made.read_prefetched_results(KEYS) as objects:
        copies = [given.tensor.clone() for given in objects]
    made.finish_read_prefetched(KEYS)
    return copies


def test_the_page_is_true(
    page: dict[str, Any],
    chunks: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with manager("plain") as made:
        put(made, chunks, lambda: len(stored("plain")) == CHUNKS)
    exec(compile(blocks("lmcache")[1], "profile.py", "exec"), page)
    bits = float(capsys.readouterr().out.rpartition(": ")[2])
    assert 1 < bits < 6

    serde = {"type": "caufc", "profile": "model.caufp", "heads": 2, "bits": bits}
    with manager("small", **serde) as made:
        put(made, chunks, lambda: len(stored("small")) == CHUNKS)
    assert {path.stat().st_size for path in stored("small")} == {int(chunks[0].numel() * bits / 8)}
    with manager("small", **serde) as made:
        back = found(made)
    assert back is not None and back[0].dtype == torch.bfloat16
    assert all(15 < decibels(x.float(), y.float()) < 60 for x, y in zip(chunks, back, strict=True))
    whole = page["coder"].decode(page["coder"].encode(page["tensors"](chunks[3], 2)))
    assert torch.equal(back[3], torch.stack([torch.stack(whole[name]).flatten(-2) for name in ("keys", "values")]))


def test_a_chunk_has_the_quality_at_which_it_fits(page: dict[str, Any], chunks: list[Any]) -> None:
    coder = caufc.Coder.fit([page["tensors"](chunk, 2) for chunk in chunks], layout="(1 + n) g d")
    serializer = page["CaufSerializer"](coder.profile, 2, 1.5, [70, 50, 33, 20])
    size = serializer.estimate_serialized_size(LAYOUT)
    given, stored = SimpleNamespace(tensor=chunks[0]), SimpleNamespace(byte_array=bytearray(b"x" * size))
    assert serializer.serialize(given, stored, KEYS[0]) == size == len(stored.byte_array)
    lengths = [len(one.encode(page["tensors"](chunks[0], 2))) for one in serializer.coders]
    length = int.from_bytes(stored.byte_array[:4], "little")
    assert length == next(one for one in lengths if one <= size - 4) < lengths[0]
    assert not any(stored.byte_array[4 + length :])
    back = SimpleNamespace(tensor=torch.empty_like(chunks[0]))
    page["CaufDeserializer"](coder.profile, 2).deserialize(stored, back, KEYS[0])
    assert 5 < decibels(chunks[0].float(), back.tensor.float()) < 40


def test_what_does_not_fit_is_a_miss(
    page: dict[str, Any], chunks: list[Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    coder = caufc.Coder.fit([page["tensors"](chunk, 2) for chunk in chunks], layout="(1 + n) g d")
    (tmp_path / "model.caufp").write_bytes(coder.profile)
    serde = {"type": "caufc", "profile": str(tmp_path / "model.caufp"), "heads": 2, "bits": 0.1}
    logger = logging.getLogger("lmcache.v1.distributed.serde.async_processor")
    logger.addHandler(caplog.handler)
    try:
        with manager(str(tmp_path / "small"), **serde) as made:
            put(made, chunks, lambda: "give more bits" in caplog.text)
        with manager(str(tmp_path / "small"), **serde) as made:
            assert found(made) is None and not stored(str(tmp_path / "small"))
    finally:
        logger.removeHandler(caplog.handler)
