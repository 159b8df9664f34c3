"""Samples by number, and what files say of themselves: one file, or many as one."""

from __future__ import annotations

from .file_reader import Reader
from .info import Info, info_of
from .reader_set import ReaderSet
from .sample_reader import SampleReader

__all__ = ["Info", "Reader", "ReaderSet", "SampleReader", "info_of"]
