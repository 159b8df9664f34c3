"""The mutants of the reference decoder: each breaks one clause of the specification. Their list is mutants/*.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

__all__ = ["REFERENCE", "Mutant", "mutants"]

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "spec" / "reference"
LIST = Path(__file__).resolve().parent / "mutants"
FIELDS = {"requirement", "clause", "old", "new"}


@dataclass(frozen=True)
class Mutant:
    """A change of one module.

    Args:
        name: the requirement's number and that of the clause, ``0002.1``.
        requirement: whose clause it breaks.
        clause: what the text says, in a few words.
        module: of spec/reference.
        old: text of the module; it stands there once, unless `occurrence` says which one is meant.
        new: what takes its place.
        occurrence: from 1 on; 0 where `old` stands once.
    """

    name: str
    requirement: int
    clause: str
    module: str
    old: str
    new: str
    occurrence: int = 0

    def text(self) -> str:
        """The module with the change; ValueError where it does not apply or changes nothing."""
        pieces = (REFERENCE / f"{self.module}.py").read_text("utf-8").split(self.old)
        there, wanted = len(pieces) - 1, self.occurrence or 1
        if there < wanted or (there > 1 and not self.occurrence):
            raise ValueError(f"{self.name}: {self.module}.py has the text {there} times: {self.old}")
        if self.old.split() == self.new.split():
            raise ValueError(f"{self.name}: changes nothing")
        return self.old.join(pieces[:wanted]) + self.new + self.old.join(pieces[wanted:])


def mutants() -> list[Mutant]:
    """All of them, by requirement; ValueError where the list itself is wrong."""
    found: list[Mutant] = []
    entries = [
        (path.stem, entry)
        for path in sorted(LIST.glob("*.toml"))
        for entry in tomllib.loads(path.read_text("utf-8"))["mutant"]
    ]
    counts: dict[int, int] = {}
    clauses: set[tuple[str, str]] = set()
    for module, entry in sorted(entries, key=lambda pair: pair[1]["requirement"]):
        if not FIELDS <= set(entry) <= FIELDS | {"occurrence"}:
            raise ValueError(f"a mutant of {module} has the fields {sorted(entry)}")
        if (module, entry["clause"]) in clauses:
            raise ValueError(f"a clause of {module} stands twice: {entry['clause']}")
        clauses.add((module, entry["clause"]))
        number = entry["requirement"]
        counts[number] = counts.get(number, 0) + 1
        found.append(Mutant(name=f"{number:04d}.{counts[number]}", module=module, **entry))
    return found
