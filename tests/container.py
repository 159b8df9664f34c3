"""What tests take containers apart and put them together with."""

from tools.attack.container import (
    SIGNATURE,
    Blocks,
    assemble,
    block,
    fields_of,
    header_bytes,
    read_varint,
    split,
    varint,
    with_fields,
)

__all__ = [
    "SIGNATURE",
    "Blocks",
    "assemble",
    "block",
    "fields_of",
    "header_bytes",
    "read_varint",
    "split",
    "varint",
    "with_fields",
]
