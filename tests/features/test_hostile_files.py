"""Feature files made to harm: each is refused by a CaufError, in little time and memory, and nothing of it is run.

Attacks are made here, and read by one process a format under a limit on memory and time.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import run_limited
from click.testing import CliRunner

import caufc
from caufc.cli.main import caufc as console
from tools.attack.container import SIGNATURE, varint

from .common import needs_torch, torch

MEMORY = 2 << 30
SECONDS_EACH = 20

READER = """
import json, resource, signal, sys, warnings
from pathlib import Path
from caufc.errors import CaufError
from caufc.features import read, to_source
warnings.simplefilter("ignore")
def watch(path):
    signal.setitimer(signal.ITIMER_PROF, {seconds})
    try:
        source = to_source(read(path))
        for tensor in source.tensors:
            tensor.block(0, source.samples)
        return "read"
    except CaufError as err:
        return f"{{type(err).__name__}}: {{err}}"
    except BaseException as err:
        return f"NOT OURS {{type(err).__name__}}: {{err}}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
signal.signal(signal.SIGPROF, lambda *_: (_ for _ in ()).throw(TimeoutError("too slow")))
for path in sorted(Path(sys.argv[1]).iterdir()):
    if path.is_file():
        print(json.dumps([path.stem, watch(path)]), flush=True)
"""

Make = Callable[[Path], object]


def npy_header(shape: str, descr: str = "<f4", extra: str = "") -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}{extra}, }}".encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def zipped(path: Path, *entries: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, data in entries:
            archive.writestr(name, data)


def long_npy_header(path: Path) -> None:
    """A header of 3 GB, of which the file deflates 256 MB."""
    archive = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("x.npy", "w", force_zip64=True) as member:
        member.write(b"\x93NUMPY\x02\x00" + struct.pack("<I", 3 << 30))
        for _ in range(1 << 4):
            member.write(b" " * (1 << 24))


def overlapping(path: Path) -> None:
    """Two names of one member's bytes."""
    zipped(path, ("a.npy", npy_header("(9,)") + bytes(36)), ("b.npy", npy_header("(9,)") + bytes(36)))
    data = bytearray(path.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    data[second + 42 : second + 46] = bytes(4)  # the offset of its local header
    path.write_bytes(data)


def cut(path: Path) -> None:
    zipped(path, ("x.npy", npy_header("(9,)") + bytes(36)))
    path.write_bytes(path.read_bytes()[:-9])


def damaged(path: Path) -> None:
    """A byte of a deflated member changed."""
    values = np.arange(900, dtype="f4").tobytes()
    zipped(path, ("x.npy", npy_header("(900,)") + values), method=8)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


NPZ: dict[str, Make] = {
    "bomb": lambda path: zipped(path, ("x.npy", npy_header("(268435456,)") + bytes(1 << 20)), method=8),
    "declared_shape": lambda path: zipped(path, ("x.npy", npy_header("(1099511627776,)") + bytes(64))),
    "overflowing_shape": lambda path: zipped(path, ("x.npy", npy_header("(4294967296, 4294967296, 0)"))),
    "negative_shape": lambda path: zipped(path, ("x.npy", npy_header("(-4, -4)") + bytes(64))),
    "long_header": long_npy_header,
    "expression_header": lambda path: zipped(path, ("x.npy", npy_header("(" + "(" * 90 + ")" * 90 + ")"))),
    "object_array": lambda path: np.savez(path, x=np.array([{}, Path("/")], object)),
    "same_name": lambda path: zipped(path, *[("x.npy", npy_header("(1,)") + bytes(4))] * 2),
    "overlapping": overlapping,
    "many_members": lambda path: zipped(path, *((f"{n}.npy", b"") for n in range(65_537))),
    "cut": cut,
    "damaged": damaged,
}  # fmt: skip


def safetensors_file(header: Any, values: bytes = b"", length: int | None = None) -> Make:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = struct.pack("<Q", len(text) if length is None else length)
    return lambda path: path.write_bytes(size + text + values)


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


SAFETENSORS: dict[str, Make] = {
    "header_length": safetensors_file(b"{}", length=(1 << 64) - 1),
    "header_terabyte": safetensors_file(b"{}", length=1 << 40),
    "huge_json": safetensors_file(b'{"x":[' + b"[]," * (8 << 20) + b"[]]}"),
    "deep_json": safetensors_file(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "long_number": safetensors_file(b'{"x":' + b"9" * 1_000_000 + b"}"),
    "same_name": safetensors_file(
        b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        bytes(4),
    ),
    "overlap": safetensors_file({"x": entry([2], 0, 8), "y": entry([2], 4, 12)}, bytes(12)),
    "hole": safetensors_file({"x": entry([1], 0, 4), "y": entry([1], 8, 12)}, bytes(12)),
    "beyond_the_end": safetensors_file({"x": entry([1 << 40], 0, 1 << 42)}, bytes(12)),
    "overflow": safetensors_file({"x": entry([1 << 62, 1 << 62, 4], 0, 16)}, bytes(16)),
    "backwards": safetensors_file({"x": entry([0], 8, 0)}, bytes(8)),
    "many_tensors": safetensors_file({str(n): entry([0], 0, 0) for n in range(65_537)}),
    "complex": safetensors_file({"x": entry([1], 0, 8, "C64")}, bytes(8)),
}


class Trap:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> Any:
        return exec, ("open('trapped', 'w')",)


def torch_file(value: Any, *, legacy: bool = False, protocol: int = 2) -> Make:
    return lambda path: torch.save(
        value() if callable(value) else value,
        path,
        _use_new_zipfile_serialization=not legacy,
        pickle_protocol=protocol,
    )


def plain_pickle(protocol: int) -> Make:
    return lambda path: path.write_bytes(pickle.dumps({"x": Trap()}, protocol))


def with_pickle(data: bytes, *, method: int = zipfile.ZIP_STORED) -> Make:
    """A file of torch.save with another pickle."""

    def make(path: Path) -> None:
        buffer = io.BytesIO()
        torch.save(torch.zeros(4), buffer)
        with zipfile.ZipFile(buffer) as old:
            entries = [(i.filename, data if i.filename.endswith("data.pkl") else old.read(i)) for i in old.infolist()]
        zipped(path, *entries, method=method)

    return make


def compressed(path: Path) -> None:
    """65 kB that inflate to 64 MB."""
    buffer = io.BytesIO()
    torch.save(torch.zeros(1 << 24), buffer)
    with zipfile.ZipFile(buffer) as old:
        zipped(path, *((info.filename, old.read(info)) for info in old.infolist()), method=8)


def legacy_storage(path: Path) -> None:
    """A file from before torch 1.6 whose storage says that it has 2^40 values."""
    buffer = io.BytesIO()
    torch.save(torch.zeros(7), buffer, _use_new_zipfile_serialization=False)
    path.write_bytes(buffer.getvalue().replace(b"K\x07Nt", b"\x8a\x06" + (1 << 40).to_bytes(6, "little") + b"Nt"))


def pickled_array(shape: Any, data: bytes, dtype: str = "f4", *, protocol: int = 4) -> bytes:
    """The pickle of a numpy array with a shape of its own, as a dict of one name."""

    class Array:
        def __reduce__(self) -> Any:
            state = (1, shape, np.dtype(dtype), False, data)
            return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), state

    return pickle.dumps({"x": Array()}, protocol)


def many_bytes() -> bytes:
    """A thousand times the bytes of one text of a megabyte."""
    text = b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20)
    once = b"h\1h\0X\6\0\0\0latin1\x86R"
    return b"\x80\x02" + text + b"q\0" + b"c_codecs\nencode\nq\1" + b"]" + b"(" + once * 3000 + b"e."


def aliases() -> Any:
    """4,000 names of one storage of 20 MB: 80 GB."""
    return dict.fromkeys(map(str, range(4_000)), torch.zeros(5 << 20))


def many_references() -> Any:
    """More than four million names of one tensor."""
    return [torch.zeros(1)] * 4_300_000


def itself() -> list[Any]:
    """A list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


PT: dict[str, Make] = {
    "code": torch_file({"x": Trap()}),
    "code_legacy": torch_file({"x": Trap()}, legacy=True),
    "plain_pickle": lambda path: path.write_bytes(pickle.dumps(Trap())),
    "build": with_pickle(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(}tb."),
    "stride_zero": torch_file(lambda: {"x": torch.zeros(1).expand(1 << 20, 1 << 20)}),
    "stride_zero_legacy": torch_file(lambda: {"x": torch.zeros(1).expand(1 << 20, 1 << 20)}, legacy=True),
    "aliases": torch_file(aliases),
    "many_references": torch_file(many_references),
    "compressed": compressed,
    "deep_lists": with_pickle(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
    "deep_tuples": with_pickle(b"\x80\x02)" + b"\x85" * 100_000 + b"."),
    "long_text": with_pickle(b"\x80\x02X\xff\xff\xff\xffx."),
    "long_bytes": with_pickle(b"\x80\x04\x8e" + b"\xff" * 8 + b"."),
    "sparse": torch_file(lambda: torch.eye(3).to_sparse()),
    "meta": torch_file(lambda: torch.empty(1 << 40, device="meta")),
    "quantised": torch_file(lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)),
    "legacy_storage": legacy_storage,
    "itself": torch_file(itself),
    **{f"code_{n}": torch_file({"x": Trap()}, protocol=n) for n in (3, 4, 5)},
    **{f"plain_{n}": plain_pickle(n) for n in (2, 3, 4, 5)},
    "array_terabyte": with_pickle(pickled_array((1 << 40,), b"")),
    "array_overflow": with_pickle(pickled_array((1 << 40, 1 << 40, 4), bytes(16))),
    "array_negative": with_pickle(pickled_array((-4, -1), bytes(16))),
    "array_objects": with_pickle(pickled_array((1,), b"", "O")),
    "array_shape": with_pickle(pickled_array("text", bytes(4))),
    "many_bytes": with_pickle(many_bytes()),
    "many_items": with_pickle(b"\x80\x02(" + b"N" * 6_000_000 + b"t."),
    "deep_keys": with_pickle(b"\x80\x02})" + b"\x85" * 200_000 + b"Ns."),
    "deep_layout": with_pickle(b"\x80\x02ctorch.serialization\n_get_layout\n)" + b"\x85" * 200_000 + b"R."),
    "large_memo": with_pickle(b"\x80\x02Nr\xff\xff\xff\xffj\xff\xff\xff\x7f."),
    "long_integer": with_pickle(b"\x80\x02\x8b" + struct.pack("<I", 1 << 24) + bytes(1 << 24) + b"."),
    "frames": with_pickle(b"\x80\x04\x95" + b"\xff" * 8 + b"N."),
    "attributes": with_pickle(b"\x80\x02ccollections\nOrderedDict\n}X\1\0\0\0aK\1sb."),
    "instance": with_pickle(b"\x80\x04ccollections\nOrderedDict\n)\x81."),
    "buffer": with_pickle(b"\x80\x05\x97\x98."),
    "extension": with_pickle(b"\x80\x02\x82\1."),
    "set": with_pickle(b"\x80\x04\x8f(K\1\x90."),
}  # fmt: skip

FORMATS = {".npz": NPZ, ".safetensors": SAFETENSORS} | ({} if torch is None else {".pt": PT})
CASES = [(suffix, name) for suffix, attacks in FORMATS.items() for name in attacks]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], str]]:
    """What reading each attack says."""
    outcomes: dict[tuple[str, str], str] = {}
    for suffix, attacks in FORMATS.items():
        folder = tmp_path_factory.mktemp(suffix[1:])
        for name, make in attacks.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                make(folder / f"{name}{suffix}")
        seconds = SECONDS_EACH * len(attacks)
        child = run_limited(READER.format(seconds=SECONDS_EACH), b"", seconds, MEMORY, str(folder))
        outcomes |= {(suffix, name): said for name, said in map(json.loads, child.stdout.splitlines())}
        assert (child.code, child.stderr) == (0, "")
        assert sorted(path.stem for path in folder.iterdir()) == sorted(attacks)
    yield outcomes


@pytest.mark.parametrize(("suffix", "name"), CASES)
def test_attack(found: dict[tuple[str, str], str], suffix: str, name: str) -> None:
    said = found[suffix, name]
    assert said.split(":")[0] in ("ForeignFormatError", "LimitError", "TensorError", "StorageError"), said
    assert f"{name}{suffix}" in said


@needs_torch
def test_nothing_is_run(found: dict[tuple[str, str], str]) -> None:
    assert "needs code to be read" in found[".pt", "code"]
    assert not Path("trapped").exists()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..", "a\\b", "nul\0l", "C:evil"])
@pytest.mark.parametrize("suffix", [".npz", ".safetensors", pytest.param(".pt", marks=needs_torch)])
def test_names_are_never_paths(tmp_path: Path, name: str, suffix: str) -> None:
    """What stands in a file stays a name, wherever the file is decoded to."""
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    source = folder / "x.cauf"
    source.write_bytes(caufc.encode({name: np.ones((2, 3), "f4"), "other": np.ones((2, 3), "f4")}, lossless=True))
    ran = CliRunner().invoke(console, ["decode", str(source), "-o", str(folder / f"out{suffix}")])
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made <= {"deep/deeper/x.cauf", f"deep/deeper/out{suffix}"}
    assert ran.exit_code in (0, 2), ran.stderr


def test_a_header_of_empty_arrays_stays_small() -> None:
    """A megabyte of msgpack is as much as the header may have; parsed, it is a hundred times that."""
    empty = b"\xdd" + struct.pack(">I", (1 << 20) - 200) + b"\x90" * ((1 << 20) - 200)
    packed = b"\x97\x00\xc0\x00\xc0\xc0" + empty + b"\xc0"
    head = SIGNATURE + b"\1\0" + varint(len(packed)) + packed
    data = head + struct.pack("<I", zlib.crc32(head)) + b"E\1\0"
    child = run_limited("import sys, caufc; caufc.decode(sys.stdin.buffer.read())", data, 30, 400 << 20)
    assert child.code == 1
    assert "MalformedError" in child.stderr, child.stderr[-400:]
