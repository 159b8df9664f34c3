"""Make the table of the specification's requirements against the vectors that test them.

    python -m tools.make.requirements_table [--check]

An invalid vector tests the requirement that its JSON names. What no file can violate is tested by valid vectors, whose
symbols or values come out wrong if a decoder does otherwise; which these are is said here.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

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


def rows() -> list[tuple[int, list[str], list[str]]]:
    """Every requirement with its valid and its invalid vectors."""
    text = (SPEC / "cauf-1.0.md").read_text("utf-8")
    numbers = sorted({int(number) for number in re.findall(r"\[CAUF-(\d{4})\]", text)} - set(NOT_OF_FILES))
    invalid: dict[int, list[str]] = {}
    for path in sorted((FOLDER / "invalid").glob("*.json")):
        invalid.setdefault(json.loads(path.read_text())["requirement"], []).append(path.stem)
    unknown = set(invalid) | set(VALID)
    if not unknown <= set(numbers):
        raise SystemExit(f"not in the specification: {sorted(unknown - set(numbers))}")
    return [(number, VALID.get(number, "").split(), invalid.get(number, [])) for number in numbers]


def table() -> str:
    """The page."""
    found = rows()
    untested = [number for number, valid, invalid in found if not valid and not invalid]
    lines = [
        "# Requirements and the vectors that test them",
        "",
        "`python -m tools.make.requirements_table` made this table. An invalid vector violates the requirement; valid",
        "ones decode to other symbols or values where a decoder does not keep to it.",
        "",
        f"{len(found)} requirements, {len(untested)} untested.",
        "",
        "| requirement | invalid vectors | valid vectors |",
        "|---|---|---|",
    ]
    lines += [f"| CAUF-{number:04d} | {', '.join(bad)} | {', '.join(good)} |" for number, good, bad in found]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the table is up to date and complete")
    options = parser.parse_args()
    if not options.check:
        TABLE.write_text(table(), "utf-8")
    current = TABLE.read_text("utf-8") == table()
    complete = all(valid or invalid for _, valid, invalid in rows())
    missing = [name for _, valid, _ in rows() for name in valid if not (FOLDER / "valid" / f"{name}.cauf").exists()]
    print(f"up to date: {current}; every requirement tested: {complete}; vectors that are not there: {missing}")
    return 0 if current and complete and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
