"""Documents say what is true: specification, help texts, hooks."""

from __future__ import annotations

import hashlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest
from click import Command, Group
from click.testing import CliRunner

from caufc import hookspecs
from caufc.bitstream import CONTENTS
from caufc.cli.main import caufc as group
from caufc.codec.lossless.integers.affine import Delta
from caufc.codec.lossless.integers.nodes import Kind
from caufc.codec.transform.parameters import FLAGS
from caufc.coders.config import DTYPE_CODES
from caufc.coders.registry import CODECS
from caufc.coders.sections import ELEMENTS, NUMBERS
from caufc.descriptors import ALIGNMENT_KINDS, ALIGNMENT_SCOPES

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = (ROOT / "docs" / "plugins.md").read_text("utf-8")
SPEC = (ROOT / "spec" / "cauf-1.0.md").read_text("utf-8")
LETTER = r"(?<![\w.'])[A-Za-z](?![\w'])"


def commands() -> list[tuple[str, Command]]:
    assert isinstance(group, Group)
    context = group.make_context("caufc", [], resilient_parsing=True)
    return [(name, command) for name in group.list_commands(context) if (command := group.get_command(context, name))]


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_every_command_and_option_has_help_and_an_example(name: str, command: Command) -> None:
    text = CliRunner().invoke(group, [name, "--help"]).output
    assert f"caufc {name}" in text.partition("Options:")[2], "an example stands behind the options"
    for parameter in command.params:
        assert getattr(parameter, "help", None) or parameter.param_type_name == "argument", parameter.name


def test_every_hook_is_documented_with_its_signature() -> None:
    hooks = [function for name, function in vars(hookspecs).items() if name.startswith("caufc_")]
    assert len(hooks) == 4
    for hook in hooks:
        assert inspect.getdoc(hook)
        assert hook.__name__ in PLUGINS


def test_the_listing_in_the_specification_is_the_vector() -> None:
    listing = SPEC[SPEC.index("## 13.") :]
    rows = re.findall(r"^[0-9A-F]{4}  ((?:[0-9A-F]{2} ?)+)", listing, re.MULTILINE)
    assert bytes.fromhex("".join(rows)) == (ROOT / "spec" / "vectors" / "1.0" / "valid" / "tiny.cauf").read_bytes()


def single_letters(text: str) -> set[str]:
    """The letters that stand alone in formulas, shapes and pseudocode: code spans and blocks."""
    code = [block or span for block, span in re.findall(r"```\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)]
    return {letter for part in code for letter in re.findall(LETTER, re.sub(r"#.*", "", part))}


def test_the_specification_explains_its_letters() -> None:
    explained = re.search(r"^\| letter \|.*?\n\n", SPEC, re.MULTILINE | re.DOTALL)
    assert explained
    rows = re.findall(r"^\| ([A-Za-z](?:, [A-Za-z])?) \|", explained[0], re.MULTILINE)
    letters = [letter for row in rows for letter in row.split(", ")]
    assert len(letters) == len(set(letters)) > 20
    sections = re.split(r"^## (\d+)\. .*$", SPEC, flags=re.MULTILINE)
    found = {int(number): single_letters(text) for number, text in zip(sections[1::2], sections[2::2], strict=True)}
    of_files = {1: "XYZxyz", 2: "SCIE", 3: "lmhxe", 6: "bthwncdg", 13: "mh"}  # tags, controls, layouts
    unknown = {number: used - {*letters, *of_files.get(number, "")} for number, used in found.items()}
    assert not any(unknown.values()), unknown
    assert set(letters) <= set(re.findall(LETTER, SPEC.replace(explained[0], "")))


def test_requirements_are_numbered_once() -> None:
    defined = re.findall(r"`\[CAUF-(\d{4})\]`", SPEC)
    twice = {number for number in defined if defined.count(number) > 1}
    assert not twice - {"0123"}


def test_every_requirement_that_the_code_cites_exists() -> None:
    cited = set()
    for path in (ROOT / "caufc").rglob("*.py"):
        cited |= set(re.findall(r"requirement=(\d+)", path.read_text("utf-8")))
    assert len(cited) > 40
    assert {f"CAUF-{int(number):04d}" for number in cited} <= set(re.findall(r"CAUF-\d{4}", SPEC))


def test_the_universal_tables_are_those_of_the_specification() -> None:
    data = (ROOT / "spec" / "tables" / "universal.tables").read_bytes()
    assert hashlib.sha256(data).hexdigest() in SPEC
    assert (ROOT / "caufc" / "data" / "tables" / "universal.tables").read_bytes() == data


def test_the_registry_has_the_numbers_of_the_code() -> None:
    registry = tomllib.loads((ROOT / "spec" / "registry.toml").read_text("utf-8"))
    assert list(registry["dtype"]) == list(DTYPE_CODES)
    assert tuple(registry["alignment"]["kind"]) == ALIGNMENT_KINDS
    assert tuple(registry["alignment"]["scope"]) == ALIGNMENT_SCOPES
    elements = {"i8": "i1", "i16": "<i2", "i32": "<i4", "u8": "u1", "u16": "<u2"}
    assert {name: section["type"] for name, section in registry["section"].items()} == NUMBERS
    assert {name: elements[section["element"]] for name, section in registry["section"].items()} == ELEMENTS
    assert {codec.name: codec.id for codec in CODECS} == registry["codec"]
    assert registry["transform"]["flags"] == FLAGS
    assert registry["integers"]["kind"] == {kind.name.lower(): kind for kind in Kind}
    assert registry["integers"]["delta"] == {mode.name.lower(): mode for mode in Delta}
    assert list(registry["content"]) == list(CONTENTS)
