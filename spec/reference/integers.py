"""Nodes of integers in the reference decoder: section 11.1 of cauf-1.0.md, one element at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .container import Array, Reader, Unsupported, inflate, require
from .entropy import Rans, expand

Integers = list[int]
WIDTHS = (1, 2, 4, 8)


class Nodes:
    """Reads nodes, and counts their elements: [CAUF-0521]."""

    def __init__(self, r: Reader, elements: int) -> None:
        self.r, self.left, self.depth = r, 32 * elements + (1 << 20), 0

    def node(self, n: int, width: int) -> Integers:
        """The node of E elements of W bytes: [CAUF-0520]."""
        self.left -= n
        self.depth += 1
        require(self.depth <= 32 and 1 <= n < 1 << 32 and self.left >= 0, 521, f"a node of {n} elements")
        kind = self.r.take(1)[0]
        require(kind < len(KINDS), 6, f"a node of kind {kind}", Unsupported)
        elements = KINDS[kind](self, n, width)
        self.depth -= 1
        return elements

    def stored(self, data: bytes, width: int) -> Integers:
        elements: Integers = np.frombuffer(data, f"<u{width}").tolist()
        return elements

    def raw(self, n: int, width: int) -> Integers:
        return self.stored(self.r.take(n * width), width)

    def constant(self, n: int, width: int) -> Integers:
        return self.raw(1, width) * n

    def deflated(self, n: int, width: int) -> Integers:
        """[CAUF-0523]"""
        data = inflate(self.r.take(self.r.varint()), n * width, 523)
        require(len(data) == n * width, 523, f"not {n} elements")
        return self.stored(data, width)

    def narrow(self, n: int, width: int) -> Integers:
        """[CAUF-0524]"""
        form = self.r.take(1)[0]
        stepped, narrower = form & 16, form & ~16
        require(narrower in WIDTHS and narrower <= width, 524, f"form {form}")
        code = self.r.varint()
        base, step = code >> 1 ^ -(code & 1), self.r.varint() if stepped else 1
        require(step > 1 or not stepped, 524, f"step {step}")
        return [(step * x + base) % (1 << 8 * width) for x in self.node(n, narrower)]

    def delta(self, n: int, width: int) -> Integers:
        """[CAUF-0525]"""
        mode, stride, start = self.r.take(1)[0], self.r.varint(), self.r.varint()
        valid = mode <= 2 and 1 <= stride < n and start < 1 << 8 * width
        require(valid, 525, f"differences of mode {mode}, stride {stride}, start {start}")
        out = [start] * stride
        for c in self.node(n, width):
            change = c >> 1 ^ -(c & 1) if mode == 1 else c
            out.append(out[-stride] ^ c if mode == 2 else (out[-stride] + change) % (1 << 8 * width))
        return out[stride:]

    def runs(self, n: int, width: int) -> Integers:
        """[CAUF-0527]"""
        m = self.r.varint()
        require(1 <= m <= n // 2, 527, f"{m} runs")
        lengths = [1 + length for length in self.node(m, 4)]
        require(sum(lengths) == n, 527, f"runs of {sum(lengths)} elements for {n}")
        return [x for x, length in zip(self.node(m, width), lengths, strict=True) for _ in range(length)]

    def bits(self, n: int, width: int) -> Integers:  # noqa: ARG002
        """[CAUF-0526]"""
        found = [byte >> 7 - bit & 1 for byte in self.node(-(-n // 8), 1) for bit in range(8)]
        require(not any(found[n:]), 526, "spare bits")
        return found[:n]

    def palette(self, n: int, width: int) -> Integers:
        """[CAUF-0528]"""
        k = self.r.varint()
        require(1 <= k <= min(n, 65536), 528, f"{k} values")
        values, indexes = self.node(k, width), self.node(n, 1 if k <= 256 else 2)
        require(max(indexes) < k, 528, f"index {max(indexes)}")
        return [values[index] for index in indexes]

    def symbols(self, n: int, width: int) -> Integers:
        """[CAUF-0529]"""
        alphabet = self.r.varint()
        require(2 <= alphabet <= min(65536, 1 << 8 * width, max(n, 256)), 529, f"{alphabet} symbols")
        table = expand(self.node(alphabet, 1))
        rans = Rans(self.r.take(self.r.varint()))
        found: Integers = rans.decode(table, n).tolist()
        rans.close()
        return found

    def buckets(self, n: int, width: int) -> Integers:
        """[CAUF-0530], [CAUF-0531]"""
        f = self.r.take(1)[0]
        require(f <= 2, 530, f"mantissa {f}")
        found = self.node(n, 1)
        sizes = [max((b >> f) - 1, 0) for b in found]
        require(max(sizes) <= min(56, 8 * width - f - 1), 530, f"bucket {max(found)}")
        data = self.r.take(self.r.varint())
        require(len(data) == -(-sum(sizes) // 8), 531, f"{len(data)} bytes for {sum(sizes)} bits")
        extra, out = int.from_bytes(data, "little"), []
        for b, x in zip(found, sizes, strict=True):
            out.append(((b - (x << f)) << x) + (extra & ((1 << x) - 1)) if b >= 1 << f else b)
            extra >>= x
        require(extra == 0, 531, "spare bits")
        return out

    def split(self, n: int, width: int) -> Integers:
        """[CAUF-0532]"""
        inner, period = self.r.varint(), self.r.varint()
        require(1 <= inner * period <= n, 532, f"{period} places of {inner}")
        groups = self.node(period, 1)
        require(set(groups) == set(range(max(groups) + 1)), 532, "a group without places")
        of = [groups[i // inner % period] for i in range(n)]
        parts = [iter(self.node(of.count(group), width)) for group in range(max(groups) + 1)]
        return [next(parts[group]) for group in of]

    def matches(self, n: int, width: int) -> Integers:
        """[CAUF-0533], [CAUF-0534]"""
        m = self.r.varint()
        require(1 <= m <= n // 2, 533, f"{m} matches")
        gaps, lengths, distances = self.node(m, 4), [2 + length for length in self.node(m, 4)], self.node(m, 4)
        require(sum(gaps) + sum(lengths) <= n, 533, "matches go beyond the elements")
        front, distance, resolved = 0, 0, []
        for gap, length, coded in zip(gaps, lengths, distances, strict=True):
            front, distance = front + gap, coded or distance
            require(1 <= distance <= front, 534, f"distance {distance} behind {front} elements")
            resolved.append(distance)
            front += length
        literals, out = self.node(n - sum(lengths), width), Integers()
        at = 0
        for gap, length, distance in zip(gaps, lengths, resolved, strict=True):
            out += literals[at : at + gap]
            at += gap
            for _ in range(length):
                out.append(out[-distance])
        return out + literals[at:]

    def bytes(self, n: int, width: int) -> Integers:
        return self.stored(bytes(self.node(n * width, 1)), width)


KINDS: tuple[Callable[[Nodes, int, int], Integers], ...] = (
    Nodes.raw,
    Nodes.constant,
    Nodes.deflated,
    Nodes.narrow,
    Nodes.delta,
    Nodes.runs,
    Nodes.bits,
    Nodes.palette,
    Nodes.symbols,
    Nodes.buckets,
    Nodes.split,
    Nodes.matches,
    Nodes.bytes,
)


def decode_integers(r: Reader, count: int, width: int) -> Array:
    """`count` elements, as unsigned integers: [CAUF-0535]."""
    found = Nodes(r, count).node(count, width)
    r.close(535)
    return np.array(found, f"<u{width}")
