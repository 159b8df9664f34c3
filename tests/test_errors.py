from __future__ import annotations

import ast
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest

from caufc import errors
from caufc.errors import (
    CaufError,
    DamagedError,
    FormatError,
    InputError,
    LimitError,
    MalformedError,
    MissingPackageError,
    MissingProfileError,
    MissingWeightsError,
    NonFiniteError,
    OutputExistsError,
    PluginError,
    StorageError,
    TensorError,
    UnknownNameError,
    UnsupportedError,
    VersionError,
)
from caufc.limits import DEFAULT_LIMITS, Limits

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, CaufError)]


def test_the_docstring_draws_the_tree() -> None:
    drawn = [line.strip(" │├└─").split() for line in (errors.__doc__ or "").splitlines() if "Error" in line]
    parents = {
        words[0]: [word.strip("(),") for word in words[1:] if word.endswith((")", ",")) and word[0] == "("]
        for words in drawn
        if words[0].endswith("Error")
    }
    assert set(parents) == set(errors.__all__) == {kind.__name__ for kind in CLASSES}
    for kind in CLASSES:
        for builtin in parents[kind.__name__]:
            assert builtin in [base.__name__ for base in kind.__mro__]


MADE = (
    InputError("no", file="a", tensor="t", remedy="r"),
    OutputExistsError("exists already", file="a"),
    UnknownNameError("tap", "x", ["a", "b"], file="a"),
    PluginError("broken", plugin="p"),
    MalformedError("no", requirement=3, offset=7),
    DamagedError("no", offset=7),
    VersionError(2, 1),
    MissingPackageError("torch", "a tensor"),
    MissingProfileError("00"),
)


@pytest.mark.parametrize("error", MADE, ids=[type(error).__name__ for error in MADE])
def test_errors_cross_processes(error: CaufError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error) and str(copy) == str(error)
    assert vars(copy) == vars(error) and copy.args == error.args


@pytest.mark.parametrize(
    ("kind", "code"), [(StorageError, 1), (InputError, 2), (FormatError, 3), (UnsupportedError, 4)]
)
def test_exit_codes_by_branch(kind: type[CaufError], code: int) -> None:
    inside = [one for one in CLASSES if issubclass(one, kind)]
    assert len(inside) > 1
    assert {one.exit_code for one in inside} == {code}


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (OutputExistsError, FileExistsError),
        (StorageError, OSError),
        (TensorError, TypeError),
        (NonFiniteError, ValueError),
        (UnknownNameError, LookupError),
        (MissingProfileError, LookupError),
        (MalformedError, ValueError),
    ],
)
def test_callers_may_expect_builtins(kind: type[CaufError], builtin: type[Exception]) -> None:
    assert issubclass(kind, builtin)


def test_text() -> None:
    error = CaufError("is wrong", file="a.pt", tensor="x.y", remedy="mend it")
    assert str(error) == "a.pt: tensor 'x.y': is wrong; mend it"
    assert (error.message, error.file, error.tensor, error.remedy) == ("is wrong", "a.pt", "x.y", "mend it")
    assert str(CaufError("is\nwrong \t twice")) == "is wrong twice"
    assert str(StorageError("no such file", file="a")) == "a: no such file"


def test_locate_adds_only_what_is_missing() -> None:
    error = CaufError("is wrong", tensor="x")
    assert error.locate(file="a", tensor="y") is error
    assert (error.file, error.tensor) == ("a", "x")
    assert error.locate(file="b").file == "a"


@pytest.mark.parametrize(
    ("error", "text", "fields"),
    [
        (
            MalformedError("a gap", requirement=142, offset=7),
            "malformed at byte 7: a gap [CAUF-0142]; the file was not written by a conforming encoder, or was changed",
            {"requirement": 142, "offset": 7},
        ),
        (MalformedError("a gap", requirement=3, remedy="mend it"), "malformed: a gap [CAUF-0003]; mend it", {}),
        (MalformedError("a gap", requirement=3), "malformed: a gap [CAUF-0003]", {"requirement": 3, "offset": None}),
        (DamagedError("cut", offset=9), "damaged at byte 9: cut; fetch the file again", {"offset": 9}),
        (
            VersionError(2, 1),
            "format version 2 is newer than 1, the newest that this caufc reads; upgrade caufc",
            {"found": 2, "known": 1},
        ),
        (VersionError(0, 1), "format version 0 is not known; this caufc reads 1", {"found": 0, "known": 1}),
        (
            MissingProfileError("00ff"),
            "needs profile 00ff, which is not here; give it with profile=...",
            {"digest": "00ff"},
        ),
        (
            MissingWeightsError("00ff", given="11"),
            "needs weights 00ff, and those that were given are others, 11; give them with weights=...",
            {"digest": "00ff", "given": "11"},
        ),
        (
            LimitError("chunk_elements", 5000, 10),
            "chunk elements: 5,000 is over the limit of 10; "
            "raise it with limits=Limits(chunk_elements=N) if you trust the file",
            {"limit": "chunk_elements", "value": 5000, "maximum": 10},
        ),
        (PluginError("fails", plugin="p", remedy="x"), "plugin 'p': fails; x", {"plugin": "p"}),
        (
            UnknownNameError("tap", "layer5", ["layer4", "norm"]),
            "unknown tap 'layer5'; did you mean 'layer4'? known: layer4, norm",
            {"kind": "tap", "name": "layer5", "known": ("layer4", "norm")},
        ),
        (UnknownNameError("tap", "x", []), "unknown tap 'x'; none is installed", {"known": ()}),
    ],
)
def test_leaves(error: CaufError, text: str, fields: dict[str, Any]) -> None:
    assert str(error).startswith(text)
    assert {name: getattr(error, name) for name in fields} == fields


def test_limits() -> None:
    assert DEFAULT_LIMITS.check("tensors", 65_536) == 65_536
    with pytest.raises(LimitError, match="tensors: 65,537 is over the limit of 65,536"):
        DEFAULT_LIMITS.check("tensors", 65_537)
    with pytest.raises(LimitError):
        Limits(tensors=0).check("tensors", 1)


def test_the_library_raises_no_bare_exceptions() -> None:
    """ValueError and its like stay inside; what is raised by name is a CaufError, or says why it is not."""
    allowed = {"AttributeError", "IndexError", "KeyError", "ValueError", "NotImplementedError", "TypeError"}
    core = Path(errors.__file__).parent
    names = {kind.__name__ for kind in CLASSES}
    for folder in ("bitstream", "align", "codec", "coders", "encoder", "decoder"):
        for path in (core / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    called = node.exc.func
                    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                    if name.endswith("Error"):
                        assert name in names | allowed, f"{path.name} line {node.lineno}: {name}"
