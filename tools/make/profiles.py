"""Make the profiles that ship with caufc, from the fit half of extracted features.

    python -m tools.make.profiles --features DIR

DIR is what tools/measure/tap_features.py writes. Profiles are content-addressed and append-only: files name them by
hash, so a profile that has shipped stays, and a new one of the same name only takes over the name.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from caufc.coders.side_files import content_id
from caufc.fit.profile import fit_profile
from tools.measure import tap_features

FOLDER = Path(__file__).resolve().parents[2] / "caufc" / "data" / "profiles"


@dataclass(frozen=True)
class Shipped:
    """A profile: its name, the tap of the features it is fitted on, and what its files say of them."""

    name: str
    tap: str
    arch: str
    place: str


PROFILES = (
    Shipped("efficientnet_lite0-last", "efficientnet_lite0-last", "timm/tf_efficientnet_lite0", "last"),
    Shipped("minilm-hidden3", "minilm-hidden3", "hf/sentence-transformers/all-MiniLM-L6-v2", "hidden3"),
)


def make(shipped: Shipped, features: Path) -> bytes:
    """Fit one profile."""
    import torch

    values = tap_features.load_features(features, shipped.tap, "fit")
    tensors = [torch.as_tensor(v) for v in values] if isinstance(values, list) else torch.as_tensor(values)
    return fit_profile(tensors, arch=shipped.arch, tap=shipped.place)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--features", type=Path, required=True)
    features: Path = parser.parse_args().features
    FOLDER.mkdir(parents=True, exist_ok=True)
    index = {}
    for shipped in PROFILES:
        data = make(shipped, features)
        digest = content_id(data).hex()
        (FOLDER / f"{digest}.caufp").write_bytes(data)
        index[shipped.name] = digest
        print(f"{shipped.name}: {digest}, {len(data)} bytes")
    (FOLDER / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
