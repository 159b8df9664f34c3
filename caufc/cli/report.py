"""Reports as text with units, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..api import (
    Info,
    Verdict,
)
from ..encoder.report import (
    Report,
    TensorReport,
)

if TYPE_CHECKING:
    from .batch import Outcome

__all__ = [
    "FAST",
    "SHOWN_TENSORS",
    "as_json_text",
    "batch_line",
    "batch_summary",
    "count",
    "encode_text",
    "info_text",
    "shape_text",
    "short_size",
    "shown",
    "size",
    "speed",
    "table",
    "totals",
    "verify_line",
]

SHOWN_TENSORS = 32
"""Reports list no more tensors than this."""


FAST = 1_000_000
"""Bytes of values from which on a speed means something."""


def as_json_text(data: dict[str, Any]) -> str:
    """One object on one line; strict JSON, ASCII only."""
    return json.dumps(data, allow_nan=False)


def short_size(number: int) -> str:
    """Bytes in the unit that suits them: ``12.8 MB``."""
    if number < 1000:
        return f"{number} B"
    scaled, unit = number / 1e3, "kB"
    for larger in ("MB", "GB", "TB"):
        if scaled < 999.95:
            break
        scaled, unit = scaled / 1e3, larger
    return f"{scaled:.1f} {unit}"


def size(number: int) -> str:
    """Bytes, exact and in a unit: ``12,845,056 B (12.8 MB)``."""
    return f"{number:,} B" if number < 1000 else f"{number:,} B ({short_size(number)})"


def speed(number: int, seconds: float) -> str:
    """``1.50 s, 20.0 MB/s``; less than 1 MB tells no speed: ``0.02 s``."""
    rate = f", {number / max(seconds, 1e-9) / 1e6:.1f} MB/s" if number >= FAST else ""
    return f"{seconds:.2f} s{rate}"


def count(number: int, noun: str) -> str:
    """``1 sample``, ``8 samples``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown(text: str) -> str:
    """A name from outside, without what a terminal would take for a command."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Rows in columns, the first row being the head; ``right`` columns are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ends = set(right)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number in ends else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def encode_text(outcome: Outcome) -> str:
    """What an encode did, a few lines."""
    report = outcome.report
    if report is None:
        return f"{shown(outcome.output)} exists: skipped"
    lines = [
        f"{shown(outcome.source)} -> {shown(outcome.output)}",
        f"  size   {size(report.bytes_in)} -> {size(report.bytes_out)}, {_ratio(report.bytes_in, report.bytes_out)}, "
        f"{report.bpfp:.4g} BPFP",
        f"  error  {_error(report)}",
        f"  time   {speed(report.bytes_in, report.seconds)}",
    ]
    lines += [_tensor(tensor, report.samples) for tensor in report.tensors[:SHOWN_TENSORS]]
    if len(report.tensors) > SHOWN_TENSORS:
        lines.append(f"  ... and {count(len(report.tensors) - SHOWN_TENSORS, 'more tensor')}")
    if outcome.waste:
        lines.append(
            f"  waste  {size(outcome.waste)} of {shown(outcome.source)} belong to no tensor: "
            "a view was saved with its base; save .clone()"
        )
    return "\n".join(lines)


def _ratio(before: int, after: int) -> str:
    return f"ratio {before / max(1, after):.2f}"


def _error(report: Report) -> str:
    parts = ["none, every value is exact"]
    if report.snr_db is not None:
        largest = f"largest {report.max_abs_error:.4g}"
        parts = [f"SNR {report.snr_db:.2f} dB", f"NMSE {report.nmse:.3g}", largest]
    if report.clipped:
        parts.append(f"{count(report.clipped, 'value')} clipped")
    if report.exact:
        parts.append(f"{count(report.exact, 'value')} stored exactly")
    return ", ".join(parts)


def _tensor(tensor: TensorReport, samples: int) -> str:
    name = f"tensor '{shown(tensor.name)}'" if tensor.name else "tensor"
    text = f"  {name}: {count(samples, 'sample')} of {shape_text(tensor.shape)} {tensor.dtype}, {tensor.codec}"
    if tensor.layout is None:
        return text
    if tensor.guessed:
        return f"{text}, layout guessed: '{tensor.layout}'; set it with --layout"
    return f"{text}, layout '{tensor.layout}'"


def shape_text(shape: Sequence[int | None]) -> str:
    """``[16, 5, 5]``, with ``?`` where sizes vary."""
    return f"[{', '.join('?' if length is None else str(length) for length in shape)}]"


def batch_line(outcome: Outcome) -> str:
    """One file of many."""
    report = outcome.report
    if report is None:
        return f"{shown(outcome.output)} exists: skipped"
    snr = "exact" if report.snr_db is None else f"SNR {report.snr_db:.2f} dB"
    sizes = f"{short_size(report.bytes_in)} -> {short_size(report.bytes_out)}"
    return f"{shown(outcome.source)} -> {shown(outcome.output)}: {sizes}, {report.bpfp:.4g} BPFP, {snr}"


def totals(outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Sums over many files."""
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    numel = sum(report.numel for report in reports)
    bytes_out = sum(report.bytes_out for report in reports)
    return {
        "files": len(outcomes),
        **{status: sum(o.status == status for o in outcomes) for status in ("done", "skipped", "failed")},
        "bytes_in": sum(report.bytes_in for report in reports),
        "bytes_out": bytes_out,
        "numel": numel,
        "samples": sum(report.samples for report in reports),
        "bpfp": 8 * bytes_out / numel if numel else 0.0,
        "seconds": seconds,
        "exit_code": max((outcome.exit_code for outcome in outcomes), default=0),
    }


def batch_summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """The last line of many files."""
    sums = totals(outcomes, seconds)
    text = f"{count(sums['files'], 'file')}: {sums['done']} done, {sums['skipped']} skipped, {sums['failed']} failed"
    if sums["done"]:
        before, after = sums["bytes_in"], sums["bytes_out"]
        text += f"; {size(before)} -> {size(after)}, {_ratio(before, after)}, {sums['bpfp']:.4g} BPFP"
    return f"{text}; {seconds:.1f} s"


def info_text(name: str, info: Info) -> str:
    """What a file says of itself."""
    chunks = f"{count(info.samples, 'sample')} in {count(info.chunks, 'chunk')}"
    lines = [
        f"{shown(name)}: version {info.version}, {info.codec}, {chunks}, {size(info.bytes)}",
        f"  content  {info.content}",
        f"  arch     {shown(info.arch or '-')}",
        f"  profile  {info.profile or '-'}",
        f"  index    {'yes' if info.indexed else 'no'}",
    ]
    if info.weights is not None:
        lines.insert(4, f"  weights  {info.weights}")
    rows = [("TENSOR", "DTYPE", "SAMPLE", "LAYOUT", "TAP", "CODEC", "ALIGNMENT")]
    for tensor in info.tensors[:SHOWN_TENSORS]:
        named = (shown(tensor[key] or "-") for key in ("layout", "tap", "codec", "alignment"))
        rows.append((shown(tensor["name"] or "-"), tensor["dtype"], shape_text(tensor["shape"]), *named))
    lines += [f"  {line}" for line in table(rows).splitlines()]
    if len(info.tensors) > SHOWN_TENSORS:
        lines.append(f"  ... and {count(len(info.tensors) - SHOWN_TENSORS, 'more tensor')}")
    return "\n".join(lines)


def verify_line(name: str, verdict: Verdict) -> str:
    """A file that passed."""
    parts = [
        count(verdict.samples, "sample"),
        count(verdict.tensors, "tensor"),
        count(verdict.chunks, "chunk"),
        size(verdict.bytes),
    ]
    symbols = "" if verdict.symbols_sha256 is None else f", symbols sha256 {verdict.symbols_sha256}"
    return f"OK {shown(name)}: {', '.join(parts)}{symbols}"
