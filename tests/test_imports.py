"""What importing caufc costs, and that imports run one way (the layers of the design, from the ground up)."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import caufc
from caufc.codec import kernels

ROOT = Path(caufc.__file__).parent

NEIGHBOURS = (
    "IPython",
    "PIL",
    "datasets",
    "fsspec",
    "grpc",
    "h5py",
    "hs_connectors",
    "numcodecs",
    "pyarrow",
    "ray",
    "webdataset",
    "zarr",
)
HEAVY = ("torch", "torchvision", "timm", "transformers", "compressai", "constriction", *NEIGHBOURS)
IMPORT_SECONDS = 0.06

GROUND = {
    *("arch_ids", "errors", "limits", "octaves", "layouts", "types", "descriptors", "packages", "tensor_patterns"),
    *("terms", "threads", "whole_numbers"),
}
PLUGGED = {"hookspecs", "plugin_border", "plugin_loader", "plugin_manager", "plugin_runtime"}
CORE = {"bitstream", "align", "codec", "kernels"}
ROOMS = CORE | {"coders", "encoder", "decoder"}
BELOW_API = (
    GROUND
    | ROOMS
    | PLUGGED
    | {"features", "options", "catalog", "container_files", "output_names", "odd_channels", "packages"}
)
PUBLIC = {"api", "coder", "reader", "files", "sampler", "stream_writer", "remux", "packing"}

ALLOWED: dict[str, set[str]] = {
    "arch_ids": set(),
    "errors": {"terms"},
    "terms": set(),
    "limits": {"errors", "whole_numbers"},
    "octaves": set(),
    "tensor_patterns": set(),
    "layouts": {"errors"},
    "types": set(),
    "threads": {"errors"},
    "sampler": {"errors", "whole_numbers"},
    "whole_numbers": {"errors"},
    "descriptors": {"errors", "layouts", "types", "limits"},
    "bitstream": GROUND,
    "kernels": set(),
    "align": GROUND | {"kernels"},
    "codec": GROUND | {"bitstream", "kernels"},
    "coders": GROUND | CORE,
    "encoder": GROUND | CORE | {"coders"},
    "decoder": GROUND | CORE | {"coders"},
    "features": GROUND | PLUGGED | {"encoder", "bitstream"},
    "hookspecs": GROUND,
    "plugin_border": {"errors"},
    "plugin_loader": GROUND | PLUGGED,
    "plugin_runtime": GROUND | PLUGGED,
    "plugin_manager": GROUND | PLUGGED,
    "catalog": GROUND | PLUGGED | {"coders", "decoder"},
    "options": GROUND | PLUGGED | {"coders", "encoder", "catalog"},
    "container_files": GROUND | {"decoder", "features"},
    "odd_channels": GROUND | {"encoder"},
    "output_names": GROUND | PLUGGED | {"features"},
    "packages": {"errors"},
    "delivery": BELOW_API,
    "storage": GROUND | {"decoder", "container_files"},
    "reader": BELOW_API | {"delivery", "storage"},
    "api": BELOW_API | {"delivery", "reader", "storage"},
    "alike_samples": BELOW_API,
    "stream_writer": BELOW_API | {"api", "alike_samples"},
    "coder": BELOW_API | {"api", "delivery", "fit"},
    "files": BELOW_API | {"api"},
    "packing": BELOW_API | {"api"},
    "remux": BELOW_API,
    "fit": BELOW_API | PUBLIC | {"text"},
    "train": BELOW_API | PUBLIC,
    "evaluate": BELOW_API | PUBLIC | {"fit", "caufc"},
    "text": set(),
    "bench": BELOW_API | PUBLIC | {"evaluate", "text"},
    "show": BELOW_API | {"reader", "storage", "text"},
    "cli": BELOW_API | PUBLIC | {"fit", "train", "evaluate", "bench", "show", "integrations", "text", "caufc"},
    "__main__": {"cli"},
    "plugins": {"caufc"},
    "integrations": {"caufc", "show"},
    "testing": {"caufc"},
    "caufc": BELOW_API | PUBLIC | {"storage"},
}
"""Layer -> what it may import; ``caufc`` is the package's own public names, which it loads when they are used. A new
layer needs a line here."""

THIRD_PARTY: dict[str, set[str]] = {
    "arch_ids": set(),
    "errors": set(),
    "terms": set(),
    "limits": set(),
    "layouts": set(),
    "descriptors": set(),
    "octaves": {"numpy"},
    "types": {"numpy"},
    "threads": {"threadpoolctl"},
    "bitstream": {"isal", "msgpack"},
    "align": {"numpy"},
    "kernels": {"numpy"},
    "codec": {"numpy", "constriction", "torch"},
    "coders": {"numpy"},
    "encoder": {"numpy"},
    "decoder": {"numpy"},
}
"""What the core may import beyond the standard library."""

DECODER_LOADS = (
    *("align", "align.base", "align.format", "align.statistics", "align.token_scales", "align.turns", "align.value"),
    *("bitstream", "bitstream.block", "bitstream.chunk", "bitstream.header", "bitstream.index"),
    *("bitstream.keys", "bitstream.metadata", "bitstream.msgpack_array", "bitstream.note", "bitstream.record"),
    *("bitstream.section", "bitstream.varint"),
    *("codec", "codec.buckets", "codec.entropy", "codec.kept", "codec.kernels"),
    *("codec.kernels.pieces", "codec.rans", "codec.tables"),
    *(f"codec.kernels.{name}" for name in kernels.built()),
    *("codec.hyperprior", "codec.hyperprior.constants", "codec.hyperprior.float_network"),
    *("codec.hyperprior.integer_network", "codec.hyperprior.layers", "codec.hyperprior.tiles"),
    *("codec.hyperprior.weights", "codec.lossless", "codec.lossless.codec", "codec.lossless.grid"),
    *("codec.lossless.inflate", "codec.lossless.integers", "codec.lossless.integers.affine"),
    *("codec.lossless.integers.choose", "codec.lossless.integers.codec", "codec.lossless.integers.coded"),
    "codec.lossless.integers.estimate",
    *("codec.lossless.integers.grouping", "codec.lossless.integers.matches", "codec.lossless.integers.nodes"),
    *("codec.lossless.integers.plain", "codec.lossless.integers.repeats", "codec.lossless.integers.runs"),
    *("codec.lossless.integers.split", "codec.lossless.integers.symbols"),
    *("codec.lossless.intervals", "codec.lossless.models", "codec.lossless.planes", "codec.lossless.recurrence"),
    *("codec.transform", "codec.transform.grid_lines", "codec.transform.grids", "codec.transform.token_order"),
    *("coders", "coders.base", "coders.config", "coders.distortion", "coders.dtypes", "coders.file_coders"),
    *("coders.blocks", "coders.row_sums", "coders.told_errors", "coders.token_snr"),
    *("coders.lossy", "coders.patches", "coders.payload", "coders.prelude", "coders.registry", "coders.resolve"),
    *("coders.sections", "coders.side_files", "coders.stack", "coders.work"),
    *("decoder", "decoder.announced", "decoder.call_meter", "decoder.chunk_cache", "decoder.collector"),
    "decoder.file_decoder",
    *("decoder.lookup", "decoder.message_reader", "decoder.random_access", "decoder.recovered_reader"),
    *("decoder.recovery", "decoder.selection"),
    *("descriptors", "errors", "layouts", "limits", "octaves", "packages", "tensor_patterns", "terms", "types"),
    *("threads", "threads.blas", "threads.cpus", "threads.ordered", "whole_numbers"),
)
"""What importing all of the decoder loads of caufc; coders follow when a file names their codec."""


def modules() -> dict[str, Path]:
    """Every module of the package by name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports_of(name: str) -> Iterator[tuple[str, int]]:
    """Full names of the modules that a module imports anywhere in its code, and the lines."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")
            base = base[: len(base) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{origin}.{alias.name}"
                yield whole if whole in MODULES else origin, node.lineno


def layer(module: str) -> str:
    """``caufc.decoder.random_access`` -> ``decoder``; the package itself is ``caufc``."""
    parts = module.split(".")
    if parts[1:3] == ["codec", "kernels"]:
        return "kernels"
    return parts[1] if len(parts) > 1 else parts[0]


@pytest.mark.parametrize("name", MODULES)
def test_arrows(name: str) -> None:
    own = layer(name)
    assert own in ALLOWED, f"'{own}' is a new layer: say in ALLOWED what it may import"
    new = [
        f"{name} line {line}: {own} -> {layer(target)} ({target})"
        for target, line in imports_of(name)
        if target.split(".")[0] == "caufc" and layer(target) != own and layer(target) not in ALLOWED[own]
    ]
    assert not new, "new import arrows:\n" + "\n".join(new)


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) in THIRD_PARTY])
def test_what_the_core_needs(name: str) -> None:
    used = {target.split(".")[0] for target, _ in imports_of(name)} - set(sys.stdlib_module_names) - {"caufc"}
    assert used <= THIRD_PARTY[layer(name)]
    if "constriction" in used:
        assert name == "caufc.codec.entropy"
    if "torch" in used:
        assert name == "caufc.codec.hyperprior.float_network"


def test_the_arrows_are_walked() -> None:
    """The walker sees relative imports, at any depth."""
    assert ("caufc.bitstream", 0) in [(target, 0) for target, _ in imports_of("caufc.decoder.random_access")]
    assert "caufc.codec.entropy" in dict(imports_of("caufc.codec.lossless.planes"))
    assert "constriction" in dict(imports_of("caufc.codec.entropy"))
    assert len(MODULES) > 60


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("code", ["import caufc", "import caufc; caufc.PluginManager; caufc.Tap; caufc.MalformedError"])
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert python(f"import sys; {code}; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


@pytest.mark.parametrize(("compiled", "heavy"), [("1", []), ("0", ["constriction"])])
def test_numpy_goes_in_and_out_without_torch(compiled: str, heavy: list[str]) -> None:
    if compiled == "1" and kernels.rans is None:
        pytest.skip("the kernel is not built, or switched off")
    code = (
        f"import os; os.environ['{kernels.VARIABLE}'] = '{compiled}';"
        "import sys, numpy as np, caufc; x = np.random.default_rng(0).normal(size=(900, 9)).astype('f4');"
        "caufc.decode(caufc.encode(x)); caufc.decode(caufc.encode([x], lossless=True));"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert python(code) == str(heavy)


def test_what_importing_the_decoder_loads() -> None:
    code = (
        "import sys; from caufc.decoder import announced, collector, file_decoder, lookup, message_reader;"
        "from caufc.decoder import random_access, recovered_reader;"
        "print(*sorted(name for name in sys.modules if name.startswith('caufc.')))"
    )
    assert python(code).split() == sorted(f"caufc.{name}" for name in DECODER_LOADS)


def test_decoding_loads_no_encoder() -> None:
    """Whatever codec a file names."""
    vectors = ROOT.parent / "spec" / "vectors" / "1.0"
    code = (
        "import sys; from pathlib import Path; from caufc.decoder.file_decoder import FileDecoder;"
        "from caufc.limits import DEFAULT_LIMITS;"
        "files = [iter([Path(path).read_bytes()]) for path in sys.argv[1:]];"
        "[list(FileDecoder.of(file, None, DEFAULT_LIMITS).samples()) for file in files];"
        "print([name for name in sys.modules if name.startswith('caufc.encoder')])"
    )
    learned = ("hyperprior-embedded",) if find_spec("torch") else ()
    names = ("tiny", "integers", "spectral-2d", *learned)
    files = [path for path in (vectors / "valid").glob("*.cauf") if path.stem in names]
    assert files
    command = [sys.executable, "-c", code, *map(str, files)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_importing_is_quick() -> None:
    code = (
        "import time, numpy; start = time.perf_counter(); import caufc;"
        "caufc.CaufError; print(time.perf_counter() - start)"
    )
    assert statistics.median(float(python(code)) for _ in range(7)) <= IMPORT_SECONDS


def test_public_names() -> None:
    assert caufc.__all__ == sorted(caufc.__all__)
    for name in set(caufc.__all__) - {"hookimpl"}:
        assert getattr(caufc, name).__module__.startswith("caufc.")
    assert dir(caufc) == caufc.__all__
    with pytest.raises(AttributeError, match="module 'caufc' has no attribute 'encod'"):
        _ = caufc.encod
