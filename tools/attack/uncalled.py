"""The tests of integrations with what a neighbour calls cut: each must fail at least one, or it would test itself.

    python -m tools.attack.uncalled [--only NAME,...] [--results uncalled]

For each method by which a library reaches caufc, its tests run once with the method as it is and once with one in its
place that does nothing. Needs `.[integrations]`; those whose library is missing are left out. Takes about 15 minutes.
"""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from tools.measure.machine import ROOT, plain_command, write_results

__all__ = ["CUTS", "Cut", "cut_by", "outcome"]

VARIABLE = "CAUFC_CUT"
"""Names the method that is cut in a run of tests."""

SECONDS = 900


@dataclass(frozen=True)
class Cut:
    """A method of an integration that its library calls.

    Args:
        library: that is tested against.
        module: of the integration.
        method: class and name.
        tests: file.
        how: the library comes to call it.
    """

    library: str
    module: str
    method: str
    tests: str
    how: str

    @property
    def name(self) -> str:
        """As the environment names it."""
        return f"caufc.integrations.{self.module}:{self.method}"


CUTS = (
    Cut("torch", "torch", "CaufDataset.__getitems__", "test_torch.py", "a DataLoader fetches a batch"),
    Cut("torch", "torch", "Collate.__call__", "test_torch.py", "a DataLoader makes a batch of samples"),
    Cut("hs_connectors", "speculators", "CaufTransfer.get_cached", "test_speculators.py", "a trainer reads a sample"),
    Cut("hs_connectors", "speculators", "CaufTransfer.cache", "test_speculators.py", "a trainer keeps a sample"),
    Cut("datasets", "datasets", "CaufTensor.encode_example", "test_datasets.py", "a dataset takes a row"),
    Cut("datasets", "datasets", "CaufTensor.decode_example", "test_datasets.py", "a dataset gives a row"),
    Cut("pyarrow", "arrow", "CaufType.__arrow_ext_deserialize__", "test_arrow.py", "Parquet is read"),
    Cut("pyarrow", "arrow", "CaufScalar.as_py", "test_arrow.py", "a table gives a row"),
    Cut("zarr", "zarr", "CaufCodec._encode_sync", "test_zarr.py", "an array is written"),
    Cut("zarr", "zarr", "CaufCodec._decode_sync", "test_zarr.py", "an array is read"),
    Cut("zarr", "zarr", "CaufCodec._decode_part", "test_zarr.py", "a part of an array is read"),
    Cut("numcodecs", "numcodecs", "Cauf.encode", "test_numcodecs.py", "a store of zarr's format 2 is written"),
    Cut("numcodecs", "numcodecs", "Cauf.decode", "test_numcodecs.py", "a store of zarr's format 2 is read"),
    Cut("webdataset", "webdataset", "CaufEncoder.__call__", "test_webdataset.py", "a TarWriter encodes a sample"),
    Cut("webdataset", "webdataset", "CaufHandler.__call__", "test_webdataset.py", "a pipeline decodes a field"),
    Cut("ray", "ray.datasource", "CaufDatasource.get_read_tasks", "test_ray.py", "Ray plans to read"),
    Cut("ray", "ray.datasink", "CaufDatasink.on_write_complete", "test_ray.py", "Ray has written"),
    Cut("grpc", "grpc.client", "Client.send", "test_grpc.py", "a client calls the server"),
    Cut("IPython", "jupyter", "load_ipython_extension", "test_jupyter.py", "a notebook loads the extension"),
)


def pytest_configure(config: Any) -> None:  # noqa: ARG001
    """As a plugin of pytest: cut what the environment names."""
    if named := os.environ.get(VARIABLE):
        cut_by(named)


def cut_by(named: str) -> None:
    """Put a function that does nothing in the place of ``module:Class.method``."""
    module, _, path = named.partition(":")
    holder: Any = importlib.import_module(module)
    *outer, last = path.split(".")
    for part in outer:
        holder = getattr(holder, part)
    nothing: Any = classmethod(_nothing) if isinstance(vars(holder)[last], classmethod) else _nothing
    setattr(holder, last, nothing)


def _nothing(*_: Any, **__: Any) -> None:
    """What stands in the place of what is cut."""


def outcome(tests: str, named: str | None, *, first: bool = False) -> tuple[int, int]:
    """How many tests failed and passed, with a method cut or not; ``first`` ends with the first that fails.

    Raises:
        RuntimeError: the tests did not run.
    """
    own = {key: value for key, value in os.environ.items() if key != VARIABLE} | ({VARIABLE: named} if named else {})
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-p", "no:cacheprovider", "--tb=no", "-o", "addopts="]
    command += ["-p", "tools.attack.uncalled", *(["-x"] if first else []), f"tests/integrations/{tests}"]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=SECONDS, check=False)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (failed|passed|error)", done.stdout)}
    if not counts:
        raise RuntimeError(f"{tests} did not run: {done.stdout[-500:]}{done.stderr[-500:]}")
    return counts.get("failed", 0) + counts.get("error", 0), counts.get("passed", 0)


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| library | calls | when | as it is | cut |", "|---|---|---|---|---|"]
    for row in rows:
        whole = f"{row['passed']} passed, {row['failed']} failed"
        cut = "fails" if row["noticed"] else "nothing fails"
        lines.append(f"| {row['library']} | `{row['method']}` | {row['how']} | {whole} | {cut} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", help="libraries, with commas between (default: all)")
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else [cut.library for cut in CUTS]
    rows, known = [], dict[str, tuple[int, int]]()
    for cut in CUTS:
        if cut.library not in chosen or find_spec(cut.library) is None:
            print(f"{cut.library} is left out", file=sys.stderr)
            continue
        if cut.tests not in known:
            known[cut.tests] = outcome(cut.tests, None)
        failed, passed = known[cut.tests]
        noticed = outcome(cut.tests, cut.name, first=True)[0] > 0
        facts = {"library": cut.library, "method": cut.name.removeprefix("caufc.integrations."), "how": cut.how}
        rows.append({**facts, "passed": passed, "failed": failed, "noticed": noticed})
        print(rows[-1], file=sys.stderr, flush=True)
    text = page(rows)
    print(text)
    if options.results:
        write_results(options.results, plain_command(sys.argv), {"rows": rows}, text)
    return 0 if rows and all(row["noticed"] and not row["failed"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
