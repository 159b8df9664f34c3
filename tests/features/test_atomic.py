from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from caufc.errors import OutputExistsError, StorageError
from caufc.features import AtomicFile, atomic_output, remove_stale


def test_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    with atomic_output(path) as file:
        file.write(b"data")
        file.flush()
        assert not path.exists()
        assert [entry.name for entry in tmp_path.iterdir()] == [f".x.bin.{os.getpid()}.cauf-tmp"]
    assert path.read_bytes() == b"data"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, b"old"])
def test_not_at_all(tmp_path: Path, error: type[BaseException], old: bytes | None) -> None:
    path = tmp_path / "x.bin"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(error), atomic_output(path, force=True) as file:
        file.write(b"data")
        raise error
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == ([] if old is None else [old])


def test_existing(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="use force=True"), atomic_output(path):
        pass
    with atomic_output(path, force=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("links", [True, False])
def test_of_two_writers_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def no_links(*_names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "x.bin"
    first, second = AtomicFile(path), AtomicFile(path)
    first.file.write(b"first")
    second.file.write(b"second")
    first.commit()
    with pytest.raises(OutputExistsError):
        second.commit()
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"first"]


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="folder does not exist"), atomic_output(tmp_path / "no" / "x"):
        pass
    with pytest.raises(StorageError, match="is a directory"), atomic_output(tmp_path, force=True):
        pass
    with pytest.raises(StorageError, match="NUL"), atomic_output(Path("a\0b")):
        pass


def test_errors_of_the_body(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no space left on device") as caught, atomic_output(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    assert caught.value.file == str(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_devices(tmp_path: Path) -> None:
    with atomic_output(Path("/dev/null")) as file:
        file.write(b"data")
    if Path("/dev/full").exists():
        with pytest.raises(StorageError, match="no space left"), atomic_output(Path("/dev/full")) as file:
            file.write(b"data")
    code = "from caufc.features import atomic_output; from pathlib import Path\n"
    code += "with atomic_output(Path('/dev/stdout')) as file: file.write(b'data')"
    assert subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE).stdout == b"data"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], check=True, stdout=out)
    assert (tmp_path / "out").read_bytes() == b"data"


def test_permissions(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        with atomic_output(tmp_path / "x") as file:
            file.write(b"data")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    with atomic_output(tmp_path / "link", force=True) as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_long_names(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    with atomic_output(path) as file:
        file.write(b"data")
    assert path.read_bytes() == b"data"


def test_stale_files(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    names = {
        f".x.npy.{dead.pid}.cauf-tmp": False,
        f".x.npy.{dead.pid}-1.cauf-tmp": False,
        f".x.npy.{os.getpid()}.cauf-tmp": True,
        f".y.npy.{dead.pid}.cauf-tmp": True,
        ".x.npy.0.cauf-tmp": True,
        ".x.npy.word.cauf-tmp": True,
    }
    for name in names:
        (tmp_path / name).write_bytes(b"")
    removed = remove_stale(tmp_path / "x.npy")
    assert {path.name for path in removed} == {name for name, kept in names.items() if not kept}
    assert {path.name for path in tmp_path.iterdir()} == {name for name, kept in names.items() if kept}
    assert remove_stale(tmp_path / "no" / "x.npy") == []


def test_what_nobody_came_to_hold_is_removed_at_exit(tmp_path: Path) -> None:
    opened = "import sys, pathlib; from caufc.features.atomic import AtomicFile; AtomicFile(pathlib.Path(sys.argv[1]))"
    seen = "; print(len(list(pathlib.Path(sys.argv[1]).parent.iterdir())))"
    command = [sys.executable, "-c", opened + seen, str(tmp_path / "x.cauf")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
    assert list(tmp_path.iterdir()) == []
