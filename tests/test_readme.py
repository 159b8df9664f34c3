"""README.md and docs/results.md are what programs make; every block of README runs, in order, in one folder."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click import Group
from click.testing import CliRunner

import caufc
from caufc.cli.main import caufc as group
from tools.make import readme, result_tables, results_page

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "tools" / "README.md", ROOT / "spec" / "README.md"]
)

EXPECTED = [ROOT / "docs" / f"{name}.md" for name in readme.DOCS]
"""Pages that others may link to before they are written; README lists those that are there."""

BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
"""Language and text of each."""

CHECKED_ONLY = ("pip", "pytest")
"""Programs of lines that need a network or the whole suite: that what they name exists is checked instead."""

NEEDS_TORCH = re.compile(r"import torch|integrations.torch|--codec hyperprior")
"""Blocks and lines that are left out where torch is missing."""

TORCH = find_spec("torch") is not None


class Walk:
    """A reader who follows README in a folder.

    Args:
        folder: where everything is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {}
        self.output: dict[str, str] = {}
        self.skipped: list[str] = []

    def follow(self) -> None:
        """Run all blocks."""
        for language, text in BLOCKS:
            if language == "python":
                self._python(text)
            elif language == "sh":
                for line in text.splitlines():
                    self._shell(line)

    def _python(self, text: str) -> None:
        if self._runs(text):
            exec(compile(text, "README.md", "exec"), self.names)

    def _shell(self, line: str) -> None:
        if not self._runs(line):
            return
        for words in (shlex.split(part, comments=True) for part in line.split("&&")):
            if words[0] in CHECKED_ONLY:
                check_installing(words)
            else:
                self._caufc(words)

    def _caufc(self, words: list[str]) -> None:
        assert words[0] == "caufc", f"README's shell blocks run caufc alone, not {words[0]}"
        done = CliRunner().invoke(group, words[1:], catch_exceptions=False)
        assert done.exit_code == 0, f"{shlex.join(words)}: {done.output}"
        self.output[shlex.join(words)] = done.output

    def _runs(self, text: str) -> bool:
        """Whether what it needs is installed."""
        if TORCH or not NEEDS_TORCH.search(text):
            return True
        self.skipped.append(text)
        return False


def check_installing(words: list[str]) -> None:
    """Extras and programs that a line names are in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = settings["optional-dependencies"]
    named = {name for word in words for found in re.findall(r"^\.\[(.+)\]$", word) for name in found.split(",")}
    assert named <= {*extras}, words
    if words[0] == "pytest":
        assert {"pytest", "pytest-cov", "pytest-xdist"} <= {re.split(r"\W*[><=]", name)[0] for name in extras["dev"]}


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Walk:
    folder = tmp_path_factory.mktemp("readme")
    found = Walk(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found.follow()
    return found


def test_the_readme_is_what_its_program_makes() -> None:
    assert readme.readme() == README, "python -m tools.make.readme"


def test_the_page_of_results_is_what_its_program_makes() -> None:
    page = (ROOT / "docs" / "results.md").read_text("utf-8")
    assert results_page.results_page() == page, "python -m tools.make.results_page"


def test_every_file_of_results_is_explained() -> None:
    assert {path.stem for path in result_tables.RESULTS.glob("*.md")} <= {*results_page.SHOWS}


def test_the_readme_takes_ten_minutes() -> None:
    assert len(README.splitlines()) <= 160
    heads = re.findall(r"^## (.*)$", README, re.MULTILINE)
    assert heads == ["Encode and decode", "Which quality to take", "Recipes", "Plugins", "Measured", "More"]


def test_every_block_has_a_language_that_is_tested() -> None:
    assert {language for language, _ in BLOCKS} == {"python", "sh", "text"}
    assert len(BLOCKS) == README.count("```") / 2


def test_every_block_runs(walk: Walk) -> None:
    assert {"feats.cauf", "back.npy", "hidden.cauf", "mine.caufp"} <= {path.name for path in walk.folder.iterdir()}
    assert walk.skipped == [] if TORCH else len(walk.skipped) > 0


def test_what_the_demo_shows_is_what_it_says(walk: Walk) -> None:
    shown = next(text for language, text in BLOCKS if language == "text").splitlines()
    said = walk.output["caufc demo"].splitlines()
    assert shown[0] == said[0] and shown[1].split() == said[1].split()
    methods = {re.split(r"\s{2,}", line)[0] for line in said}
    assert {re.split(r"\s{2,}", line)[0] for line in shown[2:]} <= methods and len(shown) > 5


def test_what_comes_back_is_what_went_in(walk: Walk) -> None:
    back = np.load(walk.folder / "back.npy")
    assert (back.shape, back.dtype) == (walk.names["maps"].shape, walk.names["maps"].dtype)
    assert [text.shape for text in caufc.load(walk.folder / "hidden.cauf")] == [t.shape for t in walk.names["texts"]]
    embeddings = np.load(walk.folder / "embeddings.npy")
    assert walk.names["embeddings"].shape == embeddings.shape
    assert walk.names["vector"].shape == embeddings.shape[1:]
    exact = caufc.load(walk.folder / "e.cauf")
    assert np.array_equal(exact, walk.names["maps"])
    if TORCH:
        assert caufc.inspect(walk.folder / "g.cauf").codec == "hyperprior"
        assert caufc.load(walk.folder / "kv.cauf")["keys"].shape == (2, 12, 4, 32)


def test_a_loader_with_workers_takes_the_dataset(walk: Walk) -> None:
    data = pytest.importorskip("torch.utils.data")
    from caufc.integrations.torch import CaufDataset

    assert len(walk.names["vectors"]) == len(walk.names["embeddings"])
    vectors = CaufDataset(walk.folder / "embeddings.cauf")
    batches = list(data.DataLoader(vectors, batch_size=100, num_workers=2))
    assert np.array_equal(np.concatenate(batches), walk.names["embeddings"])


def test_the_plugin_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "readme_plugin.py").write_text(next(text for _, text in BLOCKS if "@hookimpl" in text), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    manager = caufc.PluginManager([EntryPoint("mine", "readme_plugin", "caufc")])
    assert [plugin.reason for plugin in manager.report() if plugin.status != "ok"] == []
    assert manager.find_tap("mine/net", "layer3").channels == 256
    sys.modules.pop("readme_plugin", None)


def test_commands_between_the_blocks_have_the_options_they_use() -> None:
    assert isinstance(group, Group)
    context = group.make_context("caufc", [], resilient_parsing=True)
    inline = [shlex.split(text) for text in re.findall(r"`(caufc [^`\n]+)`", README) if len(text.split()) > 2]
    assert inline
    for words in inline:
        command = group.get_command(context, words[1])
        assert command is not None, words
        options = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        assert {word for word in words if word.startswith("-")} <= options, words


def test_ci_finds_the_test_command() -> None:
    """As .ci/run does: within two lines of the marker stands the line that installs and tests."""
    lines = README.splitlines()
    start = lines.index("<!-- test command -->")
    (line,) = (line for line in lines[start : start + 3] if line.startswith("pip install"))
    for part in line.split(" && "):
        check_installing(shlex.split(part))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        found = (page.parent / path).resolve() if path else page
        if found in EXPECTED and not found.exists():
            continue
        assert found.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", found.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}, target
