from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caufc.errors import InputError, OptionError, StorageError
from caufc.features import parse_shard, read_list, shard


def test_list(tmp_path: Path) -> None:
    path = tmp_path / "LIST.txt"
    path.write_bytes(b"\xef\xbb\xbfa.npy\r\n\n# note\n  sub/b c.npy  \n/abs/c.npy\n../d.npy")
    assert read_list(path) == [f"{tmp_path}/a.npy", f"{tmp_path}/sub/b c.npy", "/abs/c.npy", f"{tmp_path}/../d.npy"]


def test_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("LIST.txt").write_text("a.npy\n")
    assert read_list(Path("LIST.txt")) == ["a.npy"]


def test_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "LIST.txt"
    path.write_bytes(b"a\n\nb\na\n")
    with pytest.raises(InputError, match="line 4 repeats line 1"):
        read_list(path)
    path.write_bytes(b"a\n\x00\n")
    with pytest.raises(InputError, match="line 2"):
        read_list(path)
    with pytest.raises(StorageError, match="no such file"):
        read_list(tmp_path / "no")


@pytest.mark.parametrize(
    "text", ["", "2", "0/3", "4/3", "-1/3", "1/0", "1/3\n", "1.0/3", "١/٣", "1/9999999999", "1 / 3"]
)
def test_bad_shards(text: str) -> None:
    with pytest.raises(OptionError, match="1 <= i <= n"):
        parse_shard(text)


def test_shard() -> None:
    assert parse_shard("2/8") == (2, 8)
    assert shard(["a", "b", "c", "d", "e"], 2, 3) == ["b", "e"]
    with pytest.raises(OptionError):
        shard(["a"], 0, 3)


@settings(deadline=None)
@given(st.integers(0, 40).map(lambda count: [str(i) for i in range(count)]), st.integers(1, 9))
def test_shards_are_a_partition(paths: list[str], n: int) -> None:
    shards = [shard(paths, i, n) for i in range(1, n + 1)]
    assert sorted(sum(shards, [])) == sorted(paths)  # noqa: RUF017
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
