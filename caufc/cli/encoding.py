"""Encoding one file: what is asked, doing it, and what came of it. Jobs and results travel between processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..api import encode_to
from ..encoder.report import Report
from ..errors import StorageError
from ..features import (
    atomic_output,
    read,
    remove_stale,
    waste,
)
from ..options import make_options
from ..profiles import find_profile
from .failure import (
    EXPECTED,
    failure,
)
from .progress import Bar
from .streams import (
    binary_stdout,
    check_container,
    check_free,
    input_file,
    plugin_formats,
)

__all__ = ["EncodeJob", "Outcome", "attempt", "check_options", "encode_file"]


@dataclass(frozen=True)
class EncodeJob:
    """One file to encode.

    Args:
        source: a feature file, or ``-``.
        output: a ``.cauf`` file, or ``-``.
        suffix: the input's format, if its name does not tell.
        force: replace the output if it exists.
        options: of :func:`caufc.encode`.
    """

    source: str
    output: str
    suffix: str | None
    force: bool
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Args:
        source, output: as in the job.
        status: ``done``, ``skipped`` (the output was there) or ``failed``.
        report: of an encode that is done.
        waste: bytes of the input that belong to no tensor.
        message: of a failure, one line.
        exit_code: 0 unless it failed.
    """

    source: str
    output: str
    status: Literal["done", "skipped", "failed"]
    report: Report | None = None
    waste: int = 0
    message: str | None = None
    exit_code: int = 0

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        data: dict[str, Any] = {"input": self.source, "output": self.output, "status": self.status}
        if self.message is not None:
            data |= {"error": self.message, "exit_code": self.exit_code}
        return data if self.report is None else {**data, **self.report.to_json(), "waste_bytes": self.waste}


def check_options(options: Mapping[str, Any]) -> None:
    """Check what can be checked without an input, so that many inputs do not fail one by one.

    Raises:
        CaufError: as :func:`caufc.encode` does.
    """
    rest = {name: value for name, value in options.items() if name != "profile"}
    named: Iterable[Mapping[str, Any]] = (options[key] or {} for key in ("tap", "layout", "align", "truncate", "reads"))
    names = sorted({"*"}.union(*named))
    profile = None if options["profile"] is None else find_profile(options["profile"])
    make_options(names, dict.fromkeys(names, 0), profile=profile, **rest)


def encode_file(job: EncodeJob, *, quiet: bool = True) -> Outcome:
    """Encode one file; the output appears whole or not at all.

    Raises:
        CaufError: about the file that it names.
    """
    stdout = binary_stdout("a .cauf file") if job.output == "-" else None
    if job.source == "-":
        _check_output(job)
    try:
        with input_file(job.source, job.suffix) as path:
            suffix = path.suffix if job.source == "-" or job.suffix is None else job.suffix
            features = read(path, suffix, plugin_formats(suffix), limits=job.options["limits"])
            _check_output(job)
            with _EncodeBar(path, quiet) as progress:
                if stdout is not None:
                    report = encode_to(stdout, features, progress=progress, **job.options)
                    stdout.flush()
                else:
                    remove_stale(Path(job.output))
                    with atomic_output(Path(job.output), job.force) as file:
                        report = encode_to(file, features, progress=progress, **job.options)
            return Outcome(job.source, job.output, "done", report, waste(features))
    except MemoryError as err:
        raise StorageError("not enough memory", file=job.source, remedy="try a smaller --chunk") from err


def _check_output(job: EncodeJob) -> None:
    if job.output != job.source:
        check_container(job.output)
    check_free(job.output, job.source, job.force)


def attempt(job: EncodeJob, *, quiet: bool = True) -> Outcome:
    """Encode one file of many: a failure is a result."""
    try:
        return encode_file(job, quiet=quiet)
    except EXPECTED as err:
        told = failure(err, job.source)
        return Outcome(job.source, job.output, "failed", message=told.message, exit_code=told.exit_code)


class _EncodeBar(Bar):
    """A bar that the encoder can call; every pass over the samples begins it again."""

    def __init__(self, path: Path, quiet: bool) -> None:
        super().__init__("encode", path.stat().st_size, quiet=quiet)
        self.doing, self.done, self.passes = "", 0, 0

    def __enter__(self) -> _EncodeBar:
        return self

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self.doing or done < self.done:
            self.passes = self.passes + 1 if what == self.doing else 1
            self.stage(what if self.passes == 1 else f"{what}, pass {self.passes}")
        self.doing, self.done = what, done
        self.update(done / max(1, total))
