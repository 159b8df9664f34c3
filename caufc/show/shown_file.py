"""A file to a page: what ``caufc show`` does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..catalog import lookup_of
from ..container_files import located
from ..decoder.random_access import FileReader
from ..errors import InputError, OptionError, StorageError
from ..features import atomic_output, remove_stale
from ..limits import DEFAULT_LIMITS, Limits
from ..output_names import check_output, with_suffix
from ..reader import Info, info_of
from ..storage import Openable, open_storage
from ..types import Progress, no_progress
from ..whole_numbers import whole_number
from .byte_shares import byte_shares
from .comparison import Comparison
from .excerpt import Excerpt, read_excerpts
from .features import features_of
from .markup import Markup, shortened, tag
from .original import Original
from .page import page
from .planes import places
from .sample_choice import SampleChoice
from .tensor_section import tensor_section
from .tensor_view import TensorView

__all__ = ["ShownFile", "show_file"]

SUFFIX = ".html"

MOST_TENSORS, MOST_CHOSEN = 6, 24
"""That are drawn, where nobody chooses, and where somebody does."""

MOST_NAMED = 16
"""Samples that are drawn, where somebody chooses."""


@dataclass(frozen=True)
class ShownFile:
    """A page that was written.

    Args:
        input: the container.
        output: the page; ``-`` for a stream.
        bytes: of the page.
        samples: that are looked at.
        available: samples that there are.
        tensors: that are drawn.
    """

    input: str
    output: str
    bytes: int
    samples: int
    available: int
    tensors: int


def show_file(
    source: Openable,
    output: str | Path | BinaryIO | None = None,
    *,
    original: str | Path | None = None,
    format: str | None = None,
    samples: int | None = None,
    sample: str | int | Sequence[str | int] = (),
    only: Collection[str] | None = None,
    profile: str | Path | None = None,
    weights: str | Path | None = None,
    force: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = no_progress,
) -> ShownFile:
    """Write a page that shows a container, which appears whole or not at all; the container is read once.

    Args:
        source: path, URL or bytes of the container.
        output: path of the page, or a binary stream; None for a page beside the container.
        original: feature file that the container was encoded from.
        format: suffix of the original's format, if its name does not tell.
        samples: how many are looked at, evenly spread; None for as many as have some million values.
        sample: number or key of a sample to draw, or several; empty for a few, evenly.
        only: names, prefixes or patterns of the tensors to draw; None for a few, evenly.
        profile: name or file of a profile that the container needs.
        weights: name or file of weights that the container needs.
        force: replace the output if it exists.
        limits: what the container may ask for.
        progress: called as work goes on, with samples.

    Raises:
        CaufError: about the file that it names.
    """
    if samples is not None:
        samples = whole_number("samples", samples, 1)
    named, limits = _named(sample), Limits.given(limits)
    storage = open_storage(source, limits=limits)
    try:
        stream, target = _target(storage.name, output)
        if stream is None:
            check_output(target, (storage.name, *(() if original is None else (str(original),))), force)
        with located(storage.name):
            lookup = lookup_of(profile, weights, limits)
            reader = FileReader(storage.read_at, storage.size, lookup, limits, only=only)
            show = _Show(storage.name, reader, info_of(reader), only is not None)
            against = None if original is None else Original.open(original, reader, format)
            choice = show.choose(samples, named)
            text = show.page(choice, against, progress).encode()
    except MemoryError as err:
        remedy = "look at less with --samples or --only"
        raise StorageError("not enough memory", file=storage.name, remedy=remedy) from err
    finally:
        storage.close()
    if stream is not None:
        stream.write(text)
        stream.flush()
    else:
        remove_stale(Path(target))
        with atomic_output(Path(target), force) as file:
            file.write(text)
    return ShownFile(storage.name, target, len(text), len(choice.numbers), choice.available, len(show.tensors))


def _named(sample: object) -> list[str | int]:
    """Numbers and keys of the samples that are to be drawn."""
    several = sample if isinstance(sample, Iterable) and not isinstance(sample, str | bytes) else [sample]
    return [one if isinstance(one, str) else whole_number("sample", one, None) for one in several]


def _target(name: str, output: str | Path | BinaryIO | None) -> tuple[BinaryIO | None, str]:
    """The stream of the page, or None, and its name."""
    if output is None:
        if name == "-" or "://" in name:
            raise OptionError("has no folder for a page beside it", file=name, remedy="say where the page goes: -o OUT")
        return None, with_suffix(name, SUFFIX)
    return (None, str(output)) if isinstance(output, str | Path) else (output, "-")


@dataclass(frozen=True)
class _Show:
    """A container on its way to a page."""

    name: str
    reader: FileReader
    info: Info
    chosen: bool

    @property
    def drawable(self) -> list[int]:
        """Numbers of the tensors that can be drawn: notes cannot."""
        configs = self.reader.chunks.configs
        return [number for number in self.reader.chunks.selection.numbers if not configs[number].noted]

    @property
    def tensors(self) -> list[int]:
        """Numbers of the tensors that are drawn."""
        able = self.drawable
        return [able[place] for place in places(len(able), MOST_CHOSEN if self.chosen else MOST_TENSORS)]

    def choose(self, samples: int | None, named: Sequence[str | int]) -> SampleChoice:
        """Which samples are looked at."""
        if len(named) > MOST_NAMED:
            raise OptionError(f"{len(named)} samples to draw", remedy=f"name {MOST_NAMED} at most")
        counts = [count for _, count in self.reader.index.chunks]
        values = max((self.info.tensors[number]["numel"] for number in self.tensors), default=0)
        each = values / max(1, self.info.samples)
        return SampleChoice.of(counts, each, wanted=samples, named=[self._number(key) for key in named])

    def _number(self, key: str | int) -> int:
        """The number of a sample by its key or number."""
        available, text, number = len(self.reader), str(key), _whole(key)
        if self.reader.chunks.keyed:
            numbers = self.reader.numbers
            keys = [name for name in (key, text, number) if name is not None and name in numbers]
            if not keys:
                raise InputError(f"has no sample '{text}'", file=self.name, remedy="give a key of the file")
            return numbers[keys[0]]
        if number is None or not -available <= number < available:
            remedy = f"give a number from 0 to {available - 1}" if available else "it has no samples"
            raise InputError(f"has no sample '{text}'", file=self.name, remedy=remedy)
        return number % available

    def page(self, choice: SampleChoice, original: Original | None, progress: Progress) -> str:
        """The page, as HTML."""
        excerpts = read_excerpts(self.reader, choice, self.tensors, progress)
        sections = [
            (self._titled(number), self._section(excerpts[number], choice, original)) for number in self.tensors
        ]
        return page(
            self.name if self.name == "-" else Path(self.name).name,
            self.info,
            byte_shares(self.reader, [tensor["payload_bytes"] for tensor in self.info.tensors]),
            choice,
            sections,
            tensors=len(self.drawable),
            original=None if original is None else Path(original.file).name,
        )

    def _titled(self, number: int) -> str:
        return shortened(self.info.tensors[number]["name"]) or "tensor"

    def _section(self, excerpt: Excerpt, choice: SampleChoice, original: Original | None) -> Markup:
        facts: dict[str, Any] = self.info.tensors[excerpt.number]
        if excerpt.too_large or not excerpt.samples:
            why = f"a chunk of it has {excerpt.too_large:,} values" if excerpt.too_large else "it has no samples"
            return tag(
                "section", tag("h3", self._titled(excerpt.number)), tag("p", f"Not drawn: {why}.", class_="note")
            )
        features = features_of(excerpt.config, excerpt.samples)
        comparison = None
        if original is not None:
            held = original.samples(excerpt.config, choice.numbers, excerpt.samples)
            comparison = Comparison.of(features_of(excerpt.config, held), features)
        return tensor_section(TensorView(facts, excerpt, features, comparison, choice, self.reader.index.keys))


def _whole(key: str | int) -> int | None:
    """A number as it is written on a command line; None for other text."""
    try:
        return int(key)
    except ValueError:
        return None
