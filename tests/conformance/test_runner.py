"""The runner of the vectors tests both decoders, and itself turns red; the table of requirements is complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import caufc
from conformance.broken_decoder import FAULTS, REFUSALS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = [
    sys.executable,
    "-m",
    "spec.reference",
    "--json",
    "--profile",
    "{profile}",
    "--profile",
    "{weights}",
    "-o",
    "{values}",
    "{file}",
]
CAUFC = [sys.executable, "-m", "caufc.cli.main", "verify", "--deep", "--json", "--profile", "{profile}"]
CAUFC += ["--weights", "{weights}", "{file}"]


def run(*arguments: str, root: Path = ROOT) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(caufc.__file__).parents[1])}
    command = [sys.executable, str(root / "spec" / "run_vectors.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    return done.returncode, done.stdout


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_both_decoders_pass() -> None:
    """A valid vector and one to be refused of each kind of side file."""
    names = only("profile-list", "profile-of-samples", "hyperprior-named", "weights-with-chunk")
    for command in (REFERENCE, CAUFC):
        assert run(*names, "--mutations", "1", *command) == (0, "6 checks, 0 failures\n")


def test_a_decoder_that_takes_everything_fails() -> None:
    liar = [sys.executable, "-c", "print('{}')", "{file}"]
    code, text = run("--only", "[tz]*s", "--mutations", "2", *liar)
    assert code == 1
    assert "1.0/valid/zeros: samples None, not 3" in text
    assert "flipped: exit code 0" in text
    assert "1.0/invalid/tree-names: exit code 0, not 3 [CAUF-0051]" in text


@pytest.mark.parametrize(
    "fault",
    [*FAULTS, "no values", "no JSON", "another requirement", *REFUSALS],
    ids=lambda fault: fault.replace(" ", "-"),
)
def test_broken_decoders_fail(fault: str) -> None:
    command = [sys.executable, str(Path(__file__).with_name("broken_decoder.py")), fault, *REFERENCE[3:]]
    seen_by = ("basis",) if fault in FAULTS else ("basis", "tree-names", "limit-axes")
    code, text = run(*only(*seen_by), "--mutations", "0", *command)
    assert code == 1, text


def test_other_expectations_turn_red(tmp_path: Path) -> None:
    """A vector whose JSON says something else is a failure: of values, of symbols, of samples."""
    copy = tmp_path / "spec"
    for name in ("run_vectors.py", "vectors/1.0/valid/basis.cauf", "vectors/1.0/valid/basis.json"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((ROOT / "spec" / name).read_bytes())
    path = copy / "vectors" / "1.0" / "valid" / "basis.json"
    facts = json.loads(path.read_text())
    assert run("--mutations", "1", *REFERENCE, root=tmp_path) == (0, "2 checks, 0 failures\n")
    facts["tensors"][0]["values"][5][1] += 3 * facts["tensors"][0]["values"][5][2]
    facts["symbols_sha256"] = "0" * 64
    path.write_text(json.dumps(facts))
    code, text = run("--mutations", "1", *REFERENCE, root=tmp_path)
    assert code == 1
    assert "1.0/valid/basis: symbols_sha256 " in text
    assert "within" in text


def test_every_requirement_is_tested() -> None:
    command = [sys.executable, "-m", "tools.make.requirements_table", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wanted = "up to date: True; requirements untested: []; vectors that are not there: []\n"
    assert (done.returncode, done.stdout) == (0, wanted)
