"""The report of a bench, as data, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..codec.kernels import described
from ..text import FAST, SHOWN_TENSORS, count, layout_text, shape_text, short_size, shown, table
from .row import BenchRow
from .tensor_facts import TensorFacts

__all__ = ["BenchReport", "rows_table"]


@dataclass(frozen=True)
class BenchReport:
    """The report of a bench: the features, a row per method, and what is to be said of them.

    Args:
        file: the name of the features.
        samples: how many were measured.
        samples_in_file: how many there were to choose from.
        numel: number of values.
        bytes_in: bytes of the values.
        dtype: of all tensors, or ``mixed``.
        tensors: one entry per tensor.
        repeat: the fastest of so many runs counts.
        rows: one per method.
        notes: what was left out, and how rivals treat what they cannot code.
        warnings: what the user should know, a sentence each.
        kernels: caufc's compiled kernels in use, by name; none where numpy does all.
    """

    file: str
    samples: int
    samples_in_file: int
    numel: int
    bytes_in: int
    dtype: str
    tensors: tuple[TensorFacts, ...]
    repeat: int
    rows: tuple[BenchRow, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    kernels: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, numbers unrounded; infinite numbers are null."""
        return {**asdict(self), "rows": [row.to_json() for row in self.rows]}

    def text(self) -> str:
        """The report as a few lines: input, table of rows, and what its columns mean."""
        lines = [_head(self), *(f"  {_tensor(tensor)}" for tensor in self.tensors[:SHOWN_TENSORS])]
        if len(self.tensors) > SHOWN_TENSORS:
            lines.append(f"  ... and {count(len(self.tensors) - SHOWN_TENSORS, 'more tensor')}")
        lines += [
            rows_table(self.rows, largest=True),
            "BPFP: bits per value, all bytes counted. SNR and largest error: over all floats, as decoded.",
            _speeds(self),
            f"caufc's compiled kernels: {described()}.",
            *self.notes,
        ]
        return "\n".join(lines)


def _head(report: BenchReport) -> str:
    samples = count(report.samples, "sample")
    if report.samples < report.samples_in_file:
        samples = f"the first {report.samples:,} of {count(report.samples_in_file, 'sample')}"
    dtype = "of several dtypes" if report.dtype == "mixed" else f"as {report.dtype}"
    return f"{shown(report.file)}: {samples}, {report.numel:,} values, {short_size(report.bytes_in)} {dtype}"


def _speeds(report: BenchReport) -> str:
    runs = "one run" if report.repeat == 1 else f"the fastest of {report.repeat} runs"
    threads = max(row.busy_threads for row in report.rows)
    text = f"MB/s: of the input's values in memory; {runs}, in one process with up to {threads:.1f} threads busy."
    return text if report.bytes_in >= FAST else f"{text} Less than 1 MB tells little of speed."


def rows_table(rows: Sequence[BenchRow], *, largest: bool = False) -> str:
    """A table with one line per row; ``largest`` adds the largest error."""
    head = ("METHOD", "BYTES", "BPFP", "SNR dB", *(("MAX ERROR",) if largest else ()), "ENCODE MB/s", "DECODE MB/s")
    lines = [
        (
            row.method,
            f"{row.bytes:,}",
            f"{row.bpfp:.3f}",
            "exact" if row.snr_db is None else f"{row.snr_db:.2f}",
            *((f"{row.max_abs_error:.3g}",) if largest else ()),
            f"{row.encode_mb_s:.1f}",
            f"{row.decode_mb_s:.1f}",
        )
        for row in rows
    ]
    return table([head, *lines], right=range(1, len(head)))


def _tensor(tensor: TensorFacts) -> str:
    name = f"tensor '{shown(tensor.name)}'" if tensor.name else "tensor"
    text = f"{name}: {shape_text(tensor.shape)} a sample, {tensor.dtype}"
    return text + layout_text(tensor.layout, tensor.layout_reason)
