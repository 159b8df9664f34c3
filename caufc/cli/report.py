"""Reports as text with units, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..api import Info, Verdict
from ..encoder.report import Report, TensorReport
from ..text import SHOWN_TENSORS, count, layout_text, shape_text, short_size, shown, size, speed, table

if TYPE_CHECKING:
    from .jobs import Outcome

__all__ = [
    "as_json_text",
    "batch_line",
    "batch_summary",
    "count",
    "encode_text",
    "info_text",
    "shown",
    "size",
    "speed",
    "totals",
    "verify_line",
]


SHOWN_TEXT = 80
"""Characters of a text that are shown."""


def as_json_text(data: dict[str, Any]) -> str:
    """One object on one line; strict JSON, ASCII only."""
    return json.dumps(data, allow_nan=False)


def encode_text(outcome: Outcome, unkeyed: str = "--no-keyed makes them tensors of one sample") -> str:
    """What an encode did, a few lines.

    Args:
        outcome: of it.
        unkeyed: what to do with samples by key, or to get them without, as the command has it.
    """
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
    if report.content == "keyed":
        lines.append(f"  keyed  {count(report.samples, 'sample')} by key; {unkeyed}")
    alone = len(report.tensors) == 1
    lines += [_tensor(tensor, report.samples, alone=alone) for tensor in report.tensors[:SHOWN_TENSORS]]
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
        kept = report.tensors[0] if len(report.tensors) == 1 else None
        parts = [f"SNR {report.snr_db:.2f} dB"] if kept is None or kept.snr_db is None else _figures(kept)
        parts.append(f"NMSE {report.nmse:.3g}")
        parts += [] if report.max_abs_error is None else [f"largest {report.max_abs_error:.4g}"]
    if report.clipped:
        parts.append(f"{count(report.clipped, 'value')} clipped")
    if report.exact:
        parts.append(f"{count(report.exact, 'value')} stored exactly")
    return ", ".join(parts)


def _figures(tensor: TensorReport) -> list[str]:
    """What is kept of a tensor."""
    if tensor.snr_db is None:
        return ["exact"] if tensor.snr_apart_db is None else [f"exact but for outliers, {tensor.snr_apart_db:.2f} dB"]
    tokens = "exact" if tensor.token_snr_db is None else f"{tensor.token_snr_db:.2f} dB or more"
    parts = [f"SNR {tensor.snr_db:.2f} dB", f"99 % of tokens {tokens}", f"cosine {tensor.cosine:.5f}"]
    return parts if tensor.snr_apart_db is None else [*parts, f"outliers {tensor.snr_apart_db:.2f} dB"]


def _tensor(tensor: TensorReport, samples: int, *, alone: bool) -> str:
    """What was coded; of one tensor among several, what became of it too."""
    name = f"tensor '{shown(tensor.name)}'" if tensor.name else "tensor"
    text = f"  {name}: {count(samples, 'sample')} of {shape_text(tensor.shape)} {tensor.dtype}, {tensor.codec}"
    text += layout_text(tensor.layout, tensor.layout_reason)
    if alone:
        return text
    figures = [short_size(tensor.payload_bytes), f"{tensor.bpfp:.4g} BPFP", *_figures(tensor)]
    return f"{text}\n    {', '.join(figures)}"


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
        f"  rate     {info.bpfp:.4g} BPFP, {info.bytes_per_sample:,.0f} B per sample, ratio {info.ratio:.2f}",
        f"  control  {shown(info.control or '-')}",
        f"  content  {info.content}",
        f"  arch     {shown(info.arch or '-')}",
        f"  profile  {info.profile or '-'}",
        f"  index    {'yes' if info.indexed else 'no'}",
    ]
    if info.weights is not None:
        lines.append(f"  weights  {info.weights}")
    for what, texts in (("meta", info.metadata), ("note", info.notes)):
        lines += [f"  {what:<8} {shown(name)}: {shown(_short(value))}" for name, value in texts.items()]
    if info.software is not None:
        lines.append(f"  software {shown(info.software)}")
    if info.section_bytes:
        lines.append(f"  sections {size(info.section_bytes)} of bases, tables and statistics")
    if together := [tensor["stack"] for tensor in info.tensors if tensor["stack"] is not None]:
        stacks = count(len({*together}), "stack")
        lines.append(f"  stacks   {count(len(together), 'tensor')} in {stacks}, whose payloads are shared out equally")
    rows = [("TENSOR", "DTYPE", "SAMPLE", "LAYOUT", "TAP", "CODEC", "ALIGNMENT", "PAYLOAD", "BPFP")]
    for tensor in info.tensors[:SHOWN_TENSORS]:
        named = (shown(tensor[key] or "-") for key in ("layout", "tap", "codec", "alignment"))
        rate = (short_size(tensor["payload_bytes"]), f"{tensor['bpfp']:.4g}")
        rows.append((shown(tensor["name"] or "-"), tensor["dtype"], shape_text(tensor["shape"]), *named, *rate))
    lines += [f"  {line}" for line in table(rows, right=(7, 8)).splitlines()]
    if len(info.tensors) > SHOWN_TENSORS:
        lines.append(f"  ... and {count(len(info.tensors) - SHOWN_TENSORS, 'more tensor')}")
    return "\n".join(lines)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN_TEXT else f"{text[: SHOWN_TEXT - 3]}..."


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
