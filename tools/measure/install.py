"""How large an installation is, and how long it takes: caufc in fresh environments, without torch and with it.

    python -m tools.measure.install [--extra NAME] [--results NAME]

Sizes are of what pip adds to an empty environment. The network is needed; torch takes some GB of disk for a while.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tools.measure.machine import ROOT, plain_command, write_results

EXTRAS = ("", "torch")


def installed(extra: str) -> dict[str, Any]:
    """Size in MB, packages and seconds of an installation with an extra."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        before = size(Path(folder))
        python = Path(folder) / "bin" / "python"
        started = time.perf_counter()
        asked = f"{ROOT}[{extra}]" if extra else str(ROOT)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-cache-dir", asked], check=True)
        seconds = time.perf_counter() - started
        found = subprocess.run([python, "-m", "pip", "list"], check=True, capture_output=True, text=True)
        return {
            "mb": (size(Path(folder)) - before) / 1e6,
            "packages": len(found.stdout.splitlines()) - 2,
            "seconds": seconds,
        }


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--extra", action="append", help="install that one; repeatable; none is '' (default: none, torch)"
    )
    parser.add_argument("--results", metavar="NAME", help="write tools/results/NAME.*")
    options = parser.parse_args()
    figures = {extra: installed(extra) for extra in options.extra or EXTRAS}
    rows = ["| command | MB | packages | seconds |", "|---|---|---|---|"]
    for extra, own in figures.items():
        command = f"pip install '.[{extra}]'" if extra else "pip install ."
        rows.append(f"| `{command}` | {own['mb']:,.0f} | {own['packages']} | {own['seconds']:.0f} |")
    print("\n".join(rows))
    if options.results:
        write_results(options.results, plain_command(sys.argv), figures, "\n".join(rows))


if __name__ == "__main__":
    main()
