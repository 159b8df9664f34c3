"""Where containers lie: paths, URLs, file objects, buffers, and functions that read at offsets."""

from __future__ import annotations

from .base import Openable, Storage
from .matching import matching
from .opening import open_storage
from .stream import open_stream

__all__ = ["Openable", "Storage", "matching", "open_storage", "open_stream"]
