"""The reference decoder as a program: prints what a CAUF file holds as JSON, and writes its samples.

    python -m spec.reference FILE [--profile FILE] [--json] [-o SAMPLES.npz]

It exits 0 for a valid file, 3 for a damaged or malformed one, 4 for one that is unsupported.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .container import CaufError, CaufViolation
from .decoder import decode, summary


def main() -> int:
    parser = argparse.ArgumentParser(description="Decodes a CAUF file and prints what it holds as JSON.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--profile", type=Path, action="append", default=[], help="a profile or weights that it names")
    parser.add_argument("--json", action="store_true", help="JSON in one line")
    parser.add_argument("-o", dest="out", type=Path, help="write samples to this .npz, as NAME/NUMBER")
    options = parser.parse_args()
    profiles = {hashlib.sha256(data).digest()[:16]: data for data in (path.read_bytes() for path in options.profile)}
    try:
        decoded = decode(options.file.read_bytes(), profiles)
    except CaufError as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 3 if isinstance(error, CaufViolation) else 4
    print(json.dumps(summary(decoded), indent=None if options.json else 2))
    if options.out:
        arrays: dict[str, Any] = {
            f"{t.name}/{i}": sample for t in decoded.tensors for i, sample in enumerate(t.samples)
        }
        np.savez(options.out, **arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
