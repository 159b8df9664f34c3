"""The caller's arrays, into which decoded samples are written: checked against what will come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, TensorError
from ..packages import is_installed
from ..types import DTYPES, FLOATS, FOREIGN, NOTE, AnyArray, Branch, Note, Structure, Tree, tensor_names
from .shared_memory import overlaps, sharing
from .tensors import dtype_name, tensor_bits, torch_name

__all__ = ["Targets"]

Shape = tuple[int | None, ...]


class Targets:
    """Arrays of the form in which samples would come, by tensor; those of a list or tuple by sample too.

    Notes beside tensors are left as they are.

    Args:
        out: the caller's structure of numpy arrays and torch tensors on the processor.
        structure: that will come.
        dtypes: names of :data:`caufc.types.DTYPES`, by tensor number.
        shapes: of a sample, by tensor number; None for sizes that vary.

    Raises:
        InputError: if structure, dtype, shape or kind of memory do not fit; it names the tensor.
    """

    def __init__(self, out: Any, structure: Structure, dtypes: Sequence[str], shapes: Sequence[Shape]) -> None:
        self.out, self.structure, self.dtypes = out, structure, dtypes
        self.names = tensor_names(structure.tree)
        kind = structure.kind
        self.many = kind not in ("batch", "single")
        self.shapes = [(None, *shape) if kind == "batch" else shape for shape in shapes]
        self.keys: tuple[Any, ...] | None = None
        samples: Sequence[Any] = [out]
        if kind == "keyed":
            if not isinstance(out, Mapping):
                raise _misfit("", f"is {_kind(out)}, not a dict of samples by key")
            self.keys, samples = tuple(out), list(out.values())
        elif self.many:
            if not isinstance(out, list | tuple):
                raise _misfit("", f"is {_kind(out)}, not a list of samples")
            samples = out
        self.arrays = [self._of_sample(sample, number) for number, sample in enumerate(samples)]
        self._check_apart()

    def _check_apart(self) -> None:
        """Refuse arrays that share memory, of which the last that is written would win."""
        named = (
            (array, self._named(tensor, number))
            for number, found in enumerate(self.arrays)
            for tensor, array in enumerate(found)
            if array is not None
        )
        pair = sharing(named)
        if pair is not None:
            raise _misfit("", f"{pair[0]} and {pair[1]} share memory", "give arrays of their own")

    def _named(self, tensor: int, sample: int) -> str:
        name = f"'{self.names[tensor]}'" if self.names[tensor] else "tensor"
        return f"{name} of sample {sample}" if self.many else name

    def check(self, samples: int, keys: Sequence[Any] = ()) -> None:
        """Check how many samples there is room for, and of which keys, once that is known.

        Raises:
            InputError: if it is not as many as there are.
        """
        if self.many and len(self.arrays) != samples:
            raise _misfit("", f"has {len(self.arrays)} samples, the file has {samples}")
        if self.keys is not None and self.keys != tuple(keys):
            raise _misfit("", "has other keys than the file, or in another order")
        if self.structure.kind == "batch":
            for array, name in zip(self.arrays[0], self.names, strict=True):
                if array is not None and len(array) != samples:
                    raise _misfit(name, f"has {len(array)} samples, the file has {samples}")

    def put(self, tensor: int, first: int, samples: AnyArray | list[AnyArray]) -> None:
        """Write samples from ``first`` on of one tensor, in the numpy form of its dtype.

        Raises:
            InputError: if there is no room for them.
        """
        if self.dtypes[tensor] == NOTE:
            return
        if not self.many:
            self._put(tensor, self.arrays[0][tensor], samples if self.structure.kind == "batch" else samples[0], first)
            return
        if first + len(samples) > len(self.arrays):
            raise _misfit("", f"has {len(self.arrays)} samples, the file has more")
        for number, sample in enumerate(samples, first):
            self._put(tensor, self.arrays[number][tensor], sample, number)

    def _put(self, tensor: int, there: AnyArray | None, values: Any, first: int) -> None:
        if there is None:
            return
        if self.structure.kind == "batch":
            if first + len(values) > len(there):
                raise _misfit(self.names[tensor], f"has {len(there)} samples, the file has more")
            there[first : first + len(values)] = values
            return
        if there.shape != values.shape:
            which = f"sample {first} has" if self.many else "has"
            raise self._unlike(tensor, f"{which} shape {list(there.shape)}", tuple(values.shape))
        there[...] = values

    def _of_sample(self, sample: Any, number: int) -> list[AnyArray | None]:
        """Arrays of one sample, or of the whole, by tensor; None for notes."""
        found: list[AnyArray | None] = [None] * len(self.dtypes)
        where = (str(number),) if self.many else ()
        for tensor, leaf in _leaves(self.structure.tree, sample, where):
            if self.dtypes[tensor] != NOTE:
                found[tensor] = self._array(tensor, leaf)
        return found

    def _array(self, tensor: int, leaf: Any) -> AnyArray:
        """The caller's array, or the memory of the caller's tensor, in the numpy form of its dtype."""
        name, dtype, shape = self.names[tensor], self.dtypes[tensor], self.shapes[tensor]
        array, found = _memory(leaf, name)
        if found != dtype and not (found == DTYPES[dtype].name and _comes_as_bits(dtype)):
            raise self._unlike(tensor, f"has dtype {_told(found)}", shape)
        fits = len(array.shape) == len(shape)
        if not fits or any(size not in (None, have) for size, have in zip(shape, array.shape, strict=True)):
            raise self._unlike(tensor, f"has shape {list(array.shape)}", shape)
        if not array.flags.writeable:
            raise _misfit(name, "cannot be written to")
        if overlaps(array):
            raise _misfit(name, "has values that share memory", "give a copy")
        return array.view(DTYPES[dtype].newbyteorder(array.dtype.byteorder))

    def _unlike(self, tensor: int, what: str, shape: Shape) -> InputError:
        dtype = self.dtypes[tensor]
        sizes = ", ".join("?" if size is None else str(size) for size in shape)
        what = f"{what}, but shape [{sizes}] of {_told(dtype)} is decoded"
        cast = f", or dtype= for another float than {_told(dtype)}" if dtype in FLOATS else ""
        return _misfit(self.names[tensor], what, f"give such an array{cast}")


def _misfit(name: str, what: str, remedy: str = "give what decoding without out= gives back") -> InputError:
    return InputError(f"{what} (in out=)", tensor=name or None, remedy=remedy)


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _told(dtype: str) -> str:
    """A dtype as numpy and torch call it."""
    return FOREIGN.get(dtype, dtype if dtype[:2] != "fp" else f"float{dtype[2:]}")


def _comes_as_bits(dtype: str) -> bool:
    """Whether decoding gives the bits of a dtype, as nothing is installed that has it."""
    return dtype in FOREIGN and not is_installed("torch") and not is_installed("ml_dtypes")


def _memory(leaf: Any, name: str) -> tuple[AnyArray, str]:
    """The memory of an array or tensor, and the name of its dtype."""
    torch = sys.modules.get("torch")
    if isinstance(leaf, np.ndarray):
        return leaf, _named(lambda: dtype_name(leaf.dtype), str(leaf.dtype))
    if torch is None or not isinstance(leaf, torch.Tensor):
        raise _misfit(name, f"is {_kind(leaf)}, neither an array nor a tensor")
    if leaf.device.type != "cpu" or leaf.layout != torch.strided:
        raise _misfit(name, f"is on {leaf.device}, {leaf.layout}", "give a dense tensor on the CPU, or use device=")
    if leaf.requires_grad or leaf.is_neg():
        raise _misfit(name, "needs a gradient, or is negated lazily", "give tensor.detach().clone()")
    dtype = torch_name(leaf.dtype)
    if dtype is None:
        raise _misfit(name, f"has dtype {leaf.dtype}")
    return tensor_bits(leaf, dtype, torch), dtype


def _named(name: Callable[[], str], otherwise: str) -> str:
    try:
        return name()
    except TensorError:
        return otherwise


def _leaves(tree: Tree, out: Any, path: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
    """The caller's leaves by tensor number."""
    if isinstance(tree, Note):
        return
    if not isinstance(tree, Branch):
        yield tree, out
        return
    name = ".".join(path)
    if tree.kind == "dict":
        if not isinstance(out, Mapping):
            raise _misfit(name, f"is {_kind(out)}, not a dict")
        pairs = list(zip(tree.names, tree.children, strict=True))
        missing = [key for key, child in pairs if key not in out and not isinstance(child, Note)]
        more = [key for key in out if key not in tree.names]
        if missing or more:
            raise _misfit(name, f"lacks '{missing[0]}'" if missing else f"has '{more[0]}', which the file has not")
        for key, child in pairs:
            yield from _leaves(child, out.get(key), (*path, str(key)))
        return
    if not isinstance(out, list | tuple):
        raise _misfit(name, f"is {_kind(out)}, not a {tree.kind}")
    if len(out) != len(tree.children):
        raise _misfit(name, f"has {len(out)} entries, not {len(tree.children)}")
    for number, (child, part) in enumerate(zip(tree.children, out, strict=True)):
        yield from _leaves(child, part, (*path, str(number)))
