"""Test a decoder, given as a command line, against the conformance vectors.

    python spec/run_vectors.py [--mutations 8] COMMAND ...

COMMAND is run for every vector with {file} replaced by its path; {profile} and {weights} by the paths of the profile
and the weights that it names, and if it names none, the argument is left out together with the one before it. {values},
if there, is the path of an .npz file to write, one array NAME/NUMBER a sample. The command must

- exit 0 for a valid file, and print a JSON object with at least `samples` and `symbols_sha256` [CAUF-0119]; if it has
  `tensors`, these must be all there are, with their `name`, `dtype` and `shape`, and the right `values_sha256` where
  values are exact;
- write {values}, if that is there, with every sample of every tensor and nothing else: no NaN where there is none, and
  nothing beyond its tolerance;
- exit 3 for a damaged or malformed file, 4 for one that is unsupported, for an invalid vector; if it then prints
  numbers of requirements, as [CAUF-0119], the one that the file breaks must be among them.

Then one bit at each of so many places of every valid vector is flipped, and the command must refuse what results.
Examples:

    python spec/run_vectors.py python -m spec.reference --profile {profile} --profile {weights} -o {values} {file}
    python spec/run_vectors.py caufc verify --deep --json --profile {profile} --weights {weights} {file}
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

VECTORS = Path(__file__).resolve().parent / "vectors"
FACTS = ("name", "dtype", "shape")
REQUIREMENT = re.compile(r"\[CAUF-(\d{4})\]")
UNSUPPORTED = ("UnsupportedError", "VersionError", "MissingProfileError", "MissingWeightsError", "LimitError")
NEEDED = ("profile", "weights")
FORMS = {"fp32": "<f4", "fp16": "<f2", "fp64": "<f8"}
BYTES = {"fp32": 4, "fp16": 2, "fp64": 8, "bf16": 2}


def command_for(command: list[str], file: Path, facts: dict[str, Any], values: Path) -> list[str]:
    """The command line for one file."""
    known = {"{file}": str(file), "{values}": str(values)}
    known |= {f"{{{kind}}}": str(VECTORS / "profiles" / facts[kind]) for kind in NEEDED if kind in facts}
    unknown = {f"{{{kind}}}" for kind in NEEDED} - known.keys()
    out: list[str] = []
    for word in command:
        if any(mark in word for mark in unknown):
            out = out[:-1] if word in unknown else out
            continue
        for mark, path in known.items():
            word = word.replace(mark, path)
        out.append(word)
    return out


def run(command: list[str], file: Path, facts: dict[str, Any], values: Path) -> tuple[int, str, str]:
    """Exit code, what was printed, and what was printed to stderr."""
    values.unlink(missing_ok=True)
    done = subprocess.run(command_for(command, file, facts, values), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def check_valid(command: list[str], path: Path, values: Path) -> Iterator[str]:
    """What is wrong with how a valid vector is decoded."""
    facts = json.loads(path.with_suffix(".json").read_text())
    code, text, _ = run(command, path, facts, values)
    if code != 0:
        yield f"exit code {code}"
        return
    try:
        found = json.loads(text)
    except ValueError:
        yield "no JSON"
        return
    if not isinstance(found, dict):
        yield "no JSON object"
        return
    for key in ("samples", "symbols_sha256"):
        if found.get(key) != facts[key]:
            yield f"{key} {found.get(key)}, not {facts[key]}"
    if isinstance(found.get("tensors"), list):
        yield from check_tensors(facts["tensors"], found["tensors"])
    if any("{values}" in word for word in command):
        yield from check_values(facts, values)


def check_tensors(wanted: list[dict[str, Any]], found: list[Any]) -> Iterator[str]:
    """What is printed of the tensors."""
    if len(found) != len(wanted):
        yield f"{len(found)} tensors, not {len(wanted)}"
    for mine, theirs in zip(found, wanted, strict=False):
        for key in FACTS:
            if key in mine and mine[key] != theirs[key]:
                yield f"{key} {mine[key]} of tensor '{theirs['name']}', not {theirs[key]}"
        if "values_sha256" in theirs and mine.get("values_sha256", theirs["values_sha256"]) != theirs["values_sha256"]:
            yield f"values of tensor '{theirs['name']}' differ"


def check_values(facts: dict[str, Any], values: Path) -> Iterator[str]:
    """Values against digests and listed tolerances."""
    if not values.exists():
        yield "no values"
        return
    with np.load(values) as file:
        arrays = dict(file)
    for tensor in facts["tensors"]:
        names = [f"{tensor['name']}/{number}" for number in range(facts["samples"])]
        missing = [name for name in names if name not in arrays]
        if missing:
            yield f"no sample '{missing[0]}'"
            continue
        samples = [arrays.pop(name) for name in names]
        if any(not fits(sample.shape, tensor["shape"]) for sample in samples):
            yield f"samples of tensor '{tensor['name']}' of other shapes than {tensor['shape']}"
            continue
        data = b"".join(sample.tobytes() for sample in samples)
        if "values_sha256" in tensor:
            if hashlib.sha256(data).hexdigest() != tensor["values_sha256"]:
                yield f"values of tensor '{tensor['name']}' differ"
            continue
        yield from check_floats(tensor, data)
    if arrays:
        yield f"an array '{next(iter(arrays))}' that is no sample"


def fits(shape: tuple[int, ...], wanted: list[int | None]) -> bool:
    """Whether a sample has the shape of its tensor, in which null stands for sizes that vary."""
    return len(shape) == len(wanted) and all(b in (a, None) for a, b in zip(shape, wanted, strict=True))


def check_floats(tensor: dict[str, Any], data: bytes) -> Iterator[str]:
    """Values against those that are listed, each with what it may be off."""
    if len(data) % BYTES[tensor["dtype"]]:
        yield f"values of tensor '{tensor['name']}' of another dtype"
        return
    floats = as_floats(tensor["dtype"], data)
    others = [[int(place), str(floats[place])] for place in np.flatnonzero(~np.isfinite(floats))]
    if others != tensor.get("nonfinite", []):
        yield f"NaN or infinities of tensor '{tensor['name']}' that should not be there, or are missing"
    if any(place >= len(floats) for place, _, _ in tensor["values"]):
        yield f"{len(floats)} values of tensor '{tensor['name']}' are too few"
        return
    for place, value, allowed in tensor["values"]:
        if not abs(floats[place] - value) <= allowed:
            yield f"value {place} of tensor '{tensor['name']}' is {floats[place]}, not {value} within {allowed:.3g}"
            return


def as_floats(dtype: str, data: bytes) -> Any:
    if dtype == "bf16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return np.frombuffer(data, FORMS[dtype]).astype(np.float64)


def check_invalid(command: list[str], path: Path, values: Path) -> Iterator[str]:
    """What is wrong with how an invalid vector is refused."""
    facts = json.loads(path.with_suffix(".json").read_text())
    wanted = 4 if facts["error"] in UNSUPPORTED else 3
    code, text, errors = run(command, path, facts, values)
    if code != wanted:
        yield f"exit code {code}, not {wanted} [CAUF-{facts['requirement']:04d}]"
    told = set(map(int, REQUIREMENT.findall(text + errors)))
    if told and facts["requirement"] not in told:
        numbers = ", ".join(f"[CAUF-{number:04d}]" for number in sorted(told))
        yield f"refused for {numbers}, not [CAUF-{facts['requirement']:04d}]"


def check_mutations(command: list[str], path: Path, values: Path, places: int, folder: Path) -> Iterator[str]:
    """Flipped bits that are accepted."""
    data, facts = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
    for place in sorted({len(data) * n // places + (n * 7) % max(1, len(data) // places) for n in range(places)}):
        mutated = bytearray(data)
        mutated[place % len(data)] ^= 1 << place % 8
        file = folder / "mutated.cauf"
        file.write_bytes(mutated)
        code, _, _ = run(command, file, facts, values)
        if code not in (3, 4):
            yield f"bit {place % 8} of byte {place % len(data)} flipped: exit code {code}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutations", type=int, default=8, help="places of every valid vector where a bit is flipped")
    parser.add_argument("--only", action="append", help="pattern of the names of vectors; repeatable  [all]")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="with {file}, {profile}, {weights}, {values}")
    options = parser.parse_args()
    if not any("{file}" in word for word in options.command):
        parser.error("the command has no {file}")
    checked = failures = 0
    with tempfile.TemporaryDirectory() as folder:
        values = Path(folder) / "values.npz"
        for kind in ("valid", "invalid"):
            patterns = [f"{only}.cauf" for only in options.only or ["*"]]
            for path in sorted({path for pattern in patterns for path in (VECTORS / kind).glob(pattern)}):
                check = check_valid if kind == "valid" else check_invalid
                wrong = list(check(options.command, path, values))
                if kind == "valid":
                    wrong += check_mutations(options.command, path, values, options.mutations, Path(folder))
                    checked += options.mutations
                checked += 1
                failures += len(wrong)
                for what in wrong:
                    print(f"{kind}/{path.stem}: {what}")
    print(f"{checked} checks, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
