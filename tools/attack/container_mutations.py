"""Changes of a container's parts, each as likely as others to reach deep into a decoder."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tools.attack.container import varint
from tools.attack.container_parts import ChunkParts, Parts, SectionParts

__all__ = ["mutate"]

INTEGERS = [0, 1, 2, 3, 7, 15, 16, 17, 63, 64, 65, 127, 128, 255, 256, 4096, 65_535, 65_536, 1 << 20, 1 << 31, 1 << 48]
FLOATS = [0.0, -1.0, 1e-38, 1e-30, 1e-3, 0.5, 1.0, 2.0, 1e10, 1e30, 3e38]
LAYOUTS = ["c", "n", "n c", "c n", "h w", "c h w", "h w c", "t h w c", "c t h w", "(h w) c", "(1 + h w) c", "(2 + n) c",
           "g t d", "d c", "n c d", "(3 + t h) c", "t", "c (1 + n)", "w h c"]  # fmt: skip
TEXTS = ["", "x", "n c", "é", "a.b", "../x", "x" * 4097]
METHODS = [0, 1, 2, 3, 4, 255]


def mutate(parts: Parts, draw: random.Random, others: list[Parts]) -> Parts:
    """One to four changes of a copy."""
    parts = parts.copy()
    for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 4])):
        names = list(CHANGES)
        CHANGES[draw.choices(names, [WEIGHTS.get(name, 1) for name in names])[0]](parts, draw, others)
    return parts


def integer(draw: random.Random, old: int = 0) -> int:
    near = max(0, old + draw.choice([-2, -1, 1, 2]))
    return draw.choice([near, near, draw.choice(INTEGERS), draw.randrange(300)])


def value(draw: random.Random, old: Any) -> Any:
    """A value in place of another, mostly of its kind."""
    if draw.random() < 0.12:
        return draw.choice([None, True, -1, 0, 1.0, "", b"", [], [None], [[]], [0, 0], draw.choice(INTEGERS)])
    if type(old) is int:
        return draw.choice([integer(draw, old), integer(draw, old), -old, old ^ 1])
    if isinstance(old, float):
        return draw.choice([draw.choice(FLOATS), old * draw.choice([0.5, 2.0, -1.0, 1e6, 1e-6])])
    if isinstance(old, str):
        return draw.choice([*LAYOUTS, *TEXTS])
    if isinstance(old, bytes):
        return draw.choice([draw.randbytes(8), old[:-1], b""])
    return draw.choice([0, 1, [], None, 1.0])


def places(node: Any, path: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """Paths of everything in nested arrays."""
    found = []
    for number, child in enumerate(node):
        found.append((*path, number))
        if isinstance(child, list):
            found += places(child, (*path, number))
    return found


def change_header(parts: Parts, draw: random.Random, others: list[Parts]) -> None:
    paths = places(parts.fields)
    if not paths:
        parts.fields = [0]
        return
    path = draw.choice(paths)
    node: Any = parts.fields
    for step in path[:-1]:
        node = node[step]
    way = draw.random()
    if way < 0.75:
        node[path[-1]] = value(draw, node[path[-1]])
    elif way < 0.85:
        del node[path[-1]]
    elif way < 0.95:
        node.insert(path[-1], node[path[-1]])
    else:
        node[path[-1]] = draw.choice(draw.choice(others).fields)
    clean(parts.fields)


def clean(node: list[Any]) -> None:
    """msgpack packs what is below 2^64."""
    for number, child in enumerate(node):
        if isinstance(child, list):
            clean(child)
        elif type(child) is int:
            node[number] = max(-(1 << 63), min(child, (1 << 64) - 1))
        elif isinstance(child, float) and abs(child) > 3.4e38:
            node[number] = 1.0


def change_record(parts: Parts, draw: random.Random, others: list[Parts]) -> None:
    """dtype, framework, shape, layout, tap, codec, alignment or parameters, as other files have them."""
    records = parts.fields[5] if len(parts.fields) > 5 else None
    if not isinstance(records, list) or not records or not isinstance(draw.choice(records), list):
        return change_header(parts, draw, others)
    number = draw.randrange(len(records))
    if not isinstance(records[number], list):
        return None
    record = records[number] + [None] * (8 - len(records[number]))
    which = draw.randrange(8)
    record[which] = draw.choice(
        [
            draw.randrange(14),
            draw.randrange(3),
            [draw.choice([None, 0, 1, 2, 3, 8, 16, 64, 65, 130, 255]) for _ in range(draw.randrange(5))],
            draw.choice(LAYOUTS),
            "tap",
            draw.randrange(3),
            [draw.randrange(6), draw.randrange(4), draw.choice(FLOATS), draw.choice(FLOATS)],
            [draw.choice(FLOATS), draw.randrange(-34, 34), draw.randrange(5), draw.randrange(-260, 260)],
        ][which : which + 1]
    )
    while record and record[-1] is None:
        record.pop()
    records[number] = record
    return None


def change_bytes(data: bytes, draw: random.Random) -> bytes:
    """Bytes replaced, inserted, cut, repeated."""
    out = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 4])):
        place = draw.randrange(len(out) + 1)
        way = draw.randrange(8)
        if way < 4 and place < len(out):
            out[place] = draw.choice([0, 1, 2, 3, 127, 128, 193, 194, 255, out[place] ^ 1 << draw.randrange(8)])
        elif way == 4:
            out[place:place] = draw.randbytes(draw.randrange(1, 9))
        elif way == 5:
            del out[place : place + draw.randrange(1, 9)]
        elif way == 6:
            out[place:place] = out[place : place + draw.randrange(1, 33)]
        else:
            out[place : place + 4] = draw.choice(INTEGERS).to_bytes(8, "little")[:4]
    return bytes(out)


def change_section(parts: Parts, draw: random.Random, others: list[Parts]) -> None:
    if not parts.sections or draw.random() < 0.3:
        given = [section for other in others for section in other.sections]
        new = draw.choice(given) if draw.random() < 0.6 else made_section(parts, draw)
        parts.sections.insert(draw.randrange(len(parts.sections) + 1), SectionParts(**vars(new)))
        return
    number = draw.randrange(len(parts.sections))
    section = parts.sections[number]
    way = draw.randrange(9)
    if way < 4:
        section.data = change_bytes(section.data, draw)
    elif way == 4:
        section.type = draw.randrange(13)
    elif way == 5:
        section.tensor = integer(draw, section.tensor)
    elif way == 6:
        section.element, section.packing = draw.randrange(6), draw.randrange(3)
    elif way == 7:
        del parts.sections[number]
    else:
        section.data = section.data[: draw.randrange(len(section.data) + 1)]


def made_section(parts: Parts, draw: random.Random) -> SectionParts:
    """A section of a length that a tensor may have."""
    kind = draw.randrange(1, 12)
    element = {1: 1, 2: 1, 4: 3, 5: 3, 9: 1, 10: 1, 11: 1}.get(kind, 0)
    channels = draw.choice([1, 4, 5, 6, 8, 10, 24, 64])
    rows = draw.choice([1, channels, max(1, channels // 2)])
    count = {4: 64 * rows, 5: 40 * rows, 6: 16, 7: 16, 8: rows * channels, 9: rows, 10: rows * channels, 11: rows}
    size = count.get(kind, channels) * (2 if element == 1 else 1)
    data = draw.choice([bytes(size), b"\1" * size, draw.randbytes(size)])
    records = parts.fields[5] if len(parts.fields) > 5 and isinstance(parts.fields[5], list) else [0]
    return SectionParts(kind, draw.randrange(max(1, len(records))), element, draw.randrange(2), data)


def change_payload(parts: Parts, draw: random.Random, others: list[Parts]) -> None:
    chunks = [chunk for chunk in parts.chunks if chunk.payloads]
    if not chunks:
        return
    chunk = draw.choice(chunks)
    number = draw.randrange(len(chunk.payloads))
    payload = chunk.payloads[number]
    way = draw.randrange(8)
    if way < 4:
        chunk.payloads[number] = change_bytes(payload, draw)
    elif way == 4:  # the head: flags, methods, lengths
        head = bytearray(payload[:24])
        if head:
            head[draw.randrange(len(head))] = draw.choice([*METHODS, draw.randrange(256)])
        chunk.payloads[number] = bytes(head) + payload[24:]
    elif way == 5:
        chunk.payloads[number] = payload[: 4 * draw.randrange(len(payload) // 4 + 1) + draw.choice([0, 1])]
    elif way == 6:
        given = [p for other in others for c in other.chunks for p in c.payloads]
        chunk.payloads[number] = draw.choice(given)
    else:
        words = [draw.choice([0, 1, 0xFFFFFFFF, draw.getrandbits(32)]) for _ in range(draw.randrange(6))]
        chunk.payloads[number] = payload[:1] + b"".join(word.to_bytes(4, "little") for word in words)


def change_chunk(parts: Parts, draw: random.Random, others: list[Parts]) -> None:
    if not parts.chunks:
        parts.chunks.append(ChunkParts(1, [], [b"\0"], 0))
        return
    number = draw.randrange(len(parts.chunks))
    chunk = parts.chunks[number]
    way = draw.randrange(9)
    if way == 0:
        chunk.count = integer(draw, chunk.count)
    elif way == 1 and chunk.sizes:
        chunk.sizes[draw.randrange(len(chunk.sizes))] = integer(draw, draw.choice(chunk.sizes))
    elif way == 2:
        chunk.first = integer(draw, number)
    elif way == 3 and chunk.payloads:
        chunk.lengths = [None] * len(chunk.payloads)
        chunk.lengths[draw.randrange(len(chunk.lengths))] = integer(draw, len(chunk.payloads[0]))
    elif way == 4:
        parts.chunks.insert(number, ChunkParts(**vars(chunk)))
    elif way == 5:
        del parts.chunks[number]
    elif way == 6:
        draw.shuffle(parts.chunks)
    elif way == 7:
        chunk.sizes = [size for size in chunk.sizes for _ in range(draw.choice([1, 1, 2]))]
    else:
        parts.chunks[number] = ChunkParts(**vars(draw.choice([c for other in others for c in other.chunks])))


def change_order(parts: Parts, draw: random.Random, others: list[Parts]) -> None:  # noqa: ARG001
    numbers = list(range(len(parts.sections) + len(parts.chunks) + len(parts.extra)))
    way = draw.randrange(3)
    if way == 0:
        draw.shuffle(numbers)
    elif numbers:
        place = draw.randrange(len(numbers))
        numbers = numbers[:place] + numbers[place + 1 :] if way == 1 else [*numbers[:place], place, *numbers[place:]]
    parts.order = numbers


def change_frame(parts: Parts, draw: random.Random, others: list[Parts]) -> None:  # noqa: ARG001
    """Index, end, flags, other blocks, version."""
    way = draw.randrange(6)
    if way == 0:
        parts.index = draw.choice([b"", varint(integer(draw, 60)) + varint(integer(draw, 2)) + draw.randbytes(4)])
    elif way == 1:
        parts.end = varint(integer(draw, sum(chunk.count for chunk in parts.chunks)))
    elif way == 2 and len(parts.fields) > 2:
        parts.fields[2] = draw.choice([0, 1, 2])
    elif way == 3:
        tag = draw.choice(["x", "z", "X", "S", "C", "I", "E"])
        parts.extra.append((draw.randrange(9), tag, draw.randbytes(draw.randrange(20))))
    elif way == 4:
        parts.version = (draw.choice([0, 1, 1, 2]), draw.randrange(256))
    elif parts.fields:
        parts.fields[0] = draw.randrange(6)


Change = Callable[[Parts, random.Random, list[Parts]], None]
CHANGES: dict[str, Change] = {
    "header": change_header,
    "record": change_record,
    "section": change_section,
    "payload": change_payload,
    "chunk": change_chunk,
    "order": change_order,
    "frame": change_frame,
}
WEIGHTS = {"payload": 5, "section": 3, "record": 3, "header": 2, "chunk": 3}
