"""Make the table of the specification's requirements against the vectors that test them, clause by clause.

    python -m tools.make.requirements_table [--check]

An invalid vector tests the requirement that its JSON names. What no file can violate is tested by valid vectors, whose
symbols or values come out wrong if a decoder does otherwise; which these are is said here. Clauses are those that
mutants of the reference decoder break (tools.attack.mutants); its recorded run says which vector notices.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.attack.mutant_list import Mutant, mutants
from tools.make.vector_sums import FOLDER

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
TABLE = SPEC / "requirements.md"

VALID = {
    1: "outliers cnn-fp32",
    560: "token-scales token-scales-fp16 token-snr",
    60: "arch-and-tap nested",
    90: "basis tokens-ragged",
    91: "basis tokens-ragged robust",
    95: "profile-emptied",
    110: "spectral-ragged key-value",
    119: "tokens-ragged cnn-fp32",
    140: "cnn-fp32",
    145: "cnn-fp32 tiny",
    161: "profile-list",
    163: "profile-analysis",
    165: "hyperprior-named",
    166: "hyperprior-named",
    170: "cnn-nhwc key-value spectral-3d",
    205: "zeros",
    206: "per-token token-scales max-error",
    210: "lattice basis-short",
    211: "outliers spectral-outliers",
    212: "outliers spectral-outliers",
    213: "lattice-own-tables spectral-own-tables",
    214: "lattice spectral-2d",
    215: "lattice spectral-2d lattice-extents",
    217: "lattice-extents spectral-2d",
    218: "lattice lattice-3d",
    219: "lattice-squares spectral-2d-ragged",
    220: "given-statistics min-max",
    222: "basis-spectral spectral-fp64",
    223: "joined-grid spectral-3d lattice-3d",
    224: "spectral-1d spectral-2d-blocks",
    225: "band-steps spectral-specials",
    226: "spectral-2d spectral-2d-blocks spectral-special",
    229: "dependent dependent-spectral dependent-lone",
    231: "lattice-own-tables lossless-fp32",
    232: "lattice-own-tables lossless-fp32",
    233: "cnn-fp32 tiny",
    315: "lossless-fp32 lossless-tokens",
    318: "lossless-fp32 lossless-ragged",
    319: "lossless-fp16 lossless-bf16 lossless-fp64 integers",
    320: "lossless-fp32 lossless-bf16",
    321: "lossless-fp32 lossless-ragged",
    330: "nonfinite max-error",
    350: "per-token min-max robust",
    354: "robust per-token-fp64",
    355: "robust per-token-fp64",
    360: "largest-fp16 cnn-bf16-high",
    410: "hyperprior-tiles",
    411: "hyperprior-plain hyperprior-tiles",
    412: "hyperprior-plain hyperprior-tiles",
    414: "hyperprior-tokens hyperprior-tiles",
    420: "hyperprior-plain hyperprior-embedded",
    421: "hyperprior-plain hyperprior-embedded",
    422: "hyperprior-embedded hyperprior-tiles",
    552: "control-and-software control-in-words",
    423: "hyperprior-tiles hyperprior-named",
    504: "keyed keyed-dicts",
    520: "integers-tokens integers-masks",
    533: "integers-tokens integers-masks",
    562: "stack stack-profiled stack-dissolved",
    565: "turns turns-special turns-ragged turns-fp16 turns-fp64",
}
"""Requirement -> names of valid vectors, besides those that invalid vectors test."""

NOT_OF_FILES = {123: "an example of how requirements are cited"}

NOT_BROKEN = {
    222: "how far decoders may be from exact arithmetic: what values are compared with",
    423: "the same of the hyperprior codec",
    552: "for people; no symbol or value depends on it",
}
"""Requirements without mutants, and why."""

RESULTS = ROOT / "tools" / "results" / "mutants.json"


@dataclass(frozen=True)
class Row:
    """A requirement with its valid and invalid vectors, and its clauses, each with the vector that tests it."""

    number: int
    valid: list[str]
    invalid: list[str]
    clauses: list[tuple[Mutant, str | None]]

    @property
    def tested(self) -> bool:
        """Whether vectors are named, and every clause has one that notices if it is broken."""
        broken = bool(self.clauses) or self.number in NOT_BROKEN
        return bool(self.valid or self.invalid) and broken and all(vector for _, vector in self.clauses)


def rows() -> list[Row]:
    """Every requirement."""
    text = (SPEC / "cauf-1.0.md").read_text("utf-8")
    numbers = sorted({int(number) for number in re.findall(r"\[CAUF-(\d{4})\]", text)} - set(NOT_OF_FILES))
    invalid: dict[int, list[str]] = {}
    for path in sorted((FOLDER / "invalid").glob("*.json")):
        invalid.setdefault(json.loads(path.read_text())["requirement"], []).append(path.stem)
    clauses: dict[int, list[tuple[Mutant, str | None]]] = {}
    noticed = killers()
    for mutant in mutants():
        clauses.setdefault(mutant.requirement, []).append((mutant, noticed.get((mutant.module, mutant.clause))))
    unknown = (set(invalid) | set(VALID) | set(clauses)) - set(numbers)
    if unknown:
        raise SystemExit(f"not in the specification: {sorted(unknown)}")
    return [Row(n, VALID.get(n, "").split(), invalid.get(n, []), clauses.get(n, [])) for n in numbers]


def killers() -> dict[tuple[str, str], str | None]:
    """The vector that noticed each mutant in the recorded run, by module and clause."""
    if not RESULTS.exists():
        return {}
    outcomes = json.loads(RESULTS.read_text())["figures"]["outcomes"]
    return {(found["module"], found["clause"]): found["killed_by"] for found in outcomes}


def table() -> str:
    """The page."""
    found = rows()
    clauses = [clause for row in found for clause in row.clauses]
    noticed = sum(vector is not None for _, vector in clauses)
    lines = [
        "# Requirements, their clauses, and the vectors that test them",
        "",
        "`python -m tools.make.requirements_table` made this page. An invalid vector violates the requirement; valid",
        "ones decode to other symbols or values where a decoder does not keep to it. A clause is what a *mutant* of",
        "the reference decoder breaks (`python -m tools.attack.mutants`): a line of it changed, which vectors notice.",
        "",
        f"{len(found)} requirements, {sum(not row.tested for row in found)} untested; "
        f"{len(clauses)} clauses, {len(clauses) - noticed} untested.",
        "",
        "| requirement | clauses | invalid vectors | valid vectors |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| CAUF-{row.number:04d} | {len(row.clauses)} | {', '.join(row.invalid)} | {', '.join(row.valid)} |"
        for row in found
    ]
    lines += ["", "Without clauses:", ""]
    lines += [f"- CAUF-{number:04d}: {why}" for number, why in NOT_BROKEN.items()]
    lines += ["", "## Clauses", "", "| clause | of CAUF-... | noticed by |", "|---|---|---|"]
    lines += [
        f"| {mutant.clause.replace('|', '/')} | {mutant.name} | {vector or '**none**'} |" for mutant, vector in clauses
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the table is up to date and complete")
    options = parser.parse_args()
    if not options.check:
        TABLE.write_text(table(), "utf-8")
    current = TABLE.read_text("utf-8") == table()
    found = rows()
    untested = [row.number for row in found if not row.tested]
    missing = [name for row in found for name in row.valid if not (FOLDER / "valid" / f"{name}.cauf").exists()]
    print(f"up to date: {current}; requirements untested: {untested}; vectors that are not there: {missing}")
    return 0 if current and not untested and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
