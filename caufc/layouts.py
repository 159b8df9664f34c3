"""Layouts: what the axes of a tensor mean, as data (spec, section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import LayoutError

__all__ = ["CHANNEL_LETTERS", "GRID_LETTERS", "Layout"]

GRID_LETTERS = "nthw"
CHANNEL_LETTERS = "gcd"


@dataclass(frozen=True)
class Layout:
    """What the axes of a tensor mean, as data.

    One term per axis, from fixed letters: ``b`` sample; ``t h w n`` token grid; ``c d`` channels; ``g`` groups (heads)
    that join the channels. A term in parentheses joins grid letters in one axis, and a leading count marks special
    tokens: ``b c h w``, ``b h w c``, ``b (1 + h w) c``, ``b n c``, ``b g t d``, ``b c``.

    Raises:
        LayoutError: if the expression is not one of the language.
    """

    expression: str
    terms: tuple[str, ...] = field(init=False, compare=False, repr=False)
    special: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        terms, special = _parse_layout(self.expression)
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "special", special)
        object.__setattr__(self, "expression", " ".join(_term_text(term, special) for term in terms))

    def __str__(self) -> str:
        return self.expression

    @property
    def batched(self) -> bool:
        """Whether an axis counts samples; it is the first then."""
        return self.terms[0] == "b"

    @property
    def sample_terms(self) -> tuple[str, ...]:
        """The terms of one sample's axes."""
        return self.terms[1:] if self.batched else self.terms

    def of_batch(self) -> Layout:
        """The layout with a sample axis."""
        return self if self.batched else Layout(f"b {self.expression}")

    def nested(self) -> Layout:
        """The layout of one sample that has a sample axis of its own: that axis becomes one of tokens."""
        if not self.batched:
            return self
        free = next(letter for letter in "tnhw" if letter not in self.expression)
        return Layout(f"{free}{self.expression[1:]}")

    def unbatched(self) -> Layout:
        """The layout of one sample."""
        return self if not self.batched else Layout(" ".join(_term_text(t, self.special) for t in self.sample_terms))


def _term_text(term: str, special: int) -> str:
    if len(term) == 1 and not (special and term in GRID_LETTERS):
        return term
    count = f"{special} + " if special else ""
    return f"({count}{' '.join(term)})"


def _parse_layout(expression: str) -> tuple[tuple[str, ...], int]:
    tokens = expression.replace("(", " ( ").replace(")", " ) ").replace("+", " + ").split()
    terms: list[str] = []
    special, position = 0, 0
    while position < len(tokens):
        if tokens[position] != "(":
            if len(tokens[position]) > 1:
                raise LayoutError(f"layout '{expression}': axes are separated by spaces")
            terms.append(tokens[position])
            position += 1
            continue
        if ")" not in tokens[position:]:
            raise LayoutError(f"layout '{expression}': a parenthesis is not closed")
        end = tokens.index(")", position)
        inside = tokens[position + 1 : end]
        if inside[1:2] == ["+"]:
            if not (inside[0].isascii() and inside[0].isdigit()) or special or not 1 <= int(inside[0]) <= 65_535:
                raise LayoutError(f"layout '{expression}': before '+' stands one count of 1 to 65,535 special tokens")
            special, inside = int(inside[0]), inside[2:]
        if not inside or any(len(letter) != 1 or letter not in GRID_LETTERS for letter in inside):
            raise LayoutError(f"layout '{expression}': parentheses join grid letters ({' '.join(GRID_LETTERS)})")
        terms.append("".join(inside))
        position = end + 1
    _check_terms(expression, terms, special)
    return tuple(terms), special


def _check_terms(expression: str, terms: list[str], special: int) -> None:
    letters = "".join(terms)
    unknown = sorted(set(letters) - set("b" + GRID_LETTERS + CHANNEL_LETTERS))
    if unknown:
        raise LayoutError(f"layout '{expression}': unknown '{unknown[0]}'", remedy="letters: b t h w n c d g")
    if not terms:
        raise LayoutError("an empty layout", remedy="examples: 'b c h w', 'b (1 + h w) c', 'b n c'")
    if len(set(letters)) != len(letters):
        raise LayoutError(f"layout '{expression}': a letter stands twice")
    if "b" in letters and terms[0] != "b":
        raise LayoutError(f"layout '{expression}': the sample axis 'b' comes first")
    if not set(letters) - {"b"}:
        raise LayoutError(f"layout '{expression}': names no token or channel axis")
    if special and sum(term[0] in GRID_LETTERS for term in terms) > 1:
        raise LayoutError(f"layout '{expression}': special tokens need all grid letters in their parentheses")
