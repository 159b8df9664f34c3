"""Results as bytes: what a server's function gives, exactly, in the form that costs least.

``safetensors`` is a tensor or a flat dict of them, ``cauf`` any other structure with tensors, without loss, ``json``
what holds no tensor, ``bytes`` what is bytes already.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import safetensors.numpy

import caufc

__all__ = ["FORMS", "pack", "unpack"]

FORMS = ("safetensors", "safetensors-torch", "cauf", "json", "bytes")
ALONE = ""
"""The name of a tensor that stands by itself."""


def pack(result: Any) -> tuple[str, bytes]:
    """A result's form and bytes.

    Raises:
        InputError: for what no form holds.
    """
    if isinstance(result, bytes | bytearray | memoryview):
        return "bytes", bytes(result)
    flat = result if isinstance(result, dict) and result and ALONE not in result else {ALONE: result}
    if all(isinstance(name, str) and isinstance(x, np.ndarray) and x.dtype.kind in "fiub" for name, x in flat.items()):
        whole = {
            name: np.ascontiguousarray(x.astype(x.dtype.newbyteorder("="), copy=False)) for name, x in flat.items()
        }
        return "safetensors", safetensors.numpy.save(whole)
    torch = sys.modules.get("torch")  # whoever made a torch tensor has imported it
    if torch is not None and all(isinstance(x, torch.Tensor) and x.layout == torch.strided for x in flat.values()):
        from safetensors.torch import save

        # Copies, for safetensors refuses tensors that share memory.
        return "safetensors-torch", save({name: x.detach().cpu().contiguous().clone() for name, x in flat.items()})
    try:
        return "json", json.dumps(result, allow_nan=False).encode()
    except (TypeError, ValueError):
        return "cauf", caufc.encode(result, lossless=True, nonfinite="keep", threads=1)


def unpack(form: str, data: bytes, limits: caufc.Limits) -> Any:
    """The result of a form and bytes.

    Raises:
        FormatError: for bytes that are not of the form.
        CaufError: for a ``.cauf`` file that cannot be decoded.
    """
    if form == "bytes":
        return data
    if form == "cauf":
        return caufc.decode(data, limits=limits)
    try:
        if form == "json":
            return json.loads(data)
        if form == "safetensors":
            found = safetensors.numpy.load(data)
        elif form == "safetensors-torch":
            found = _load_torch(data)
        else:
            raise caufc.ForeignFormatError(f"an answer of the form '{form}' is unknown", remedy="upgrade caufc")
    except (ValueError, safetensors.SafetensorError) as err:
        if isinstance(err, caufc.CaufError):
            raise
        raise caufc.ForeignFormatError(f"the answer is not {form}: {err}") from err
    return found[ALONE] if [*found] == [ALONE] else found


def _load_torch(data: bytes) -> Any:
    """Torch tensors, or arrays where there is no torch."""
    try:
        from safetensors.torch import load
    except ImportError:
        return safetensors.numpy.load(data)
    return load(data)
