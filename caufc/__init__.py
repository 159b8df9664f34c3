"""A codec for the features of neural networks.

Names are imported when they are first used, so that importing caufc costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import decode as decode
    from .api import encode as encode
    from .api import inspect as inspect
    from .api import load as load
    from .api import open as open
    from .api import save as save
    from .api import size_bound as size_bound
    from .api import verify as verify
    from .coder import Coder as Coder
    from .descriptors import Alignment as Alignment
    from .descriptors import Backbone as Backbone
    from .descriptors import FeatureFormat as FeatureFormat
    from .descriptors import Profile as Profile
    from .descriptors import Runtime as Runtime
    from .descriptors import Tap as Tap
    from .descriptors import Task as Task
    from .descriptors import TaskRuntime as TaskRuntime
    from .errors import CaufError as CaufError
    from .errors import DamagedError as DamagedError
    from .errors import ForeignFormatError as ForeignFormatError
    from .errors import FormatError as FormatError
    from .errors import InputError as InputError
    from .errors import LayoutError as LayoutError
    from .errors import LimitError as LimitError
    from .errors import MalformedError as MalformedError
    from .errors import MissingPackageError as MissingPackageError
    from .errors import MissingProfileError as MissingProfileError
    from .errors import MissingWeightsError as MissingWeightsError
    from .errors import NonFiniteError as NonFiniteError
    from .errors import OptionError as OptionError
    from .errors import OutputExistsError as OutputExistsError
    from .errors import PluginError as PluginError
    from .errors import StorageError as StorageError
    from .errors import TensorError as TensorError
    from .errors import UnknownNameError as UnknownNameError
    from .errors import UnsupportedError as UnsupportedError
    from .errors import VersionError as VersionError
    from .files import decode_file as decode_file
    from .files import encode_file as encode_file
    from .hookspecs import hookimpl as hookimpl
    from .layouts import Layout as Layout
    from .limits import Limits as Limits
    from .packages import MissingPackageWarning as MissingPackageWarning
    from .packing import pack_files as pack_files
    from .packing import packed_names as packed_names
    from .packing import unpack_file as unpack_file
    from .plugin_manager import PluginManager as PluginManager
    from .plugin_manager import default_manager as default_manager
    from .reader import Info as Info
    from .reader import Reader as Reader
    from .reader import ReaderSet as ReaderSet
    from .reader import SampleReader as SampleReader
    from .remux import cat_files as cat_files
    from .remux import split_file as split_file
    from .sampler import ChunkSampler as ChunkSampler
    from .storage import matching as matching
    from .stream_writer import StreamWriter as StreamWriter
    from .stream_writer import writer as writer

_HOMES = {
    "api": ["decode", "encode", "inspect", "load", "open", "save", "size_bound", "verify"],
    "coder": ["Coder"],
    "errors": [
        "CaufError",
        "DamagedError",
        "ForeignFormatError",
        "FormatError",
        "InputError",
        "LayoutError",
        "LimitError",
        "MalformedError",
        "MissingPackageError",
        "MissingProfileError",
        "MissingWeightsError",
        "NonFiniteError",
        "OptionError",
        "OutputExistsError",
        "PluginError",
        "StorageError",
        "TensorError",
        "UnknownNameError",
        "UnsupportedError",
        "VersionError",
    ],
    "files": ["decode_file", "encode_file"],
    "hookspecs": ["hookimpl"],
    "limits": ["Limits"],
    "packages": ["MissingPackageWarning"],
    "packing": ["pack_files", "packed_names", "unpack_file"],
    "plugin_manager": ["PluginManager", "default_manager"],
    "reader": ["Info", "Reader", "ReaderSet", "SampleReader"],
    "remux": ["cat_files", "split_file"],
    "sampler": ["ChunkSampler"],
    "storage": ["matching"],
    "stream_writer": ["StreamWriter", "writer"],
    "layouts": ["Layout"],
    "descriptors": ["Alignment", "Backbone", "FeatureFormat", "Profile", "Runtime", "Tap", "Task", "TaskRuntime"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("caufc")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'caufc' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
