"""Options of an architecture ID: ``timm/resnet18?pretrained=false&device=cuda``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from caufc import OptionError


@dataclass(frozen=True)
class ArchOptions:
    """What an architecture ID asks of the loader.

    Args:
        arch: the ID as given, for messages.
        name: the model's name, without the family's prefix and the options.
        pretrained: load the weights that the model library knows; ``?pretrained=false`` draws random ones.
        checkpoint: ``?checkpoint=PATH``, a file of weights to load instead.
        device: ``?device=cuda``, where the model runs; the CPU unless given.
        seed: ``?seed=1``, of random weights, which are the same each time; 0 unless given.
    """

    arch: str
    name: str
    pretrained: bool = True
    checkpoint: Path | None = None
    device: str = "cpu"
    seed: int = 0

    @property
    def random_weights(self) -> bool:
        """Whether no weights are loaded."""
        return not self.pretrained and self.checkpoint is None

    @classmethod
    def parse(cls, arch: str) -> ArchOptions:
        """Take an ID apart.

        Raises:
            OptionError: for unknown options and values.
        """
        head, _, query = arch.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        unknown = sorted(given.keys() - {"pretrained", "checkpoint", "device", "seed"})
        pretrained, seed = given.get("pretrained", "true").lower(), given.get("seed", "0")
        if unknown or pretrained not in ("true", "false") or not (seed.isascii() and seed.isdecimal()):
            wrong = f"pretrained={pretrained}" if pretrained not in ("true", "false") else f"seed={seed}"
            what = f"option '{unknown[0]}'" if unknown else f"value {wrong}"
            raise OptionError(
                f"arch '{arch}': unknown {what}",
                remedy="options: pretrained=true|false, checkpoint=PATH, device=NAME, seed=N",
            )
        checkpoint = Path(given["checkpoint"]) if "checkpoint" in given else None
        device = given.get("device", "cpu")
        return cls(arch, head.partition("/")[2], pretrained == "true", checkpoint, device, int(seed) % (1 << 63))
