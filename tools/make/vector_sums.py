"""Write the SHA-256 of every file of a version's vectors: what a release has announced never changes.

    python -m tools.make.vector_sums [--check]

`spec/vectors/VERSION/SHA256SUMS` is as sha256sum writes it. The programs that make vectors write it too. Vectors may be
added to a version that is announced; `ADDED` beside the digests names their files, and without these the digests are
those that were announced.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

__all__ = ["CURRENT", "FOLDER", "RELEASED", "VECTORS", "added", "announced", "sums", "write_sums"]

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
CURRENT = "1.0"
"""The version whose vectors are being made; once it is released, the next one."""

FOLDER = VECTORS / CURRENT

RELEASED: dict[str, str] = {
    "1.0": "ec886e4ef41e253e5477eb77908c4106ec3f23e203445637fd5c42b3d0d77947",
}
"""Version -> SHA-256 of its SHA256SUMS, as announced; what is added later is named in ADDED."""

BESIDE = ("SHA256SUMS", "ADDED")
"""Files of a version's folder that are no vectors."""


def sums(folder: Path) -> str:
    """The text of a folder's SHA256SUMS."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in BESIDE)
    digests = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def announced(folder: Path, text: str, added: set[str]) -> bool:
    """Whether the lines of a SHA256SUMS, without those of files that were added, are as announced."""
    lines = [line for line in text.splitlines(keepends=True) if line.rstrip("\n").partition("  ")[2] not in added]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return RELEASED.get(folder.name, digest) == digest


def added(folder: Path) -> set[str]:
    """Names of the files that were added to a version since it was announced."""
    path = folder / "ADDED"
    return set(path.read_text("utf-8").split()) if path.exists() else set()


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS, and ADDED; SystemExit where a file of a released version would change, or one of ADDED."""
    text, path = sums(folder), folder / "SHA256SUMS"
    before = dict(line.split("  ")[::-1] for line in path.read_text("utf-8").splitlines()) if path.exists() else {}
    now = dict(line.split("  ")[::-1] for line in text.splitlines())
    changed = sorted(name for name, digest in before.items() if now.get(name) != digest)
    if folder.name in RELEASED:
        new = added(folder) | (set(now) - set(before))
        if changed or not announced(folder, text, new):
            raise SystemExit(f"{folder} is released, and these must not change, git checkout them: {changed}")
        (folder / "ADDED").write_text("".join(f"{name}\n" for name in sorted(new)), "utf-8")
    path.write_text(text, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether all files are as they were")
    if not parser.parse_args().check:
        write_sums(FOLDER)
    folders = sorted(VECTORS.iterdir())
    texts = {path: (path / "SHA256SUMS").read_text("utf-8") for path in folders}
    changed = [
        path.name for path, text in texts.items() if text != sums(path) or not announced(path, text, added(path))
    ]
    print(f"versions whose vectors changed: {changed}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
