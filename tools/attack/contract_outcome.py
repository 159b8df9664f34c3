"""What came of a case: the file, the file without loss, the twin's file, and the errors on the way."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import caufc
from caufc.api import encode_to
from tools.attack.contract_cases import Case
from tools.attack.contract_controls import NAMED
from tools.attack.contract_tensors import Pair, form_of, pairs_of

__all__ = ["Caufc", "Coded", "Misses", "Outcome", "Subject", "errors_of", "outcome_of_case"]

Misses = Iterator[str | None]
"""What contracts yield: a line for each thing that is missed, or None if they say nothing about a case."""

COARSEST = {"bpfp": 1e-6}
"""A rate below every file's."""


class Subject:
    """What is judged: a codec that encodes with a report, and decodes."""

    def encode(self, features: Any, **options: Any) -> tuple[bytes, Any]:
        """A file and what ``caufc.save`` reports of it."""
        raise NotImplementedError

    def decode(self, data: bytes) -> Any:
        raise NotImplementedError

    @cached_property
    def per_token(self) -> bool:
        """Whether there is ``snr="DB/token"``."""
        return True


class Caufc(Subject):
    """The library itself."""

    def encode(self, features: Any, **options: Any) -> tuple[bytes, Any]:
        buffer = io.BytesIO()
        report = encode_to(buffer, features, **options)
        return buffer.getvalue(), report

    def decode(self, data: bytes) -> Any:
        return caufc.decode(data)

    @cached_property
    def per_token(self) -> bool:
        import numpy as np

        try:
            caufc.encode(np.ones((2, 2), np.float32), snr="30/token")
        except (caufc.CaufError, TypeError, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Coded:
    """One encode and its decode.

    Args:
        data: the file.
        report: of the encode.
        features: what went in.
        restored: what came back; None if it did not.
    """

    data: bytes
    report: Any
    features: Any
    restored: Any = None

    @property
    def layouts(self) -> dict[str, str | None]:
        """By tensor name; None for what is coded without loss."""
        return {tensor.name: tensor.layout for tensor in self.report.tensors}

    def pairs(self, layouts: Mapping[str, str | None]) -> list[Pair]:
        """Float tensors as tokens x channels by layouts."""
        return pairs_of(self.features, self.restored, layouts)


@dataclass
class Outcome:
    """What came of a case.

    Args:
        case: the case.
        subject: for encodes that a contract needs besides.
        coded: the file; None if there is none.
        lossless: the same features without loss.
        twin: the file of the case's twin.
        errors: (what was done, what was raised).
    """

    case: Case
    subject: Subject
    coded: Coded | None = None
    lossless: Coded | None = None
    twin: Coded | None = None
    errors: list[tuple[str, BaseException]] = field(default_factory=list)

    @cached_property
    def layouts(self) -> dict[str, str | None]:
        """Layouts by which the file and its twin are compared: a tensor may be coded without loss in one of them."""
        found: dict[str, str | None] = {}
        for coded in (self.twin, self.coded):
            for name, layout in ({} if coded is None else coded.layouts).items():
                found[name] = layout or found.get(name)
        return found

    @cached_property
    def pairs(self) -> list[Pair]:
        """Float tensors of the case, as tokens x channels."""
        return [] if self.coded is None else self.coded.pairs(self.layouts)

    @cached_property
    def twin_pairs(self) -> list[Pair]:
        return [] if self.twin is None else self.twin.pairs(self.layouts)

    @property
    def learned(self) -> bool:
        """Whether the learned codec was asked for."""
        return self.case.options.get("codec") == "hyperprior"

    @property
    def quality(self) -> float | None:
        """The quality that was asked for, where one was."""
        if not self.case.control:
            return NAMED["medium"]
        quality = self.case.control.get("quality")
        return NAMED[quality] if isinstance(quality, str) else quality

    def coded_of(self, features: Any) -> Coded:
        """Another input at the options of the case."""
        data, report = self.subject.encode(features, **self.case.asked)
        return Coded(data, report, features, self.subject.decode(data))

    @property
    def lossless_bytes(self) -> int | None:
        return None if self.lossless is None else len(self.lossless.data)

    @cached_property
    def coarsest_bytes(self) -> int | None:
        """Bytes of the coarsest file."""
        coded = self.attempt("encode", lambda: self.subject.encode(self.case.features, **self.case.options, **COARSEST))
        return None if coded is None else len(coded[0])

    def attempt(self, what: str, do: Callable[[], Any]) -> Any:
        """Do something; what it raises is kept, and None is the result."""
        try:
            return do()
        except Exception as err:
            self.errors.append((what, err))
        except BaseException as err:
            if isinstance(err, KeyboardInterrupt | SystemExit | MemoryError):
                raise
            self.errors.append((what, err))  # panics of compiled code are no exceptions
        return None


def outcome_of_case(subject: Subject, case: Case) -> Outcome:
    """Encode and decode a case, what it is compared with, and the same without loss."""
    found = Outcome(case, subject)
    found.coded = _coded(found, "encode", case.features, case.asked)
    if found.coded is None or not case.valid:
        return found
    kept = {name: value for name, value in case.options.items() if name in ("layout", "chunk", "index", "nonfinite")}
    found.lossless = _coded(found, "lossless", case.features, {**kept, "lossless": True})
    if case.twin is not None:
        found.twin = _coded(found, "twin", case.twin.features, {**case.options, **case.twin.control})
    return found


def _coded(found: Outcome, what: str, features: Any, options: Mapping[str, Any]) -> Coded | None:
    made = found.attempt(what, lambda: found.subject.encode(features, **options))
    if made is None:
        return None
    coded = Coded(made[0], made[1], features)
    restored = found.attempt(f"decode of {what}", lambda: found.subject.decode(coded.data))
    if restored is not None and form_of(restored) != form_of(features):
        found.errors.append((f"form of {what}", ValueError(_shortly(form_of(restored), form_of(features)))))
        restored = None
    return replace(coded, restored=restored) if restored is not None else None


def _shortly(found: Any, wanted: Any) -> str:
    return f"{str(found)[:200]} came back, not {str(wanted)[:200]}"


def told(error: BaseException) -> str:
    """An error and where it was raised, in a line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}: {str(error)[:160]}"


def errors_of(found: Outcome, *prefixes: str) -> Iterator[str]:
    """What was raised, of doings that begin with one of these words."""
    for what, error in found.errors:
        if what.startswith(prefixes):
            yield f"{what}: {told(error)}"
