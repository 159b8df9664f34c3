"""Every program of tools/ and spec/ starts and prints its help; what they share imports, in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("tools", "spec") for path in (ROOT / folder).rglob("*.py") if path.stem[:2] != "__")
PROGRAMS = [path for path in FILES if '__name__ == "__main__"' in path.read_text("utf-8")]
LIBRARIES = sorted({*FILES} - {*PROGRAMS})


def module(path: Path) -> str:
    """A file's name as a module, from the root."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_are_found() -> None:
    assert len(PROGRAMS) > 25 and len(LIBRARIES) > 10


HELPS = """
import contextlib, io, json, runpy, sys
told = {}
for name in sys.argv[1:]:
    sys.argv, out = [name, "--help"], io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    told[name] = out.getvalue()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What programs print, one after the other in one process."""
    found: dict[str, str] = json.loads(run("-c", HELPS, *map(module, PROGRAMS)))
    return found


@pytest.mark.parametrize("path", PROGRAMS, ids=module)
def test_a_program_prints_its_help(path: Path, helps: dict[str, str]) -> None:
    assert helps[module(path)].startswith("usage: ")


def test_what_programs_share_imports() -> None:
    run("-c", f"import importlib; [importlib.import_module(name) for name in {[module(p) for p in LIBRARIES]}]")


def test_the_readme_lists_every_file() -> None:
    page = (ROOT / "tools" / "README.md").read_text("utf-8")
    missing = {module(path) for path in FILES if path.parent.parent == ROOT / "tools" and f"`{path.stem}`" not in page}
    assert not missing, "tools/README.md says what each program makes, how, and how long it takes"


def test_constants_that_are_changed_exist() -> None:
    pytest.importorskip("torch")
    from tools.measure import importance

    for change in (*importance.CHANGES.values(), *importance.TESTED.values()):
        with importance.constants(change):
            pass
