"""An interpreter of pickles, protocols 2 to 5, that imports nothing and calls nothing but what it is given.

Python's own unpickler calls what a pickle names. This one pushes names as :class:`Name`, which do nothing, and asks
a closed table what may be made of them; attributes are never set, classes never entered. The opcodes are those
of Lib/pickletools.py.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ClassMaker", "Made", "Maker", "Name", "NeedsCodeError", "PickleError", "PickleMachine"]

Maker = Callable[..., object]
"""What is made of a name's arguments: (*arguments) -> object."""


class PickleError(Exception):
    """The pickle is malformed, or asks for more than it may; ``cure`` is what the user can do."""

    def __init__(self, message: str, cure: str | None = None) -> None:
        super().__init__(message)
        self.cure = cure


class NeedsCodeError(Exception):
    """The pickle needs what no table has; the text names it, as ``module.Class``, and ``place`` where it stands."""

    def __init__(self, name: str, place: str | None = None) -> None:
        super().__init__(name)
        self.place = place


@dataclass(frozen=True)
class ClassMaker:
    """A maker of what stands for the instances of a class, which a pickle does not call but instantiates."""

    make: Maker


@dataclass(frozen=True)
class Name:
    """Something that a pickle would import: a name, and nothing more."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Made(ABC):
    """What a maker gives where a pickle tells the rest later, in a state."""

    @abstractmethod
    def build(self, state: object) -> None:
        """Take the state."""

    def key(self) -> object:
        """What it is as the key of a dict."""
        return self


class Unknown(Made):
    """What stands for an object that needs code, until it is known where it stands; nothing is made of it.

    Args:
        name: what is needed, as ``module.Class``.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def build(self, state: object) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class _Mark:
    """Where a group of items begins."""


_MARK = _Mark()

_KEYS = (str, int, float, type(None))
"""Types of dict keys: all others would be hashed by code that a deep nest of them overflows."""


class PickleMachine:
    """Reads pickles that follow each other in one buffer.

    Args:
        data: the bytes.
        find: what is made of a name; None for names that stand alone (dtypes). Unknown ones raise NeedsCodeError.
        persistent: what a persistent ID stands for, such as a storage.
        most: items that may be pushed, of all pickles together.
        at: where the first one begins.
    """

    def __init__(
        self,
        data: bytes | memoryview,
        find: Callable[[Name], Maker | ClassMaker | None],
        persistent: Callable[[object], object],
        most: int,
        at: int = 0,
    ) -> None:
        self.data, self.at = memoryview(data), at
        self.find, self.persistent, self.left = find, persistent, most
        self.stack: list[object] = []
        self.memo: dict[int, object] = {}
        self.unknown: Unknown | None = None

    def load(self) -> object:
        """The object of the next pickle; the machine then stands behind it.

        Raises:
            PickleError: if the pickle is malformed or too large.
            NeedsCodeError: if it needs code.
        """
        self.stack, self.memo, self.unknown = [], {}, None
        try:
            value = self._steps()
        except (PickleError, *_STUMBLES) as err:
            if self.unknown is not None:
                raise NeedsCodeError(self.unknown.name) from err
            if isinstance(err, PickleError):
                raise
            raise PickleError(f"malformed pickle at byte {self.at}: {type(err).__name__}") from err
        if self.unknown is not None:
            raise NeedsCodeError(self.unknown.name, _place_of(self.unknown, value))
        return value

    def _steps(self) -> object:
        table, data = _OPCODES, self.data
        while True:
            opcode = data[self.at]
            self.at += 1
            if opcode == _STOP:
                return self._pop()
            step = table.get(opcode)
            if step is None:
                raise PickleError(f"opcode {opcode} at byte {self.at - 1}")
            step(self)

    # Reading

    def _take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise PickleError(f"the pickle ends within {size:,} bytes")
        self.at += size
        return self.data[self.at - size : self.at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        rest = bytes(self.data[self.at : self.at + _LINE])
        end = rest.index(b"\n")
        self.at += end + 1
        return rest[:end].decode()

    # The stack

    def _push(self, value: object) -> None:
        self.left -= 1
        if self.left < 0:
            raise PickleError("the pickle holds too many items")
        self.stack.append(value)

    def _pop(self) -> object:
        value = self.stack.pop()
        if value is _MARK:
            raise PickleError("a mark where an item should be")
        return value

    def _group(self) -> list[object]:
        """The items from the last mark on, which goes too."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise PickleError("items without a mark")

    def _tuple(self, count: int) -> None:
        items = tuple(self._pop() for _ in range(count))
        self._push(items[::-1])

    def _list(self) -> list[object]:
        found = self.stack[-1]
        if isinstance(found, Unknown):
            return []
        if type(found) is not list:
            raise PickleError("items for what is no list")
        return found

    def _set_items(self, items: list[object]) -> None:
        found = self.stack[-1]
        if isinstance(found, Unknown):
            return
        if type(found) is not dict or len(items) % 2:
            raise PickleError("items for what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            plain = key.key() if isinstance(key, Made) else key
            if not isinstance(plain, _KEYS):
                raise PickleError(f"a dict key is a {type(plain).__name__}", "use strings or integers")
            found[plain] = value

    # What is named and made

    def _name(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise PickleError("a name that is no text")
        named = Name(module, name)
        try:
            self.find(named)
        except NeedsCodeError as err:
            self._push(self._needing(str(err)))
            return
        self._push(named)

    def _needing(self, name: str) -> Unknown:
        """What stands for an object that needs code; the first one is what the error will be about."""
        found = Unknown(name)
        self.unknown = self.unknown or found
        return found

    def _reduce(self) -> None:
        self._make(of_class=False)

    def _new(self) -> None:
        self._make(of_class=True)

    def _make(self, *, of_class: bool) -> None:
        """A call, or an instance of a class: what the table makes of the name."""
        arguments, name = self._pop(), self._pop()
        if isinstance(name, Unknown):
            self._push(name)
            return
        if type(arguments) is not tuple or not isinstance(name, Name):
            raise PickleError("a call of what is no name")
        maker = self.find(name)
        if maker is None or isinstance(maker, ClassMaker) is not of_class:
            self._push(self._needing(str(name)))
            return
        make = maker.make if isinstance(maker, ClassMaker) else maker
        unknown = next((item for item in arguments if isinstance(item, Unknown)), None)
        self._push(make(*arguments) if unknown is None else unknown)

    def _build(self) -> None:
        state, found = self._pop(), self.stack[-1]
        if isinstance(found, Made):
            found.build(state)
        elif type(found) is not dict:  # the attributes of an OrderedDict, as those of state_dict(), are left out
            raise PickleError("a state for what has none")

    def _instance(self) -> None:
        """An instance of a class, by an opcode that only old or odd pickles have: none is ever made."""
        named = [str(item) for item in self.stack if isinstance(item, Name)]
        raise NeedsCodeError(named[-1] if named else "a class")

    def _old_instance(self) -> None:
        raise NeedsCodeError(f"{self._line()}.{self._line()}")

    def _extension(self) -> None:
        raise NeedsCodeError("an extension")

    # Opcodes with something of their own

    def _global(self) -> None:
        self._name(self._line(), self._line())

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._name(module, name)

    def _persistent(self, identity: object) -> None:
        self._push(self.persistent(identity))

    def _protocol(self) -> None:
        protocol = self._take(1)[0]
        if protocol > _PROTOCOL:
            raise PickleError(f"pickle protocol {protocol}")

    def _frame(self) -> None:
        if self._number("<Q") > len(self.data) - self.at:
            raise PickleError("a frame that is longer than the pickle")

    def _long(self, size: int) -> None:
        if size > _LONG:
            raise PickleError(f"an integer of {size:,} bytes")
        self._push(int.from_bytes(self._take(size), "little", signed=True))

    def _integer_line(self) -> None:
        text = self._line()
        self._push({"00": False, "01": True}.get(text) if text in ("00", "01") else int(text.rstrip("L")[:20]))

    def _text(self, form: str) -> None:
        self._push(str(self._take(self._number(form)), "utf-8", "surrogatepass"))

    def _put(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def _append(self) -> None:
        item = self._pop()
        self._list().append(item)

    def _appends(self) -> None:
        items = self._group()
        self._list().extend(items)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._set_items([key, value])

    def _set_all(self) -> None:
        items = self._group()
        self._set_items(items)

    def _dict(self) -> None:
        items = self._group()
        self._push({})
        self._set_items(items)


def _place_of(wanted: Unknown, value: object) -> str | None:
    """The dotted path of what needs code within the object of a pickle."""
    waiting: list[tuple[object, str]] = [(value, "")]
    seen: set[int] = set()
    while waiting:
        node, path = waiting.pop()
        if node is wanted:
            return path.removeprefix(".") or None
        if isinstance(node, dict | list | tuple) and id(node) not in seen and path.count(".") < _LEVELS:
            seen.add(id(node))
            pairs = node.items() if isinstance(node, dict) else enumerate(node)
            waiting += reversed([(child, f"{path}.{name}") for name, child in pairs])
    return None


_STUMBLES = (LookupError, ValueError, TypeError, ArithmeticError, AttributeError, RecursionError, struct.error)
"""What malformed pickles make the machine, and makers, raise."""

_STOP = ord(".")
_PROTOCOL = 5
_LINE = 4096
_LONG = 1024
_LEVELS = 64

Step = Callable[[PickleMachine], object]

_OPCODES: Mapping[int, Step] = {
    ord(letter): step
    for letter, step in {
        "\x80": PickleMachine._protocol,
        "\x95": PickleMachine._frame,
        "N": lambda machine: machine._push(None),
        "\x88": lambda machine: machine._push(True),
        "\x89": lambda machine: machine._push(False),
        "I": PickleMachine._integer_line,
        "L": PickleMachine._integer_line,
        "J": lambda machine: machine._push(machine._number("<i")),
        "K": lambda machine: machine._push(machine._take(1)[0]),
        "M": lambda machine: machine._push(machine._number("<H")),
        "\x8a": lambda machine: machine._long(machine._take(1)[0]),
        "\x8b": lambda machine: machine._long(machine._number("<I")),
        "F": lambda machine: machine._push(float(machine._line())),
        "G": lambda machine: machine._push(machine._number(">d")),
        "X": lambda machine: machine._text("<I"),
        "\x8c": lambda machine: machine._text("<B"),
        "\x8d": lambda machine: machine._text("<Q"),
        "V": lambda machine: machine._push(machine._line()),
        "T": lambda machine: machine._push(str(machine._take(machine._number("<I")), "latin1")),
        "U": lambda machine: machine._push(str(machine._take(machine._number("<B")), "latin1")),
        "B": lambda machine: machine._push(bytes(machine._take(machine._number("<I")))),
        "C": lambda machine: machine._push(bytes(machine._take(machine._number("<B")))),
        "\x8e": lambda machine: machine._push(bytes(machine._take(machine._number("<Q")))),
        "\x96": lambda machine: machine._push(bytes(machine._take(machine._number("<Q")))),
        "]": lambda machine: machine._push([]),
        "}": lambda machine: machine._push({}),
        ")": lambda machine: machine._push(()),
        "l": lambda machine: machine._push(machine._group()),
        "t": lambda machine: machine._push(tuple(machine._group())),
        "d": PickleMachine._dict,
        "\x85": lambda machine: machine._tuple(1),
        "\x86": lambda machine: machine._tuple(2),
        "\x87": lambda machine: machine._tuple(3),
        "a": PickleMachine._append,
        "e": PickleMachine._appends,
        "s": PickleMachine._set_item,
        "u": PickleMachine._set_all,
        "(": lambda machine: machine._push(_MARK),
        "0": lambda machine: machine.stack.pop(),
        "1": lambda machine: machine._group(),
        "2": lambda machine: machine._push(machine.stack[-1]),
        "p": lambda machine: machine._put(int(machine._line())),
        "q": lambda machine: machine._put(machine._take(1)[0]),
        "r": lambda machine: machine._put(machine._number("<I")),
        "\x94": lambda machine: machine._put(len(machine.memo)),
        "g": lambda machine: machine._push(machine.memo[int(machine._line())]),
        "h": lambda machine: machine._push(machine.memo[machine._take(1)[0]]),
        "j": lambda machine: machine._push(machine.memo[machine._number("<I")]),
        "c": PickleMachine._global,
        "\x93": PickleMachine._stack_global,
        "R": PickleMachine._reduce,
        "b": PickleMachine._build,
        "P": lambda machine: machine._persistent(machine._line()),
        "Q": lambda machine: machine._persistent(machine._pop()),
        "\x81": PickleMachine._new,
        "\x92": PickleMachine._instance,
        "o": PickleMachine._instance,
        "i": PickleMachine._old_instance,
        "\x82": PickleMachine._extension,
        "\x83": PickleMachine._extension,
        "\x84": PickleMachine._extension,
    }.items()
}
"""Opcode -> what it does; sets, and buffers outside of the pickle, are not among them."""
