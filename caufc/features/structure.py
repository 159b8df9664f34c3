"""Nested Python objects as a :class:`~caufc.types.Structure` of numbered tensors and notes.

A top-level list or tuple is a sequence of samples; a lone tensor or a dict is a batch whose first axis counts samples,
keyed samples, or one sample. The rules are those of :func:`to_source`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..encoder.source import Source
from ..errors import LayoutError, TensorError
from ..layouts import Layout
from ..limits import DEFAULT_LIMITS, Limits
from ..tensor_patterns import for_tensor
from ..types import FLOATS, Leaf, Structure, tensor_names
from .keyed import keyed_samples, signature
from .metadata import metadata_in
from .notes import alone, columns, rows
from .objects import opened
from .outputs import is_one_output
from .texts import holds_text
from .walk import Walked, key_of, walk

__all__ = ["check_tensors", "to_source"]


def to_source(
    features: object,
    layouts: Mapping[str, str] | None = None,
    *,
    keyed: bool | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Source:
    """What the encoder reads, from features as people hold them.

    A **list or tuple** whose samples agree in tree, dtypes, frameworks and ranks is a sequence of samples, unless it is
    one output by the rules of :func:`~caufc.features.outputs.is_one_output`; any other is one sample, as it stands.
    A **lone tensor** of rank 2 or more is a batch. A **dict** is keyed samples by the rules of
    :func:`~caufc.features.keyed.keyed_samples`; a dict and one output are a batch if all tensors share the length of
    their first axis and one has two axes or more. Layouts decide otherwise: one that starts with ``b`` makes a batch,
    one without ``b`` makes one sample.

    Text, numbers, booleans and None beside tensors are *notes*, arrays of text as lists; a list of as many as a batch
    has samples is one note per sample.

    Args:
        features: a tensor (numpy array, torch tensor, or :class:`~caufc.types.Leaf`), or dicts, lists, tuples,
            dataclasses and caches of such, nested, with text, numbers, booleans and None among them.
        layouts: tensor name (dotted path; empty for a lone tensor), prefix or pattern of names -> layout expression;
            ``*`` stands for all float tensors that are not named.
        keyed: whether the entries of a dict are samples by key; None to find out.
        limits: the most tensors, levels and dimensions.

    Raises:
        TensorError: for leaves that are neither dense, real, numeric tensors nor notes, and for notes alone.
        InputError: for dict keys that are neither strings nor integers.
        LayoutError: for a layout that is wrong or contradicts another, and for batches of unequal lengths.
        OptionError: for keyed samples that are no dict.
        LimitError: for too many tensors, levels or dimensions.
    """
    wanted = {name: _layout(name, text) for name, text in (layouts or {}).items()}
    samples = keyed_samples(features, wanted, keyed, limits)
    if samples is not None and isinstance(features, Mapping):
        tree, tensors = columns(samples)
        return Source(
            Structure("keyed", tree), tensors, len(samples), metadata_in(features), tuple(map(key_of, features))
        )
    parts = opened(features)
    if isinstance(parts, list | tuple) and not is_one_output(parts):
        return _sequence(parts, limits)
    walked = walk(features, limits)
    check_tensors(walked, features)
    names = tensor_names(walked.tree)
    given = [
        for_tensor(wanted, name, patterns=leaf.dtype in FLOATS) for name, leaf in zip(names, walked.leaves, strict=True)
    ]
    metadata = metadata_in(features)
    if _is_batch(names, walked.leaves, given):
        count = walked.leaves[0].shape[0]
        tree, tensors = rows(walked, count)
        return Source(Structure("batch", tree), tensors, count, metadata)
    tree, tensors = alone(walked)
    return Source(Structure("single", tree), tensors, 1, metadata)


def _layout(name: str, text: str) -> Layout:
    try:
        return Layout(text)
    except LayoutError as err:
        raise err.locate(tensor=None if name == "*" else name) from None


def _sequence(features: list[object] | tuple[object, ...], limits: Limits) -> Source:
    samples: list[Walked] = []
    first = None
    for index, sample in enumerate(features):
        samples.append(walk(sample, limits, (str(index),)))
        found = signature(samples[-1])
        if found != (first or found):
            samples.clear()
            break
        first = first or found
    only_notes = any(sample.texts for sample in samples) and not any(sample.leaves for sample in samples)
    if not samples or only_notes:
        walked = walk(features, limits)
        check_tensors(walked, features)
        tree, tensors = alone(walked)
        return Source(Structure("single", tree), tensors, 1)
    tree, tensors = columns(samples)
    return Source(Structure("tuple" if isinstance(features, tuple) else "list", tree), tensors, len(samples))


def check_tensors(walked: Walked, features: object) -> None:
    """Refuse notes alone: a path that was given in place of its features, for one.

    Raises:
        TensorError: if no part of the object is a tensor.
    """
    if walked.leaves or not walked.texts:
        return
    name = None if opened(features) is None else "".join(tensor_names(walked.tree)[:1])
    kind = "array of text" if holds_text(features) else type(features).__name__
    what = (
        f"is {'an' if kind[0] in 'aeiou' else 'a'} {kind}, not a tensor"
        if name is None
        else f"a {kind} without a tensor"
    )
    raise TensorError(what, tensor=name, remedy="give numpy arrays or torch tensors, in dicts, lists, tuples")


def _is_batch(names: list[str], leaves: list[Leaf], given: list[Layout | None]) -> bool:
    lengths = [leaf.shape[0] if leaf.shape else None for leaf in leaves]
    single = [name for name, layout in zip(names, given, strict=True) if layout is not None and not layout.batched]
    batched = [name for name, layout in zip(names, given, strict=True) if layout is not None and layout.batched]
    if single and batched:
        raise LayoutError(
            f"its layout has no sample axis 'b', but that of '{batched[0]}' has",
            tensor=single[0],
            remedy="give all layouts a 'b', or none",
        )
    if single or not leaves:
        return False
    odd = next((name for name, length in zip(names, lengths, strict=True) if length is None), None)
    if odd is None:
        odd = next((name for name, length in zip(names, lengths, strict=True) if length != lengths[0]), None)
    if not batched:
        return odd is None and any(len(leaf.shape) >= 2 for leaf in leaves)
    if odd is not None:
        shape = leaves[names.index(odd)].shape
        raise LayoutError(
            f"has shape {list(shape)}, but the layout of '{batched[0]}' makes the first axis count samples",
            tensor=odd,
            remedy="all tensors of a batch share the length of their first axis",
        )
    return True
