"""Notes and keys of the reference decoder: what stands beside tensors; section 3.2 of cauf-1.0.md."""

from __future__ import annotations

from typing import Any

from .container import MAX_NOTE, MSGPACK, CaufViolation, Reader, Unsupported, inflate, is_int, require

MAX_KEYS = 256 << 20  # the limit of an index


def parse_note(data: bytes) -> Any:
    """What a note stands for: [CAUF-0500], [CAUF-0502]."""
    require(len(data) <= MAX_NOTE, 502, f"a note of {len(data)} bytes")
    r = Reader(data, 500)
    value = unpack_note(r)
    r.close(500)
    return meaning(value)


def unpack_note(r: Reader, depth: int = 1) -> Any:
    """One msgpack value in its only form: as in the header, but with floats of 64 bits, and texts of any length."""
    code = r.take(1)[0]
    if code < 0x80 or code >= 0xE0:
        return code if code < 0x80 else code - 256
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code]
    if code == 0xCB:
        return r.number(">d")
    size = code & (15 if code < 0xA0 else 31)
    if code in MSGPACK and code != 0xCA:
        form, least = MSGPACK[code]
        size = r.number(form)
        require(size >= least >= 0 or size <= least < 0, 500, f"{size} is not in its shortest form")
    if 0xCC <= code <= 0xD3:
        return size
    require(size <= r.left(), 500, "a note ends within a value")
    if 0x90 <= code < 0xA0 or code in (0xDC, 0xDD):
        require(depth <= 36, 500, "arrays of a note nest too deep")
        return [unpack_note(r, depth + 1) for _ in range(size)]
    if 0xC4 <= code <= 0xC6:
        return r.take(size)
    require(0xA0 <= code < 0xC0 or 0xD9 <= code <= 0xDB, 500, f"msgpack type {code:02X} is not allowed")
    try:
        return r.take(size).decode()
    except UnicodeDecodeError:
        raise CaufViolation(500, "text is not UTF-8") from None


def meaning(value: Any) -> Any:
    """Branches are arrays of kind, names and children."""
    if not isinstance(value, list):
        return value
    require(len(value) == 3, 500, "an array that is no branch")
    kind, names, children = value
    lists = isinstance(names, list) and isinstance(children, list)
    require(is_int(kind, 0, 2) and lists and all(type(name) in (str, int) for name in names), 500, "a branch")
    distinct = len(set(names)) == len(names) == (0 if kind else len(children))
    require(distinct, 500, "names of a dict's children, or names of a list's")
    inner = [meaning(child) for child in children]
    return dict(zip(names, inner, strict=True)) if kind == 0 else tuple(inner) if kind == 2 else inner


def check_keys(keys: list[Any]) -> None:
    """[CAUF-0505]"""
    require(all(type(key) in (str, int) for key in keys), 505, "a key is neither text nor an integer")
    require(len(set(keys)) == len(keys), 505, "a key stands twice")


def parse_keys(r: Reader, samples: int) -> list[Any]:
    """The keys of a chunk or an index: [CAUF-0506]."""
    packing = r.take(1)[0]
    require(packing <= 1, 6, f"keys with packing {packing}", Unsupported)
    data = inflate(r.rest(), MAX_KEYS, 92) if packing else r.rest()
    keys = Reader(data, 506)
    try:
        value = unpack_note(keys)
    except CaufViolation as error:
        raise CaufViolation(506, str(error)) from None
    keys.close(506)
    require(isinstance(value, list) and len(value) == samples, 506, f"keys of {samples} samples")
    check_keys(value)
    return list(value)


def parse_metadata(data: bytes) -> dict[str, str]:
    """[CAUF-0510]"""
    value = parse_note(data) if data else {}
    texts = isinstance(value, dict) and all(type(item) is str for pair in value.items() for item in pair)
    require(texts, 510, "metadata are no texts by name")
    return dict(value)
