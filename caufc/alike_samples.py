"""What all samples of a stream have in common, which is known from the first one on and from the plan on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from .align import LayoutAligner
from .bitstream import Shape
from .coders.resolve import resolve
from .coders.side_files import ProfileFile
from .encoder.layout import choose_layouts
from .encoder.plan import TensorPlan
from .encoder.profiled_plan import fitted_template
from .encoder.source import Source
from .encoder.tensor_order import source_for
from .errors import CaufError, InputError
from .features.notes import columns
from .features.walk import Walked
from .options import make_options
from .types import FLOATS, Leaf, Structure, tensor_names

__all__ = ["AlikeSamples"]

UNLIKE = "give alike samples, or write several files"


class AlikeSamples:
    """What the first sample says of all: structure, dtypes, frameworks, axes, and channels where a layout is given.

    Args:
        first: the first sample.
        profile: of the stream.
        options: of :func:`caufc.encode`, checked.

    Raises:
        CaufError: if the first sample does not fit the options or the profile.
    """

    def __init__(self, first: Walked, profile: ProfileFile | None, options: Mapping[str, Any]) -> None:
        self.first = first
        self._names = tensor_names(first.tree)
        self._templates: dict[str, Shape] = {}
        tree, tensors = columns([first], streamed=True)
        source = source_for(profile, Source(Structure("list", tree), tensors, 1))
        names = [tensor.name for tensor in source.tensors]
        settings = make_options(names, source.dimensions, profile=profile, **options).tensors
        given = {name: own for name, own in settings.items() if own.layout is not None}
        self._aligners = {
            name: LayoutAligner(choice.layout)
            for name, choice in choose_layouts(source, given).items()
            if choice.layout is not None
        }
        if profile is not None:
            self._take(profile, tree_names=set(names))
        self._check_sizes(first, 0)

    def _take(self, profile: ProfileFile, tree_names: set[str]) -> None:
        """Take layouts and channels of a profile, where no others were given."""
        _, configs, _ = resolve(profile.header, profile.sections, None)
        dtypes = {name: leaf.dtype for name, leaf in zip(self._names, self.first.leaves, strict=True)}
        for config in configs:
            name = config.name
            lossy = config.codec.lossy and config.layout is not None and dtypes.get(name) in FLOATS
            if name not in tree_names or not lossy or config.layout is None:
                continue
            aligner = LayoutAligner(config.layout)
            if self._aligners.setdefault(name, aligner) == aligner:
                shape = self.first.leaves[self._names.index(name)].shape
                try:
                    fitted_template(config.template, tuple(shape), config.layout)
                except InputError as err:
                    raise err.locate(tensor=name) from None

    def settle(self, plans: Sequence[TensorPlan]) -> None:
        """Take the sizes that a plan leaves no choice of."""
        self._templates = {plan.config.name: plan.config.template for plan in plans}

    def check(self, walked: Walked, number: int) -> None:
        """Refuse a sample that is unlike the first.

        Args:
            walked: the sample.
            number: of the sample.

        Raises:
            InputError: if it differs; it says in what.
        """
        if walked.tree != self.first.tree:
            odd = sorted(set(tensor_names(walked.tree)) ^ set(self._names))
            which = f": '{odd[0]}' is in one of them alone" if odd else ""
            raise InputError(f"sample {number} differs from the first in structure{which}", remedy=UNLIKE)
        for name, leaf, known in zip(self._names, walked.leaves, self.first.leaves, strict=True):
            if _kind(leaf) != _kind(known):
                found = f"sample {number} has {_kind_text(leaf)}, the first one has {_kind_text(known)}"
                raise InputError(found, tensor=name, remedy=UNLIKE)
        self._check_sizes(walked, number)

    def _check_sizes(self, walked: Walked, number: int) -> None:
        for name, leaf in zip(self._names, walked.leaves, strict=True):
            wanted = self._templates.get(name, (None,) * len(leaf.shape))
            for template in (wanted, self._channels.get(name, wanted)):
                if any(size not in (None, own) for size, own in zip(template, leaf.shape, strict=True)):
                    shown = ", ".join("*" if size is None else str(size) for size in template)
                    found = f"sample {number} has shape {list(leaf.shape)}, others have [{shown}]"
                    raise InputError(found, tensor=name, remedy=UNLIKE)
            if name in self._aligners:
                try:
                    self._aligners[name].size(leaf.shape)
                except CaufError as err:
                    raise err.locate(tensor=name) from None

    @cached_property
    def _channels(self) -> dict[str, Shape]:
        """By name, sizes of the axes of channels, None for those of tokens."""
        shapes = {name: leaf.shape for name, leaf in zip(self._names, self.first.leaves, strict=True)}
        return {
            name: tuple(size if axis in aligner.channel_axes else None for axis, size in enumerate(shapes[name]))
            for name, aligner in self._aligners.items()
        }


def _kind(leaf: Leaf) -> tuple[str, str, int]:
    return leaf.dtype, leaf.framework, len(leaf.shape)


def _kind_text(leaf: Leaf) -> str:
    return f"{leaf.dtype} of {leaf.framework} with {len(leaf.shape)} axes"
