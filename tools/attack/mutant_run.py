"""One mutant of the reference decoder over vectors, in a process of its own; mutants.py starts it.

It reads JSON, {"module", "text", "vectors"}, and prints JSON: the first vector that notices and what it says, or null.
To stderr it prints the vectors as they come, so that the last one is known where there is no end.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.abc
import importlib.util
import io
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from spec import run_vectors
from tools.attack.mutant_list import REFERENCE

SECONDS, MEMORY = 15, 6 << 30
"""Of processor time for one vector, none of which takes 2; bytes of data."""


class Changed(SourceFileLoader):
    """Loads a module from other text."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self.text = text

    def get_data(self, path: str) -> bytes:  # noqa: ARG002
        """The other text, instead of the file, and of what was compiled before."""
        return self.text.encode()

    def path_stats(self, path: str) -> Mapping[str, Any]:  # noqa: ARG002
        """None: so that nothing that was compiled before is used."""
        raise OSError


class Finder(importlib.abc.MetaPathFinder):
    """Finds one module of spec.reference elsewhere."""

    def __init__(self, module: str, text: str) -> None:
        self.name, self.text, self.path = f"spec.reference.{module}", text, str(REFERENCE / f"{module}.py")

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """See MetaPathFinder."""
        if fullname != self.name:
            return None
        loader = Changed(fullname, self.path, self.text)
        return importlib.util.spec_from_file_location(fullname, self.path, loader=loader)


class InProcess:
    """The reference decoder's program, as run_vectors runs a command line."""

    writes_values = True

    def __init__(self, program: ModuleType) -> None:
        self.program = program

    def run(self, file: Path, facts: dict[str, Any], values: Path) -> tuple[int, str, str]:
        """Exit code, what was printed, and what was printed to stderr."""
        values.unlink(missing_ok=True)
        needed = [word for kind in run_vectors.NEEDED if kind in facts for word in ("--profile", str(facts[kind]))]
        sys.argv = ["spec.reference", str(file), "--json", *needed, "-o", str(values)]
        printed, told = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
                code = self.program.main()
        except BaseException as error:
            return 1, printed.getvalue(), f"{type(error).__name__}: {str(error)[:80]}"
        return code, printed.getvalue(), told.getvalue()


def allow(seconds: int) -> None:
    """So much processor time from now on; a process that takes more is killed."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + seconds, most))


def first_that_notices(decoder: InProcess, vectors: list[str]) -> dict[str, str] | None:
    """By run_vectors' rules."""
    with tempfile.TemporaryDirectory() as folder:
        values = Path(folder) / "values.npz"
        for vector in vectors:
            print(vector, file=sys.stderr, flush=True)
            allow(SECONDS)
            path = run_vectors.VECTORS / f"{vector}.cauf"
            check = run_vectors.check_valid if path.parent.name == "valid" else run_vectors.check_invalid
            for what in check(decoder, path, values):
                return {"by": vector, "what": what}
    return None


def main() -> None:
    """Read, run, print."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    asked = json.load(sys.stdin)
    out = os.fdopen(os.dup(1), "w")
    allow(SECONDS)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    sys.meta_path.insert(0, Finder(asked["module"], asked["text"]))
    program = importlib.import_module("spec.reference.__main__")
    json.dump(first_that_notices(InProcess(program), asked["vectors"]), out)
    out.flush()


if __name__ == "__main__":
    main()
