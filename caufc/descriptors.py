"""Descriptors: what plugins and users say of features, taps, backbones, tasks and formats, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, Protocol, get_args

from .errors import OptionError
from .layouts import Layout

if TYPE_CHECKING:
    from .limits import Limits
    from .types import Framework, Place, Structure, Tree

__all__ = [
    "ALIGNMENT_KINDS",
    "ALIGNMENT_SCOPES",
    "READS",
    "Alignment",
    "Backbone",
    "FeatureFormat",
    "Half",
    "Problem",
    "Profile",
    "Runtime",
    "Tap",
    "Task",
    "TaskRuntime",
    "normal_suffix",
]

AlignmentKind = Literal["none", "min-max", "mean-deviation", "percentile", "robust"]
AlignmentScope = Literal["global", "channel", "token"]
ALIGNMENT_KINDS: tuple[AlignmentKind, ...] = get_args(AlignmentKind)
ALIGNMENT_SCOPES: tuple[AlignmentScope, ...] = get_args(AlignmentScope)
"""Their order is that of the registry's numbers."""

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
        if not isinstance(text, str):
            raise OptionError(f"alignment {text!r}", remedy="KIND[/SCOPE][:OFFSET,SCALE], as in 'min-max:0,6'")
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
READS: tuple[Reads, ...] = get_args(Reads)
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
        """Features ``[B, ...]`` of a tap, a torch tensor -> scores, differentiable.

        They are ``[B, K]``, or ``[B, T, K]`` where a sample has T predictions.
        """
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


Problem = tuple[str, str | None]
"""What a format cannot hold, to stand behind "cannot hold", and the name of the tensor that it is about, if one is."""


@dataclass(frozen=True)
class FeatureFormat:
    """A feature file format. The first three fields make one; the others, by keyword, tell caufc more about it.

    Args:
        suffix: the file suffix with its dot (``.mat``).
        read: path -> features (tensor, nested dict, or list of samples).
        write: (path, features) -> None.
        aliases: further suffixes of the same format, with their dots.
        requires: packages that reading and writing need besides caufc's own.
        read_within: as ``read``, with the limits that a file may ask for, where the format checks them.
        recognise: (first 16 bytes, names of the members if the file is a zip archive, else None) -> whether the file
            is of this format, for files whose name does not tell.
        problem: (structure, names, dtypes by tensor number) -> what of such an object the format cannot hold; None if
            it holds all of it as it is. Without this function ``write`` finds out.
        plan: (tree, shapes, dtypes by tensor number) -> the bytes before the values, and the place of each tensor by
            number: a format with a plan is written while samples come, any other when all of them are there.
        dump: as ``write``, to a binary stream, which may not be able to seek. Without it ``write`` makes a temporary
            file, which is then copied.
        framework: what ``write`` and ``dump`` take; None for tensors of either framework.
        with_metadata: texts by name -> the format, whose files get them; None where it has no place for them.
    """

    suffix: str
    read: Callable[[Path], Any]
    write: Callable[[Path, Any], None]
    _: KW_ONLY
    aliases: Sequence[str] = ()
    requires: Sequence[str] = ()
    read_within: Callable[[Path, Limits], Any] | None = None
    recognise: Callable[[bytes, Sequence[str] | None], bool] | None = None
    problem: Callable[[Structure, Sequence[str], Sequence[str]], Problem | None] | None = None
    plan: Callable[[Tree, Sequence[tuple[int, ...]], Sequence[str]], tuple[bytes, Sequence[Place]]] | None = None
    dump: Callable[[Any, IO[bytes]], None] | None = None
    framework: Framework | None = None
    with_metadata: Callable[[Mapping[str, str]], FeatureFormat] | None = None

    @property
    def origin(self) -> str:
        """The module that the format comes from, to name it in errors."""
        return str(getattr(self.read, "__module__", None) or self.suffix)

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The suffix and the aliases as they are looked up: in lower case, with their dots."""
        return tuple(map(normal_suffix, (self.suffix, *self.aliases)))


def normal_suffix(suffix: str) -> str:
    """A suffix in lower case, with its dot."""
    return "." + suffix.lower().removeprefix(".")
