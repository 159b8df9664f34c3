"""Fill the README's template with what other programs made: the demo's output, the stranger's plugin, measured figures.

    python -m tools.make.readme            # writes README.md from tools/make/readme_template.md
    python -m tools.make.readme --demo     # runs the demo anew first

The demo's output is kept in tools/results/demo.txt.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "tools" / "results" / "demo.txt"


def table(name: str, start: str) -> str:
    """The table of a results page whose first line begins so."""
    lines = (ROOT / "tools" / "results" / f"{name}.md").read_text("utf-8").splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    rest = lines[first:]
    end = next((i for i, line in enumerate(rest) if not line.startswith("|")), len(rest))
    return "\n".join(rest[:end])


def paper() -> str:
    """What the paper's experiment found, for its codecs and the best rivals."""
    results = json.loads((ROOT / "tools" / "results" / "paper.json").read_text("utf-8"))
    lines = [
        "| | times fewer bytes than the hyperprior of one architecture: interior | read-out | BD-rate, mean | "
        "geometric | times fewer bytes than the best rival | encode MB/s | decode MB/s |",
        "|---" * 8 + "|",
    ]
    for key in ("blind", "reads", "task", "hyperprior", "nncodec", "int"):
        own = next(each for each in results["summary"] if each["key"] == key)
        name = next(method["name"] for method in results["methods"] if method["key"] == key)
        fewer, speed = own["fewer_than_anchor"]["0.99"], own["speed"]
        cells = [_times(fewer["interior"]), _times(fewer["read-out"])]
        cells += [f"{own[mean]['all']:.1f} %" for mean in MEANS]
        cells += [_times(own["fewer_than_best_rival"].get("0.99", {}).get("all", {}))]
        lines.append(f"| {' | '.join([name, *cells, *(f'{speed[way]:.1f}' for way in SPEEDS)])} |")
    return "\n".join(lines)


MEANS = ("bd_rate", "bd_rate_geometric")
SPEEDS = ("encode_mb_s", "decode_mb_s")


def _times(found: dict[str, Any]) -> str:
    if not found.get("mean"):
        return "-"
    some = "" if found["taps"] == found["of"] else f" ({found['taps']} of {found['of']} taps)"
    return f"{found['mean']:.2f}{some}"


def readme() -> str:
    """The README's text."""
    stranger = ROOT / "tests" / "stranger"
    template = (ROOT / "tools" / "make" / "readme_template.md").read_text("utf-8")
    return template.format(
        demo=DEMO.read_text("utf-8").strip(),
        plugin=(stranger / "caufc_stranger.py").read_text("utf-8").strip(),
        pyproject=(stranger / "pyproject.toml").read_text("utf-8").strip(),
        rates=table("rates", "| tap | int-k"),
        speed=table("speed", "| tap | effort"),
        paper=paper(),
        divergence=table("divergence", "| tap | BPFP"),
        foundation=table("foundation", "| figure"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", action="store_true", help="run the demo anew")
    if parser.parse_args().demo:
        done = subprocess.run(
            [sys.executable, "-m", "caufc.cli.main", "demo"], capture_output=True, text=True, check=True
        )
        DEMO.write_text(done.stdout)
    (ROOT / "README.md").write_text(readme())


if __name__ == "__main__":
    main()
