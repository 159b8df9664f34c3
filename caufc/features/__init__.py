"""Feature files in and out: formats, structures, streams, atomic outputs, and lists of files."""

from __future__ import annotations

from .assembly import from_arrays, samples_from_arrays
from .atomic import AtomicFile, PartialFile, atomic_output, check_place, path_to_write, remove_stale
from .formats import known_suffixes, read, sniff
from .forms import AS_STORED, Form, blank_tensor
from .leaf import ArrayLeaf, FileLeaf
from .lists import parse_shard, read_entries, read_list, shard
from .metadata import check_metadata
from .pt import waste
from .sample import open_sample
from .spool import spool_stdin
from .structure import to_source
from .targets import Targets
from .writers import Writer, open_writer

__all__ = [
    "AS_STORED",
    "ArrayLeaf",
    "AtomicFile",
    "FileLeaf",
    "Form",
    "PartialFile",
    "Targets",
    "Writer",
    "atomic_output",
    "blank_tensor",
    "check_metadata",
    "check_place",
    "from_arrays",
    "known_suffixes",
    "open_sample",
    "open_writer",
    "parse_shard",
    "path_to_write",
    "read",
    "read_entries",
    "read_list",
    "remove_stale",
    "samples_from_arrays",
    "shard",
    "sniff",
    "spool_stdin",
    "to_source",
    "waste",
]
