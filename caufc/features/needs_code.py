"""The error for pickles that need code to be read, and what to save in place of what needs it."""

from __future__ import annotations

from ..errors import ForeignFormatError

__all__ = ["CURES", "needs_code"]

CURES = {
    "Cache": "save [(layer.keys, layer.values) for layer in cache.layers]",
    "DynamicLayer": "save [(layer.keys, layer.values) for layer in cache.layers]",
    "Output": "save dict(output)",
    "BatchEncoding": "save dict(batch)",
    "BatchFeature": "save dict(batch)",
    "Namespace": "save vars(namespace)",
    "Path": "save str(path)",
    "DataFrame": "save frame.to_dict('list')",
    "Series": "save series.to_numpy()",
    "_mareconstruct": "save array.filled(...), and array.mask beside it",
    "recarray": "save each field as an array of its own",
    "matrix": "save np.asarray(matrix)",
    "csr_matrix": "save matrix.toarray()",
    "datetime": "save str(time)",
    "date": "save str(date)",
    "Decimal": "save float(number)",
    "UUID": "save str(id)",
    "set": "save sorted(items), a list",
    "frozenset": "save sorted(items), a list",
    "xrange": "save list(items)",
    "range": "save list(items)",
    "deque": "save list(items)",
    "UserList": "save list(items)",
    "UserDict": "save dict(items)",
    "Counter": "save dict(counter)",
    "ChainMap": "save dict(items)",
    "ParameterDict": "save dict(parameters)",
    "ParameterList": "save list(parameters)",
    "TorchScript": "save the features, not the module",
    "_rebuild_njt": "save tensor.unbind(), a list of tensors",
}
"""A class -> what to save in its place; those in capitals are the ends of names, of which the longest counts."""


def needs_code(name: str) -> ForeignFormatError:
    """The error for a pickle that needs ``name``, as ``module.Class``, with what to save instead."""
    last = name.rpartition(".")[2]
    endings = [ending for ending in CURES if last == ending or (ending[0].isupper() and last.endswith(ending))]
    cure = CURES[max(endings, key=len)] if endings else None
    if name.startswith("ml_dtypes."):
        cure = "save array.view('uint16'), or 'uint8' for one byte, or a torch tensor"
    if cure is None and name.startswith("torch."):
        cure = "save tensors, dicts and lists only, as model.state_dict() is"
    return ForeignFormatError(
        f"the pickle needs code to be read, which caufc never runs: {name[:120]}",
        remedy=cure or "save tensors, arrays, dicts, lists, text and numbers only: dict(x), vars(x) or x._asdict()",
    )
