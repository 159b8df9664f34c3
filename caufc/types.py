"""The nouns that every part of caufc shares: frozen dataclasses and protocols, no behaviour beyond checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import LayoutError, OptionError

__all__ = [
    "DTYPES",
    "FLOATS",
    "READS",
    "Alignment",
    "Backbone",
    "Branch",
    "FeatureFormat",
    "Layout",
    "Leaf",
    "Profile",
    "Runtime",
    "Structure",
    "Tap",
    "Task",
    "TaskRuntime",
    "Tree",
]

AnyArray = NDArray[Any]
Framework = Literal["numpy", "torch"]

DTYPES: Mapping[str, np.dtype[Any]] = {
    "fp32": np.dtype("<f4"),
    "fp16": np.dtype("<f2"),
    "bf16": np.dtype("<u2"),
    "fp64": np.dtype("<f8"),
    "int8": np.dtype("i1"),
    "int16": np.dtype("<i2"),
    "int32": np.dtype("<i4"),
    "int64": np.dtype("<i8"),
    "uint8": np.dtype("u1"),
    "uint16": np.dtype("<u2"),
    "uint32": np.dtype("<u4"),
    "uint64": np.dtype("<u8"),
    "bool": np.dtype("?"),
}
"""dtype name -> how numpy holds it. ``bf16`` has no numpy type: its bits travel as uint16."""

FLOATS = frozenset({"fp32", "fp16", "bf16", "fp64"})

GRID_LETTERS = "nthw"
CHANNEL_LETTERS = "gcd"


@dataclass(frozen=True)
class Layout:
    """What the axes of a tensor mean, as data.

    One term an axis, from fixed letters: ``b`` sample; ``t h w n`` token grid; ``c d`` channels; ``g`` groups (heads)
    that join the channels. A term in parentheses joins grid letters in one axis, and a leading count marks special
    tokens: ``b c h w``, ``b h w c``, ``b (1 + h w) c``, ``b n c``, ``b g t d``, ``b c``.

    Raises:
        LayoutError: if the expression is not one of the language.
    """

    expression: str
    terms: tuple[str, ...] = field(init=False, compare=False, repr=False)
    special: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        terms, special = _parse_layout(self.expression)
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "special", special)
        object.__setattr__(self, "expression", " ".join(_term_text(term, special) for term in terms))

    def __str__(self) -> str:
        return self.expression

    @property
    def batched(self) -> bool:
        """Whether an axis counts samples; it is the first then."""
        return self.terms[0] == "b"

    @property
    def sample_terms(self) -> tuple[str, ...]:
        """The terms of one sample's axes."""
        return self.terms[1:] if self.batched else self.terms

    def of_batch(self) -> Layout:
        """The layout with a sample axis."""
        return self if self.batched else Layout(f"b {self.expression}")

    def nested(self) -> Layout:
        """The layout of one sample that has a sample axis of its own: that axis becomes one of tokens."""
        if not self.batched:
            return self
        free = next(letter for letter in "tnhw" if letter not in self.expression)
        return Layout(f"{free}{self.expression[1:]}")

    def unbatched(self) -> Layout:
        """The layout of one sample."""
        return self if not self.batched else Layout(" ".join(_term_text(t, self.special) for t in self.sample_terms))


def _term_text(term: str, special: int) -> str:
    if len(term) == 1 and not (special and term in GRID_LETTERS):
        return term
    count = f"{special} + " if special else ""
    return f"({count}{' '.join(term)})"


def _parse_layout(expression: str) -> tuple[tuple[str, ...], int]:
    tokens = expression.replace("(", " ( ").replace(")", " ) ").replace("+", " + ").split()
    terms: list[str] = []
    special, position = 0, 0
    while position < len(tokens):
        if tokens[position] != "(":
            if len(tokens[position]) > 1:
                raise LayoutError(f"layout '{expression}': axes are separated by spaces")
            terms.append(tokens[position])
            position += 1
            continue
        if ")" not in tokens[position:]:
            raise LayoutError(f"layout '{expression}': a parenthesis is not closed")
        end = tokens.index(")", position)
        inside = tokens[position + 1 : end]
        if inside[1:2] == ["+"]:
            if not (inside[0].isascii() and inside[0].isdigit()) or special or not 1 <= int(inside[0]) <= 65_535:
                raise LayoutError(f"layout '{expression}': before '+' stands one count of 1 to 65,535 special tokens")
            special, inside = int(inside[0]), inside[2:]
        if not inside or any(len(letter) != 1 or letter not in GRID_LETTERS for letter in inside):
            raise LayoutError(f"layout '{expression}': parentheses join grid letters ({' '.join(GRID_LETTERS)})")
        terms.append("".join(inside))
        position = end + 1
    _check_terms(expression, terms, special)
    return tuple(terms), special


def _check_terms(expression: str, terms: list[str], special: int) -> None:
    letters = "".join(terms)
    unknown = sorted(set(letters) - set("b" + GRID_LETTERS + CHANNEL_LETTERS))
    if unknown:
        raise LayoutError(f"layout '{expression}': unknown '{unknown[0]}'", remedy="letters: b t h w n c d g")
    if not terms:
        raise LayoutError("an empty layout", remedy="examples: 'b c h w', 'b (1 + h w) c', 'b n c'")
    if len(set(letters)) != len(letters):
        raise LayoutError(f"layout '{expression}': a letter stands twice")
    if "b" in letters and terms[0] != "b":
        raise LayoutError(f"layout '{expression}': the sample axis 'b' comes first")
    if not set(letters) - {"b"}:
        raise LayoutError(f"layout '{expression}': names no token or channel axis")
    if special and sum(term[0] in GRID_LETTERS for term in terms) > 1:
        raise LayoutError(f"layout '{expression}': special tokens need all grid letters in their parentheses")


AlignmentKind = Literal["none", "min-max", "mean-deviation", "percentile", "robust"]
AlignmentScope = Literal["global", "channel", "token"]
ALIGNMENT_KINDS: tuple[AlignmentKind, ...] = ("none", "min-max", "mean-deviation", "percentile", "robust")
ALIGNMENT_SCOPES: tuple[AlignmentScope, ...] = ("global", "channel", "token")
LARGEST = 2.0**100
"""Statistics and ranges of an alignment are at most this: float32 holds them, and their inverses."""


@dataclass(frozen=True)
class Alignment:
    """Value alignment (CAUFC, section 3): truncation to a range, then normalisation ``(x - offset) / scale``.

    Args:
        kind: what the statistics are: ``min-max`` (offset = minimum, scale = range), ``mean-deviation``,
            ``percentile`` (offset = 1st percentile, scale = distance to the 99th), ``robust`` (offset = median,
            scale = interquartile range), or ``none``.
        scope: one pair of statistics for all values, per channel, or per token.
        statistics: (offset, scale) of a global alignment; measured from the features when None.
        truncate: range to which values are clipped first; None clips nothing.
        strength: how far channels get scales of their own: 1 fully, 0 the common one, in between the geometric mean
            of that weight.

    Raises:
        OptionError: for unknown kinds or scopes, and for statistics or ranges that make no sense.
    """

    kind: AlignmentKind = "mean-deviation"
    scope: AlignmentScope = "global"
    statistics: tuple[float, float] | None = None
    truncate: tuple[float, float] | None = None
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise OptionError(f"alignment strength {self.strength}", remedy="0 to 1")
        if self.kind not in ALIGNMENT_KINDS:
            raise OptionError(f"unknown alignment '{self.kind}'", remedy=f"one of {', '.join(ALIGNMENT_KINDS)}")
        if self.scope not in ALIGNMENT_SCOPES:
            raise OptionError(f"unknown alignment scope '{self.scope}'", remedy=f"one of {', '.join(ALIGNMENT_SCOPES)}")
        if self.statistics is not None:
            offset, scale = self.statistics
            if self.scope != "global" or not (abs(offset) <= LARGEST and 1 / LARGEST <= scale <= LARGEST):
                raise OptionError("alignment statistics are an offset and a scale above 0, for scope 'global'")
        if self.truncate is not None and not -LARGEST <= self.truncate[0] < self.truncate[1] <= LARGEST:
            raise OptionError("a truncation range is two finite numbers, the lower first")

    @classmethod
    def parse(cls, text: str, truncate: tuple[float, float] | None = None) -> Alignment:
        """Read ``KIND[/SCOPE][:OFFSET,SCALE]``: ``mean-deviation/channel``, ``min-max:0,6``.

        Raises:
            OptionError: for what is no such text.
        """
        head, _, numbers = text.partition(":")
        kind, _, scope = head.partition("/")
        try:
            statistics = tuple(float(number) for number in numbers.split(",")) if numbers else None
        except ValueError:
            statistics = ()
        if statistics is not None and len(statistics) != 2:
            raise OptionError(f"alignment '{text}'", remedy="KIND[/SCOPE][:OFFSET,SCALE], as in 'min-max:0,6'")
        wanted: Any = (kind, scope or "global", statistics, truncate)
        return cls(*wanted)


Reads = Literal["tokens", "mean", "first"]
READS: tuple[Reads, ...] = ("tokens", "mean", "first")
"""What may be read of features: every token, their mean alone, or the first token alone."""


@dataclass(frozen=True)
class Tap:
    """A place in a backbone where features are taken.

    Args:
        name: as the backbone's community knows it (``layer4``, ``block3``, ``hidden6``).
        layout: the expression of the tensor that the tap yields.
        channels: number of channels; None if it depends on the model.
        alignment: value alignment that suits the tap; None leaves the choice to the codec.
        reads: all that anything behind the tap reads of it: ``tokens``, every one; ``mean``, their mean alone;
            ``first``, the first special token alone. Qualities keep little else.

    Raises:
        LayoutError: for what is no layout.
        OptionError: for an unknown part that is read.
    """

    name: str
    layout: str
    channels: int | None = None
    alignment: Alignment | None = None
    reads: Reads = "tokens"

    def __post_init__(self) -> None:
        Layout(self.layout)
        if self.reads not in READS:
            raise OptionError(f"unknown part that is read '{self.reads}'", remedy=f"one of {', '.join(READS)}")


class Runtime(Protocol):
    """A loaded backbone."""

    def prepare(self, paths: Sequence[Path]) -> Any:
        """Files (images, texts, sounds) -> the model's inputs, batched on the first axis."""
        ...

    def extract(self, inputs: Any, taps: Sequence[str]) -> dict[str, Any]:
        """Inputs -> features by tap name, each a tensor in the tap's layout."""
        ...

    def resume(self, features: Any, tap: str) -> Any:
        """Features of a tap -> the backbone's output; differentiable."""
        ...


@dataclass(frozen=True)
class Backbone:
    """A backbone family, as a plugin describes it.

    Args:
        id: the architecture ID (``timm/resnet50``) or an ``fnmatch`` pattern (``timm/vit_*``).
        taps: the taps, or a function from an architecture ID to them.
        load: makes the :class:`Runtime` of an architecture ID; imports what it needs itself.
        requires: packages that ``load`` needs.
    """

    id: str
    taps: Sequence[Tap] | Callable[[str], Sequence[Tap]]
    load: Callable[[str], Runtime] | None = None
    requires: Sequence[str] = ()


Half = Literal["fit", "test"]
"""What is fitted uses one half of a task's samples, what is reported the other."""


class TaskRuntime(Protocol):
    """A task's data and network."""

    def labels(self, half: Half) -> Sequence[int]:
        """The right class of every sample of a half; -1 where it is not known."""
        ...

    def extract(self, half: Half, start: int, stop: int, taps: Sequence[str]) -> dict[str, Any]:
        """Features of samples ``[start, stop)`` by tap: ``[B, ...]``, or a list of ragged samples ``[T, C]``."""
        ...

    def resume(self, features: Any, tap: str) -> Any:
        """Features ``[B, ...]`` of a tap, a torch tensor -> scores ``[B, K]``; differentiable."""
        ...


@dataclass(frozen=True)
class Task:
    """Labelled data and a network that is cut at taps, to measure what coding its features does to its predictions.

    Args:
        id: ``cifar10/resnet56``.
        taps: where features are taken.
        load: data folder (``--data``, None if none is given) -> :class:`TaskRuntime`; imports what it needs itself.
        requires: packages that ``load`` needs.
    """

    id: str
    taps: Sequence[Tap]
    load: Callable[[Path | None], TaskRuntime]
    requires: Sequence[str] = ()


@dataclass(frozen=True)
class Profile:
    """A named profile that a plugin brings: the bytes of a ``.caufp`` file, read when needed."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class FeatureFormat:
    """A feature file format that a plugin brings.

    Args:
        suffix: the file suffix with its dot (``.h5``).
        read: path -> features (tensor, nested dict, or list of samples).
        write: (path, features) -> None.
    """

    suffix: str
    read: Callable[[Path], Any]
    write: Callable[[Path, Any], None]


class Leaf(Protocol):
    """One tensor of an input, read in parts.

    ``dtype`` is a name of :data:`DTYPES`; arrays come in that dtype's numpy form (``bf16`` as uint16 bits).
    """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def framework(self) -> Framework: ...

    def read(self) -> AnyArray:
        """The whole tensor."""
        ...

    def rows(self, start: int, stop: int) -> AnyArray:
        """Rows ``[start, stop)`` of the first axis, without reading the others."""
        ...


@dataclass(frozen=True)
class Branch:
    """An inner node of a structure: a dict (names in order), a list or a tuple."""

    kind: Literal["dict", "list", "tuple"]
    names: tuple[str | int, ...]
    children: tuple[Tree, ...]


Tree = int | Branch
"""A nested structure whose leaves are tensor numbers."""


@dataclass(frozen=True)
class Structure:
    """How tensors and samples make up the object that came in.

    ``batch``: every leaf's first axis counts samples. ``list``/``tuple``: a sequence of samples, each shaped like the
    tree. ``single``: the tree is the one sample.
    """

    kind: Literal["batch", "list", "tuple", "single"]
    tree: Tree
