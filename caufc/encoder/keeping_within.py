"""What a decoder would refuse to read is not written: its limits, checked from shapes before anything is coded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..bitstream import Section, work_of
from ..coders.base import Shapes, TensorCoder
from ..coders.stack import Stack
from ..coders.work import WorkMeter, chunk_work
from ..errors import LimitError
from ..limits import Limits

__all__ = ["charge_chunk", "check_prelude", "keeping_within"]


@contextmanager
def keeping_within() -> Iterator[None]:
    """Errors of the body say what to do (spec, section 12)."""
    try:
        yield
    except LimitError as err:
        smaller = "fewer samples a chunk" if err.limit.startswith("chunk_") else "smaller files"
        err.remedy = f"split the input into smaller samples or {smaller}"
        raise


def check_prelude(head: bytes, sections: Sequence[Section], coders: Sequence[TensorCoder], limits: Limits) -> None:
    """Check header and sections, and the channels of these coders.

    Raises:
        LimitError: if they are over a limit.
    """
    limits.check("header_bytes", len(head))
    limits.check("section_bytes", sum(len(section.data) for section in sections))
    limits.check("channels", sum(coder.channels for coder in coders))


def charge_chunk(
    meter: WorkMeter, stacks: Sequence[Stack], coders: Sequence[TensorCoder], shapes: Sequence[Shapes], count: int
) -> None:
    """Charge a chunk of ``count`` samples with these shapes, one list per tensor.

    Raises:
        LimitError: if the chunk, or the file with it, is over a limit.
    """
    limits = meter.limits
    limits.check("chunk_arrays", len(shapes) * count)
    work = (n * work_of(shape) for by_sample in shapes for shape, n in Counter(by_sample).items())
    limits.check("chunk_elements", sum(work))
    coded = [stack.shapes(shapes) for stack in stacks]
    meter.add(shapes, count, chunk_work(coders, coded, limits))
