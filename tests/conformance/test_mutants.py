"""Vectors test clauses: mutants of the reference decoder, each with one of them broken, turn red."""

from __future__ import annotations

import json

import pytest

from tools.attack.mutant_list import Mutant, mutants
from tools.attack.mutants import RESULTS, outcome_of, outcomes_of, run

EVERY = 89
"""A mutant in so many is run; tools.attack.mutants runs all."""


def test_every_mutant_applies() -> None:
    """A mutant whose text is no longer there would break nothing."""
    texts = [mutant.text() for mutant in mutants()]
    assert len(texts) >= 700


def test_a_sample_of_mutants_is_noticed() -> None:
    sample = mutants()[::EVERY]
    assert [found.mutant for found in outcomes_of(sample, jobs=2) if found.killed_by is None] == []


def test_a_mutant_that_breaks_nothing_survives() -> None:
    harmless = Mutant("0000.1", 0, "nothing", "entropy", "ONE = 1 << 24", "ONE = 2 << 23")
    assert run("entropy", harmless.text(), ["1.0/valid/tiny", "1.0/invalid/words-zero"]) is None


def test_a_mutant_that_dies_is_noticed_by_the_vector_that_it_died_with() -> None:
    line = "    special = [Token("
    text = Mutant("0000.1", 0, "", "order", line, f"    __import__('os').abort()\n{line}").text()
    found = run("order", text, ["1.0/invalid/tree-names", "1.0/valid/basis", "1.0/valid/tiny"])
    assert found == {"by": "1.0/valid/basis", "what": "no end, signal 6"}


def test_a_mutant_that_does_not_apply_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 times"):
        Mutant("0000.1", 0, "", "entropy", "no such text", "").text()
    with pytest.raises(ValueError, match="times"):
        Mutant("0000.1", 0, "", "entropy", "self.words", "words").text()
    with pytest.raises(ValueError, match="nothing"):
        Mutant("0000.1", 0, "", "entropy", "ONE = 1 << 24", "ONE =  1 << 24").text()
    with pytest.raises(SystemExit, match="does not even start"):
        outcome_of(Mutant("0000.1", 0, "", "entropy", "ONE = 1 << 24", "raise OSError"))


def test_the_recorded_run_is_of_these_mutants_and_all_were_noticed() -> None:
    outcomes = json.loads(RESULTS.read_text())["figures"]["outcomes"]
    assert [found["clause"] for found in outcomes] == [mutant.clause for mutant in mutants()]
    assert all(found["killed_by"] for found in outcomes)
