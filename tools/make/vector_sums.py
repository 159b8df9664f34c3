"""Write the SHA-256 of every file of a version's vectors: what a release has announced never changes.

    python -m tools.make.vector_sums [--check]

`spec/vectors/VERSION/SHA256SUMS` is as sha256sum writes it. The programs that make vectors write it too.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

__all__ = ["CURRENT", "FOLDER", "RELEASED", "VECTORS", "sums", "write_sums"]

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
CURRENT = "1.0"
"""The version whose vectors are being made; once it is released, the next one."""

FOLDER = VECTORS / CURRENT

RELEASED: dict[str, str] = {
    "1.0": "201d323dde0500bc8159ead1f92a9fcef52ad0d3b561f99d34eed7118fface62",
}
"""Version -> SHA-256 of its SHA256SUMS, from the release on that announces it; then the next version has its folder."""


def sums(folder: Path) -> str:
    """The text of a folder's SHA256SUMS."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    digests = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def write_sums(folder: Path) -> None:
    """Write it; SystemExit where the folder's version is released and would change."""
    text = sums(folder)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if RELEASED.get(folder.name, digest) != digest:
        raise SystemExit(f"{folder} is released and must not change: git checkout {folder}")
    (folder / "SHA256SUMS").write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether all files are as they were")
    if not parser.parse_args().check:
        write_sums(FOLDER)
    changed = [path.name for path in sorted(VECTORS.iterdir()) if (path / "SHA256SUMS").read_text() != sums(path)]
    print(f"versions whose vectors changed: {changed}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
