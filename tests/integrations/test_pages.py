"""The pages of docs/integrations are programs that run, and the overview has them all."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from .neighbours import ROOT, python

OVERVIEW = ROOT / "docs" / "integrations.md"
PAGES = sorted((ROOT / "docs" / "integrations").glob("*.md"))
SELF_MADE = [page for page in PAGES if page.stem not in ("grpc", "lmcache", "saelens", "speculators")]
"""Pages that make what they read; others run beside the tests of their libraries."""

RECIPES = {"lmcache", "saelens"}
"""Pages that need no module of their own."""


def program(page: Path) -> str:
    """All blocks of a page, in order."""
    return "\n".join(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))


def imported(code: str) -> set[str]:
    """The packages that a program imports."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    if '.with_format("torch")' in code:
        found.add("torch")
    return found


@pytest.mark.parametrize("page", SELF_MADE, ids=[page.stem for page in SELF_MADE])
def test_the_program_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    code = program(page)
    for name in imported(code) - {"caufc"}:
        try:
            importlib.import_module(name)
        except (ImportError, ValueError) as err:
            pytest.skip(f"{name} cannot be imported: {err}")
    (tmp_path / "program.py").write_text(code, "utf-8")
    python("import runpy; runpy.run_path('program.py', run_name='__main__')", tmp_path)


def test_the_tables_are_those_that_were_measured() -> None:
    measured = (ROOT / "tools" / "results" / "integrations.md").read_text("utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", measured, re.MULTILINE)
    assert len(tables) == 2 and all(table in OVERVIEW.read_text("utf-8") for table in tables)


def test_the_overview_has_every_page() -> None:
    linked = re.findall(r"\]\(integrations/(\w+)\.md\)", OVERVIEW.read_text("utf-8"))
    assert sorted(linked) == [page.stem for page in PAGES]
    modules = {path.stem for path in (ROOT / "caufc" / "integrations").iterdir()}
    assert set(linked) - RECIPES <= modules and not modules & RECIPES


@pytest.mark.parametrize("page", [OVERVIEW, *PAGES], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        path, _, _ = target.partition("#")
        assert re.match(r"\w+:", target) or (page.parent / path).exists(), target
