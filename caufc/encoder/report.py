"""What an encode did, in numbers with their units."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ..codec.kernels import built
from ..coders.config import TensorConfig
from ..coders.registry import codec_of_all
from ..coders.stack import leaders_of
from ..types import DTYPES, NOTE, Structure
from .file_writer import FilePass
from .options import EncodeOptions
from .plan import TensorPlan
from .quality_warnings import quality_warnings
from .rate_control import RateControl
from .source import Source
from .stream_control import StreamControl
from .unlike_samples import unlike_samples

__all__ = ["Report", "TensorReport", "report_of", "report_of_stream"]


@dataclass(frozen=True)
class TensorReport:
    """One tensor of a report.

    Args:
        name: dotted path; empty for a lone tensor.
        dtype: as it came in.
        shape: of a sample, None where it varies.
        layout: expression, None where the tensor is coded without loss.
        layout_reason: why the layout was chosen, in a few words; empty for one that was given.
        codec: its codec by name, such as ``transform`` or ``lossless``.
        alignment: ``kind/scope``.
        step: quantiser step in aligned units, gain included; None without quantiser.
        stack: name of the tensor that leads those it is coded with, its payloads shared out equally; None if alone.
        numel: number of values.
        payload_bytes: bytes of its payloads; those of its bases and tables are the file's.
        snr_db: 10 log10 of energy over squared error, over what remains when outliers are set aside; None if nothing
            was lost, as below.
        snr_apart_db: the same of the outliers alone.
        token_snr_db: the SNR that 99 % of its tokens reach, each over what remains of it.
        cosine: cosine similarity with what came in, outliers left out; 1 if nothing was lost.
        max_abs_error: largest absolute error; None where coefficients told the errors, and not what is decoded.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    layout: str | None
    layout_reason: str
    codec: str
    alignment: str
    step: float | None
    stack: str | None = None
    numel: int = 0
    payload_bytes: int = 0
    snr_db: float | None = None
    snr_apart_db: float | None = None
    token_snr_db: float | None = None
    cosine: float = 1.0
    max_abs_error: float | None = 0.0

    @property
    def bpfp(self) -> float:
        """Bits per feature point of its payloads: 8 payload_bytes / numel."""
        return 8 * self.payload_bytes / self.numel if self.numel else 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain data, numbers unrounded; infinite numbers are null."""
        return _finite({**asdict(self), "bpfp": self.bpfp})


@dataclass(frozen=True)
class Report:
    """What an encode did.

    Args:
        bytes_in: bytes of the tensors' values.
        bytes_out: bytes of the file, all counted.
        numel: number of values.
        samples: number of samples.
        snr_db: 10 log10 of energy over squared error, over all floats, outliers too; None if nothing was lost.
        nmse: squared error over energy.
        max_abs_error: largest absolute error; None where coefficients told the errors, and not what is decoded.
        clipped: values that truncation changed.
        exact: values stored exactly because the quantiser could not keep the promise.
        chunks: number of chunks.
        passes: passes over the samples, the survey not counted.
        seconds: wall-clock time.
        arch: architecture ID.
        codec: the codec with loss that tensors are coded with; ``lossless`` if there is none.
        tensors: one entry per tensor.
        content: what samples are: ``batch``, ``list``, ``tuple``, ``single`` or ``keyed``.
        warnings: what the user should know, a sentence each.
        kernels: the compiled kernels in use, by name; none where numpy does all.
        scope: what the rate control was met for: ``file``, or ``chunk`` where samples were streamed: each chunk then
            has its SNR or rate, and the whole file one beside it.
    """

    bytes_in: int
    bytes_out: int
    numel: int
    samples: int
    snr_db: float | None
    nmse: float
    max_abs_error: float | None
    clipped: int
    exact: int
    chunks: int
    passes: int
    seconds: float
    arch: str | None
    codec: str
    tensors: tuple[TensorReport, ...] = ()
    content: str = "batch"
    warnings: tuple[str, ...] = field(default=())
    kernels: tuple[str, ...] = ()
    scope: Literal["file", "chunk"] = "file"

    @property
    def bpfp(self) -> float:
        """Bits per feature point: 8 bytes_out / numel."""
        return 8 * self.bytes_out / self.numel if self.numel else 0.0

    def to_json(self) -> dict[str, Any]:
        """As plain data, numbers unrounded; infinite numbers are null."""
        tensors = [tensor.to_json() for tensor in self.tensors]
        return _finite({"bpfp": self.bpfp, **asdict(replace(self, tensors=())), "tensors": tensors})


def _finite(data: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in data.items()}


def report_of(source: Source, arch: str | None, done: FilePass, control: RateControl, seconds: float) -> Report:
    """The report of an encode.

    Args:
        source: what was coded.
        arch: architecture ID.
        done: the pass that stands in the file.
        control: that ended with it.
        seconds: wall-clock time.
    """
    tensors = _tensor_reports([tensor.numel for tensor in source.tensors], source.structure, done)
    report = _report(source.structure, source.samples, arch, done, tensors, seconds)
    return replace(
        report,
        passes=control.writer.passes,
        warnings=(
            *control.options.warnings,
            *unlike_samples(source),
            *(plan.warning for plan in done.plans if plan.warning),
            *control.warnings,
            *quality_warnings(tensors, control.options),
        ),
    )


def report_of_stream(
    structure: Structure,
    options: EncodeOptions,
    arch: str | None,
    done: FilePass,
    numels: Sequence[int],
    control: StreamControl,
    samples: int,
    started: float,
) -> Report:
    """The report of a stream.

    Args:
        structure: of the samples.
        options: what was asked for.
        arch: architecture ID.
        done: the pass over the samples.
        numels: values of each tensor.
        control: that met the target for each chunk.
        samples: how many.
        started: when it began, on the clock of :func:`time.perf_counter`.
    """
    tensors = _tensor_reports(numels, structure, done)
    report = _report(structure, samples, arch, done, tensors, time.perf_counter() - started)
    plans = (plan.warning for plan in done.plans if plan.warning)
    warnings = (*options.warnings, *plans, *control.warnings, *quality_warnings(tensors, options))
    by_chunk = options.target.kind in ("snr", "bpfp") and not options.target.by_token
    return replace(report, warnings=warnings, scope="chunk" if by_chunk else "file")


def _report(
    structure: Structure,
    samples: int,
    arch: str | None,
    done: FilePass,
    tensors: tuple[TensorReport, ...],
    seconds: float,
) -> Report:
    """A report without warnings."""
    distortion = done.distortion
    features = [tensor for tensor in tensors if tensor.dtype != NOTE]
    return Report(
        bytes_in=sum(tensor.numel * DTYPES[tensor.dtype].itemsize for tensor in features),
        bytes_out=done.bytes_out,
        numel=sum(tensor.numel for tensor in features),
        samples=samples,
        snr_db=distortion.whole_snr_db,
        nmse=distortion.nmse,
        max_abs_error=distortion.largest_error,
        clipped=distortion.clipped,
        exact=distortion.patched,
        chunks=done.chunks,
        passes=1,
        seconds=seconds,
        arch=arch,
        codec=codec_of_all(plan.config.codec for plan in done.plans).name,
        tensors=tensors,
        content=structure.kind,
        kernels=built(),
    )


def _tensor_reports(numels: Sequence[int], structure: Structure, done: FilePass) -> tuple[TensorReport, ...]:
    leaders = leaders_of([plan.config for plan in done.plans])
    parts = zip(numels, done.plans, leaders, done.distortions, done.payload_bytes, strict=True)
    return tuple(
        replace(
            _tensor_report(plan, leader, structure, done.gain),
            numel=numel,
            payload_bytes=payload_bytes,
            snr_db=distortion.snr_db,
            snr_apart_db=distortion.snr_apart_db,
            token_snr_db=distortion.token_snr_db,
            cosine=distortion.cosine,
            max_abs_error=distortion.largest_error,
        )
        for numel, plan, leader, distortion, payload_bytes in parts
    )


def _tensor_report(plan: TensorPlan, leader: TensorConfig | None, structure: Structure, gain: float) -> TensorReport:
    config = plan.config
    return TensorReport(
        name=config.name,
        dtype=config.dtype,
        shape=config.template,
        layout=config.layout_text(structure) if config.codec.lossy else None,
        layout_reason=plan.layout_reason if config.codec.lossy else "",
        codec=config.codec.name,
        alignment=(leader or config).alignment_text,
        stack=None if leader is None else leader.name,
        step=_step(plan, gain) if plan.terms.quantizer else None,
    )


def _step(plan: TensorPlan, gain: float) -> float:
    return float(np.float32(float(plan.config.parameters[0]) * (1 if plan.gain is None else gain)))
