"""What came of many cases: how often each contract said something and was missed, by kinds of input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.attack.contract_checks import CONTRACTS

__all__ = ["DIED", "Tally"]

EXAMPLES = 3
"""Cases that are named for each contract and kind."""

DIED = "no-end"
"""Stands for cases that killed their process or did not end, beside the contracts."""


@dataclass
class Tally:
    """What came of cases.

    Args:
        cases: by kind of values.
        skipped: cases with a control that is not there.
        checked: by contract, how many cases it says something about.
        missed: by contract and kind, how many cases miss it.
        examples: by contract and kind, (case, what it misses).
        seconds: of processor time.
        slowest: processor time in seconds, and its case.
    """

    cases: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    checked: Counter[str] = field(default_factory=Counter)
    missed: dict[str, Counter[str]] = field(default_factory=dict)
    examples: dict[str, dict[str, list[tuple[int, str]]]] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)

    def record(self, number: int, kind: str, verdicts: Mapping[str, list[str]]) -> None:
        """Add a case."""
        self.cases[kind] += 1
        self.checked.update(verdicts.keys())
        for contract, misses in verdicts.items():
            if misses:
                self._miss(contract, kind, 1, [(number, misses[0])])

    def timed(self, number: int, seconds: float) -> None:
        """Add a case's processor time."""
        self.seconds += seconds
        self.slowest = max(self.slowest, (seconds, number))

    def _miss(self, contract: str, kind: str, count: int, examples: list[tuple[int, str]]) -> None:
        self.missed.setdefault(contract, Counter())[kind] += count
        known = self.examples.setdefault(contract, {}).setdefault(kind, [])
        known += examples[: EXAMPLES - len(known)]

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.cases += other.cases
        self.skipped += other.skipped
        self.checked += other.checked
        for contract, kinds in other.missed.items():
            for kind, count in kinds.items():
                self._miss(contract, kind, count, other.examples[contract][kind])
        self.seconds += other.seconds
        self.slowest = max(self.slowest, other.slowest)

    @property
    def total(self) -> int:
        return sum(self.cases.values()) + self.skipped

    @property
    def misses(self) -> int:
        return sum(sum(kinds.values()) for kinds in self.missed.values())

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "missed": {name: dict(kinds) for name, kinds in self.missed.items()}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Tally:
        examples = {
            contract: {kind: [(int(case), str(what)) for case, what in found] for kind, found in kinds.items()}
            for contract, kinds in data["examples"].items()
        }
        return cls(
            Counter(data["cases"]),
            data["skipped"],
            Counter(data["checked"]),
            {contract: Counter(kinds) for contract, kinds in data["missed"].items()},
            examples,
            data["seconds"],
            (data["slowest"][0], data["slowest"][1]),
        )

    def markdown(self) -> str:
        """Tables by contract and by kind, and examples of what is missed."""
        internal = sum(self.missed.get(name, Counter()).total() for name in ("no-error", DIED))
        out = ["Random arrays at random controls, against what the design promises for every input.", ""]
        out += ["| | |", "|---|---|", f"| cases | {self.total:,} |", f"| internal errors | {internal:,} |"]
        out += [f"| missed contracts | {self.misses - internal:,} |"]
        out += [f"| cases with a control that is not there | {self.skipped:,} |"] if self.skipped else []
        out += [f"| processor time | {self.seconds / 60:,.0f} min |"]
        out += [f"| slowest case | {self.slowest[0]:.2f} s (case {self.slowest[1]}) |", ""]
        out += ["| contract | cases | missed | what holds |", "|---|---|---|---|"]
        for name in (*CONTRACTS, *self.missed.keys() - CONTRACTS.keys()):
            sentence = (CONTRACTS[name].__doc__ or "").strip() if name in CONTRACTS else "Every case ends."
            missed = self.missed.get(name, Counter()).total()
            out += [f"| {name} | {self.checked[name]:,} | {missed:,} | {' '.join(sentence.split())} |"]
        out += ["", "| kind of values | cases | missed contracts |", "|---|---|---|"]
        for kind, count in sorted(self.cases.items()):
            of_kind = [(name, kinds[kind]) for name, kinds in self.missed.items() if kinds[kind]]
            out += [f"| {kind} | {count:,} | {', '.join(f'{name} {n:,}' for name, n in of_kind) or '0'} |"]
        if self.missed:
            out += ["", "Examples:", ""]
            for contract, kinds in self.examples.items():
                for kind, found in sorted(kinds.items()):
                    out += [f"- {contract}, {kind}, case {case}: {what}" for case, what in found]
        return "\n".join(out)
