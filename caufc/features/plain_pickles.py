"""Pickles without an archive: plain ones, and files of ``torch.save`` from before torch 1.6, which plain ones can hold.

``pickle.dump`` writes every storage of a tensor as such a file within the pickle.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..limits import Limits
from .pickle_machine import Maker, PickleError, PickleMachine
from .pickled import PickledStorage, makers_of, storage_of
from .pickled_classes import finder
from .pickled_object import NODES_PER_TENSOR, Stored, itemsize

__all__ = ["machine_of", "unpickled"]

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
"""What files of torch before 1.6 begin with, as a pickle."""

INNER = "torch.storage", "_load_from_bytes"
"""What ``pickle.dump`` names for a storage, with the bytes of its file."""


def unpickled(data: memoryview, limits: Limits) -> Stored:
    """The object of a plain pickle, or of a file from before torch 1.6.

    The latter is the pickles of a magic number, protocol, machine, object and keys; then storages.

    Raises:
        PickleError: if it is malformed.
        NeedsCodeError: if it needs code.
    """
    inner = _InnerStorages(limits)
    stored = _unpickled(data, limits, {INNER: inner})
    return Stored(stored.value, stored.places, inner.buffers)


def machine_of(
    data: bytes | memoryview,
    limits: Limits,
    seen: dict[str, PickledStorage] | None = None,
    more: Mapping[tuple[str, str], Maker] | None = None,
) -> PickleMachine:
    """A machine for pickles of tensors and arrays.

    Args:
        data: the pickles.
        limits: the most tensors.
        seen: gets the storages that are named, by key.
        more: further makers, by module and name.
    """

    def persistent(identity: object) -> object:
        found = storage_of(identity)
        if seen is not None and seen.setdefault(found.key, found) != found:
            raise PickleError("a storage that is declared twice")
        return found

    find = finder({**makers_of(len(data)), **(more or {})})
    return PickleMachine(data, find, persistent, NODES_PER_TENSOR * limits.tensors)


def _unpickled(data: memoryview, limits: Limits, more: Mapping[tuple[str, str], Maker]) -> Stored:
    seen: dict[str, PickledStorage] = {}
    machine = machine_of(data, limits, seen, more)
    value = machine.load()
    if value != LEGACY_MAGIC:
        if machine.at != len(data) or seen:
            raise PickleError("bytes follow the pickle")
        return Stored(value, {})
    machine.load()
    about = machine.load()
    value, keys = machine.load(), machine.load()
    if not isinstance(about, dict) or about.get("little_endian") is not True:
        raise PickleError("values that are big-endian")
    return Stored(value, _placed(keys, seen, data, machine.at))


def _placed(keys: object, seen: Mapping[str, PickledStorage], data: memoryview, at: int) -> dict[str, tuple[int, int]]:
    """Where the storages of a file from before torch 1.6 lie: each behind its number of values."""
    if not isinstance(keys, list) or set(keys) != seen.keys() or len(keys) != len(seen):
        raise PickleError("storages that no tensor has")
    places: dict[str, tuple[int, int]] = {}
    for key in keys:
        length = seen[key].numel * itemsize(seen[key].dtype)
        if int.from_bytes(data[at : at + 8], "little") != seen[key].numel or at + 8 + length > len(data):
            raise PickleError(f"a storage of another size than the {length:,} bytes that are declared")
        places[key] = (at + 8, length)
        at += 8 + length
    return places


class _InnerStorages:
    """Storages that lie as files within a pickle; each is read once, however often it is named.

    Args:
        limits: the most tensors.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.buffers: dict[str, memoryview] = {}
        self.known: dict[int, tuple[bytes, PickledStorage]] = {}

    def __call__(self, data: object) -> PickledStorage:
        if not isinstance(data, bytes):
            raise PickleError("a storage of what is no bytes")
        if id(data) not in self.known:
            stored = _unpickled(memoryview(data), self.limits, {})
            found = stored.value
            if not isinstance(found, PickledStorage) or found.key not in stored.places:
                raise PickleError("a storage that is none")
            offset, length = stored.places[found.key]
            key = f"within the pickle, {len(self.known)}"
            self.buffers[key] = memoryview(data)[offset : offset + length]
            self.known[id(data)] = data, PickledStorage(key, found.dtype, found.numel)
        return self.known[id(data)][1]
