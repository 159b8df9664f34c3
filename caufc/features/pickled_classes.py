"""Classes whose instances are read as what they hold: outputs, batches and caches of transformers, named tuples.

Nothing of a class is imported or run: a pickle tells the items of an output, and the attributes of a cache.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from .objects import opened
from .pickle_machine import ClassMaker, Made, Maker, Name, NeedsCodeError, PickleError

__all__ = ["PickledInstance", "finder"]

CACHES = "transformers.cache_utils"
BATCHES = (
    ("transformers.tokenization_utils_base", "BatchEncoding"),
    ("transformers.feature_extraction_utils", "BatchFeature"),
    ("transformers.image_processing_base", "BatchFeature"),
)
"""Dicts in an attribute, ``data``."""

_OUTPUT = re.compile(r"(?:transformers|diffusers)(?:\.\w+)+:\w*Output\w*")
"""Ordered dicts of their fields, whose items a pickle tells behind the call."""

_CACHE = re.compile(r"\w*(?:Cache|Layer)")


class PickledInstance(Made):
    """An instance of a class that is read by its attributes.

    Args:
        name: of the class.
    """

    def __init__(self, name: Name) -> None:
        self.name = name
        self.state: Mapping[str, object] = {}

    def build(self, state: object) -> None:
        if not isinstance(state, dict) or any(type(name) is not str for name in state):
            raise PickleError(f"a {self.name.name} without attributes")
        self.state = state

    def held(self) -> Mapping[Any, object]:
        """What it holds, as :func:`~caufc.features.objects.opened` says of a live one.

        Raises:
            NeedsCodeError: if its attributes are not those that are known.
        """
        found = self.state.get("data") if self.name.module != CACHES else opened(_with_attributes(self))
        if not isinstance(found, Mapping):
            raise NeedsCodeError(str(self.name))
        return found


class _Dropped(Made):
    """What stands beside the values of a batch, and is left out of a live one too."""

    def build(self, state: object) -> None:
        """Nothing is kept."""


def finder(makers: Mapping[tuple[str, str], Maker | None]) -> Callable[[Name], Maker | ClassMaker | None]:
    """What is made of a name: what ``makers`` has, and of the classes of this module what they hold.

    The finder raises :class:`~caufc.features.pickle_machine.NeedsCodeError` for all other names.
    """

    def find(name: Name) -> Maker | ClassMaker | None:
        known = name.module, name.name
        if known in makers:
            return makers[known]
        maker = _of_class(name)
        if maker is None:
            raise NeedsCodeError(str(name))
        return maker

    return find


def _of_class(name: Name) -> Maker | ClassMaker | None:
    if (name.module, name.name) in BATCHES or (name.module == CACHES and _CACHE.fullmatch(name.name)):
        return ClassMaker(lambda: PickledInstance(name))
    if _OUTPUT.fullmatch(f"{name.module}:{name.name}"):
        return lambda *_: {}
    if name.module == "torch.return_types":
        return lambda values, _extra=None: _tuple(values)
    if (name.module, name.name) == ("torch.nn.utils.rnn", "PackedSequence"):
        return ClassMaker(lambda *fields: fields)
    return ClassMaker(_Dropped) if (name.module, name.name) == ("tokenizers", "Encoding") else None


def _tuple(values: object) -> object:
    if not isinstance(values, tuple):
        raise PickleError("a named tuple without values")
    return values


def _with_attributes(instance: PickledInstance) -> SimpleNamespace:
    """A cache as an object with attributes, its layers too."""
    layers = instance.state.get("layers")
    if not isinstance(layers, list):
        return SimpleNamespace(**instance.state)
    inner = [SimpleNamespace(**layer.state) if isinstance(layer, PickledInstance) else layer for layer in layers]
    return SimpleNamespace(**{**instance.state, "layers": inner})
