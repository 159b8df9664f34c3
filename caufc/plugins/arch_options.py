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
        pretrained: load the weights that the model library knows; ``?pretrained=false`` leaves them random.
        checkpoint: ``?checkpoint=PATH``, a file of weights to load instead.
        device: ``?device=cuda``, where the model runs; the CPU unless given.
    """

    arch: str
    name: str
    pretrained: bool = True
    checkpoint: Path | None = None
    device: str = "cpu"

    @classmethod
    def parse(cls, arch: str) -> ArchOptions:
        """Take an ID apart.

        Raises:
            OptionError: for unknown options and values.
        """
        head, _, query = arch.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        unknown = sorted(given.keys() - {"pretrained", "checkpoint", "device"})
        pretrained = given.get("pretrained", "true").lower()
        if unknown or pretrained not in ("true", "false"):
            what = f"option '{unknown[0]}'" if unknown else f"value pretrained={pretrained}"
            raise OptionError(
                f"arch '{arch}': unknown {what}", remedy="options: pretrained=true|false, checkpoint=PATH, device=NAME"
            )
        checkpoint = Path(given["checkpoint"]) if "checkpoint" in given else None
        return cls(arch, head.partition("/")[2], pretrained == "true", checkpoint, given.get("device", "cpu"))
