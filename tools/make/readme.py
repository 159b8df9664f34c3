"""Make README.md: what caufc is, with the demo's output and measured figures.

    python -m tools.make.readme            # from tools/make/readme_template.md and tools/results
    python -m tools.make.readme --demo     # runs the demo anew first

The demo's output is kept in tools/results/demo.txt.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import textwrap

from tools.make.result_tables import RESULTS, ROOT, fill, limits, quality_table, record, times_fewer

__all__ = ["DOCS", "readme"]

PAGE = ROOT / "README.md"
TEMPLATE = ROOT / "tools" / "make" / "readme_template.md"
DEMO = RESULTS / "demo.txt"

DOCS = (
    "reading",
    "recipes",
    "integrations",
    "plugins",
    "evaluate",
    "results",
    "architecture",
    "codec",
    "decisions",
    "glossary",
)
"""Pages of docs/; README lists those that are there."""

LIMITS = """\
**Limits today.** One core encodes {encode} MB/s and decodes {decode}. KV caches gain most with a profile of other
texts: at int4's divergence ({int4} BPFP with zstd) they take {profile}, without one {blind}, and KVTC with a basis of
other texts {kvtc}. Arrays of a few hundred values keep what a quality promises by leaps."""

SHOWN = ("caufc medium", "caufc lossless", "fp16", "int8")
"""Lines of the demo's first table that README shows, behind its two heads."""


def readme() -> str:
    """The page's text."""
    table = quality_table()
    parts = {
        "demo": _demo(),
        "qualities": f"\n{table}\n" if table else "",
        "times": times_fewer(),
        "docs": _docs(),
        **_sizes(),
        "limits": textwrap.fill(LIMITS.format(**limits()), 124, break_on_hyphens=False),
    }
    return fill(TEMPLATE.read_text("utf-8"), parts)


def _demo() -> str:
    """The demo's first table, shortened."""
    lines = DEMO.read_text("utf-8").partition("\n\n")[0].splitlines()
    return "\n".join([*lines[:2], *(line for line in lines[2:] if line.startswith(SHOWN))])


def _sizes() -> dict[str, str]:
    """GB of an installation without torch and with it."""
    figures = record("install")["figures"]
    return {"light": f"{figures['']['mb'] / 1000:.1f}", "whole": f"{figures['torch']['mb'] / 1000:.1f}"}


def _docs() -> str:
    found = [name for name in DOCS if (ROOT / "docs" / f"{name}.md").exists()]
    return textwrap.fill(", ".join(f"[{name}](docs/{name}.md)" for name in found), 121, subsequent_indent="  ")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", action="store_true", help="run the demo anew")
    if parser.parse_args().demo:
        done = subprocess.run(
            [sys.executable, "-m", "caufc.cli.main", "demo"], capture_output=True, text=True, check=True
        )
        DEMO.write_text(done.stdout, "utf-8")
    PAGE.write_text(readme(), "utf-8")


if __name__ == "__main__":
    main()
