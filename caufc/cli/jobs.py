"""Jobs: files to encode as they travel between processes, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..encoder.report import Report

__all__ = ["EncodeJob", "Outcome"]


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
