"""A codec for the features of neural networks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import CaufError as CaufError
    from .errors import InputError as InputError
    from .errors import OptionError as OptionError
    from .errors import PluginError as PluginError
    from .errors import StorageError as StorageError
    from .errors import UnknownNameError as UnknownNameError
    from .errors import UnsupportedError as UnsupportedError
    from .hookspecs import hookimpl as hookimpl
    from .plugin_manager import PluginManager as PluginManager
    from .plugin_manager import default_manager as default_manager
    from .types import Alignment as Alignment
    from .types import Backbone as Backbone
    from .types import FeatureFormat as FeatureFormat
    from .types import Layout as Layout
    from .types import Profile as Profile
    from .types import Runtime as Runtime
    from .types import Tap as Tap

_HOMES = {
    "api": ["encode", "decode", "save", "load", "open", "inspect", "verify", "Reader"],
    "errors": [
        "CaufError",
        "DamagedError",
        "ForeignFormatError",
        "FormatError",
        "InputError",
        "LayoutError",
        "LimitError",
        "MalformedError",
        "MissingProfileError",
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
    "hookspecs": ["hookimpl"],
    "plugin_manager": ["PluginManager", "default_manager"],
    "types": ["Alignment", "Backbone", "FeatureFormat", "Layout", "Profile", "Runtime", "Tap"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'caufc' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
