"""Test a decoder, given as a command line, against the conformance vectors of all versions.

    python spec/run_vectors.py [--mutations 8] COMMAND ...

COMMAND is run for every vector with {file} replaced by its path; {profile} and {weights} by the paths of the profile
and the weights that it names, and if it names none, the argument is left out together with the one before it. {values},
if there, is the path of an .npz file to write, one array NAME/NUMBER a sample. The command must

- exit 0 for a valid file, and print a JSON object with at least `samples` and `symbols_sha256` [CAUF-0119]; if it has
  `tensors`, these must be all there are, with their `name`, `dtype` and `shape`, and the right `values_sha256` where
  values are exact; `metadata` by name and a list of `keys` must be right if they are there;
- write {values}, if that is there, with every sample of every tensor and nothing else: no value beyond its tolerance;
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
from typing import Any, Protocol

import numpy as np

VECTORS = Path(__file__).resolve().parent / "vectors"
FACTS = ("name", "dtype", "shape")
REQUIREMENT = re.compile(r"\[CAUF-(\d{4})\]")
UNSUPPORTED = ("UnsupportedError", "VersionError", "MissingProfileError", "MissingWeightsError", "LimitError")
NEEDED = ("profile", "weights")
BESIDE = ("metadata", "keys")
FORMS = {"fp32": "<f4", "fp16": "<f2", "fp64": "<f8"}
BYTES = {"fp32": 4, "fp16": 2, "fp64": 8, "bf16": 2}


class Decoder(Protocol):
    """What is tested."""

    writes_values: bool

    def run(self, file: Path, facts: dict[str, Any], values: Path) -> tuple[int, str, str]:
        """Exit code, what was printed, and what was printed to stderr."""


class CommandLine:
    """A decoder's command line, with {file} and the others."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.writes_values = any("{values}" in word for word in command)

    def run(self, file: Path, facts: dict[str, Any], values: Path) -> tuple[int, str, str]:
        """See Decoder."""
        values.unlink(missing_ok=True)
        command = command_for(self.command, file, facts, values)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


def command_for(command: list[str], file: Path, facts: dict[str, Any], values: Path) -> list[str]:
    """The command line for one file."""
    known = {"{file}": str(file), "{values}": str(values)}
    known |= {f"{{{kind}}}": str(facts[kind]) for kind in NEEDED if kind in facts}
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


def facts_of(path: Path) -> dict[str, Any]:
    """A vector's JSON; profile and weights as paths."""
    facts: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    folder = path.parents[1] / "profiles"
    return facts | {kind: folder / facts[kind] for kind in NEEDED if kind in facts}


def check_valid(decoder: Decoder, path: Path, values: Path) -> Iterator[str]:
    """What is wrong with how a valid vector is decoded."""
    facts = facts_of(path)
    code, text, _ = decoder.run(path, facts, values)
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
    for key in BESIDE:
        if found.get(key, facts[key]) != facts[key]:
            yield f"other {key}"
    if isinstance(found.get("tensors"), list):
        yield from check_tensors(facts["tensors"], found["tensors"])
    if decoder.writes_values:
        yield from check_values(facts, all_values(path), values)


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


def check_values(facts: dict[str, Any], known: dict[int, tuple[Any, Any]], values: Path) -> Iterator[str]:
    """Values against digests and tolerances."""
    if not values.exists():
        yield "no values"
        return
    with np.load(values) as file:
        arrays = dict(file)
    for number, tensor in enumerate(facts["tensors"]):
        names = [f"{tensor['name']}/{n}" for n in range(facts["samples"])]
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
        elif len(data) % BYTES[tensor["dtype"]]:
            yield f"values of tensor '{tensor['name']}' of another dtype"
        else:
            yield from check_floats(tensor, as_floats(tensor["dtype"], data), known.get(number))
    if arrays:
        yield f"an array '{next(iter(arrays))}' that is no sample"


def fits(shape: tuple[int, ...], wanted: list[int | None]) -> bool:
    """Whether a sample has the shape of its tensor, in which null stands for sizes that vary."""
    return len(shape) == len(wanted) and all(b in (a, None) for a, b in zip(shape, wanted, strict=True))


def check_floats(tensor: dict[str, Any], floats: Any, known: tuple[Any, Any] | None) -> Iterator[str]:
    """Values against all that are known, or those that are listed, each with what it may be off."""
    name = tensor["name"]
    if known is None:
        if not np.isfinite(floats).all():
            yield f"a value of tensor '{name}' is not finite"
        places, values, allowed = (np.array(column) for column in zip(*tensor["values"], strict=True))
    else:
        values, allowed = known
        places = np.arange(len(values))
    if len(floats) <= places[-1] or (known is not None and len(floats) != len(values)):
        yield f"{len(floats)} values of tensor '{name}' are too few or too many"
        return
    found = floats[places]
    with np.errstate(invalid="ignore"):
        right = (found == values) | (np.abs(found - values) <= allowed) | (np.isnan(found) & np.isnan(values))
    for wrong in np.flatnonzero(~right)[:1]:
        yield (
            f"value {places[wrong]} of tensor '{name}' is {found[wrong]}, not {values[wrong]} "
            f"within {allowed[wrong]:.3g}"
        )


def all_values(path: Path) -> dict[int, tuple[Any, Any]]:
    """All values of the tensors, by number, that are not exact, and what they may be off."""
    if not path.with_suffix(".npz").exists():
        return {}
    with np.load(path.with_suffix(".npz")) as file:
        return {int(key.split(".")[0]): (file[key], file[key[:-6] + "allowed"]) for key in file if "values" in key}


def as_floats(dtype: str, data: bytes) -> Any:
    if dtype == "bf16":
        return (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return np.frombuffer(data, FORMS[dtype]).astype(np.float64)


def check_invalid(decoder: Decoder, path: Path, values: Path) -> Iterator[str]:
    """What is wrong with how an invalid vector is refused."""
    facts = facts_of(path)
    wanted = 4 if facts["error"] in UNSUPPORTED else 3
    code, text, errors = decoder.run(path, facts, values)
    if code != wanted:
        yield f"exit code {code}, not {wanted} [CAUF-{facts['requirement']:04d}]"
    told = set(map(int, REQUIREMENT.findall(text + errors)))
    if told and facts["requirement"] not in told:
        numbers = ", ".join(f"[CAUF-{number:04d}]" for number in sorted(told))
        yield f"refused for {numbers}, not [CAUF-{facts['requirement']:04d}]"


def check_mutations(decoder: Decoder, path: Path, values: Path, places: int, folder: Path) -> Iterator[str]:
    """Flipped bits that are accepted."""
    data, facts = path.read_bytes(), facts_of(path)
    for place in sorted({len(data) * n // places + (n * 7) % max(1, len(data) // places) for n in range(places)}):
        mutated = bytearray(data)
        mutated[place % len(data)] ^= 1 << place % 8
        file = folder / "mutated.cauf"
        file.write_bytes(mutated)
        code, _, _ = decoder.run(file, facts, values)
        if code not in (3, 4):
            yield f"bit {place % 8} of byte {place % len(data)} flipped: exit code {code}"


def paths_of(patterns: list[str]) -> list[Path]:
    """The vectors of all versions whose names match one of the patterns, valid ones of a version first."""
    folders = [version / kind for version in sorted(VECTORS.iterdir()) for kind in ("valid", "invalid")]
    return [path for folder in folders for path in sorted({p for x in patterns for p in folder.glob(f"{x}.cauf")})]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutations", type=int, default=8, help="places of every valid vector where a bit is flipped")
    parser.add_argument("--only", action="append", help="pattern of the names of vectors; repeatable  [all]")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="with {file}, {profile}, {weights}, {values}")
    options = parser.parse_args()
    if not any("{file}" in word for word in options.command):
        parser.error("the command has no {file}")
    decoder = CommandLine(options.command)
    checked = failures = 0
    with tempfile.TemporaryDirectory() as folder:
        values = Path(folder) / "values.npz"
        for path in paths_of(options.only or ["*"]):
            valid = path.parent.name == "valid"
            check = check_valid if valid else check_invalid
            wrong = list(check(decoder, path, values))
            if valid:
                wrong += check_mutations(decoder, path, values, options.mutations, Path(folder))
                checked += options.mutations
            checked += 1
            failures += len(wrong)
            for what in wrong:
                print(f"{path.relative_to(VECTORS).with_suffix('')}: {what}")
    print(f"{checked} checks, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
