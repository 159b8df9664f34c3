"""Hidden states of a verifier in ``.cauf`` files, for training drafters with vLLM's speculators: its backend ``caufc``.

Importing this registers the backend with ``hs_connectors``; ``python -m caufc.integrations.speculators`` runs the
command line of speculators with it. A sample is what vLLM extracts, ``{"hidden_states": [T, G, C], "token_ids": [T]}``:
T tokens, G layers, C channels. Sample I of a data set is the file ``hs_I.cauf`` in the folder of hidden states;
``hs_I.safetensors``, of the backends ``file`` and ``fp8``, is read where there is no such file.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from hs_connectors import FileBackend, FP8Transfer, HiddenStatesBackend, HiddenStatesTransfer

import caufc

__all__ = ["LAYOUT", "NAME", "PROFILE", "CaufBackend", "CaufTransfer", "convert", "fit_profile"]

Sample = dict[str, Any]
"""``hidden_states`` and ``token_ids``, torch tensors."""

NAME = "caufc"
"""What ``--hidden-states-backend`` calls it."""

LAYOUT = {"hidden_states": "n g d"}
"""Every layer has statistics and a basis of its own."""

PROFILE = "profile.caufp"
"""A file of this name in the folder is the profile of its samples."""

KEEP, DELETE = "keep", "delete"

logger = logging.getLogger("speculators")


class CaufTransfer(FP8Transfer):
    """Reads hidden states from ``.cauf`` files, and keeps generated ones as such.

    What vLLM hands over, by its own connector or that of ``fp8``, is read as these backends read it. It can be pickled,
    and threads and processes may share it and its folder.

    Args:
        hidden_states_path: folder of the samples.
        profile: file or bytes of the profile that samples rely on; by default the folder's ``profile.caufp``, if it is
            there. Without one every file stands for itself.
        quality: of what is kept, 0 to 100, or ``low``, ``medium``, ``high``; medium when None.
        keep: keep generated samples, so that later epochs find them.

    Raises:
        CaufError: if there is no such profile, or it is damaged.
    """

    def __init__(
        self,
        hidden_states_path: str | Path,
        *,
        profile: str | Path | bytes | None = None,
        quality: float | str | None = None,
        keep: bool = False,
    ) -> None:
        super().__init__(Path(hidden_states_path))
        self.quality, self.keep = quality, keep
        own = self.hidden_states_path / PROFILE
        known = own if profile is None and own.exists() else profile
        self._coder = None if known is None else caufc.Coder(known, quality=quality)
        self._missed = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_missed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _missed=threading.local())

    def path_of(self, file_idx: int) -> Path:
        """The file of a sample, there or not."""
        return Path(self.hidden_states_path) / f"hs_{file_idx}.cauf"

    def get_cached(self, file_idx: int) -> Sample | None:
        """A sample that was kept, or None.

        Raises:
            CaufError: for a file that is damaged, holds something else or needs another profile.
        """
        sample = self._kept(self.path_of(file_idx))
        if sample is None:
            sample = super().get_cached(file_idx)
        self._missed.file_idx = file_idx if sample is None else None
        return sample

    def get_generated(self, hs_transfer_params: dict[str, Any]) -> Sample | None:
        """The sample that vLLM has just written; if asked for, it is kept for whom this thread last looked in vain.

        A full disk is a warning, and training goes on.
        """
        sample: Sample | None = super().get_generated(hs_transfer_params)
        file_idx = getattr(self._missed, "file_idx", None)
        if self.keep and sample is not None and file_idx is not None and _is_sound(sample):
            try:
                self.cache(file_idx, sample)
            except caufc.StorageError as err:
                logger.warning("Hidden states %d are not kept: %s", file_idx, err)
        return sample

    def cache(self, file_idx: int, sample: Sample) -> Path:
        """Keep a sample. Its file appears whole or not at all; what was kept before is replaced.

        Raises:
            InputError: for a sample that the profile is not for, NaN and Inf.
            StorageError: if it cannot be written.
        """
        path = self.path_of(file_idx)
        try:
            data = self._encoded(_ordered(sample))
        except caufc.CaufError as err:
            raise err.locate(file=str(path)) from err.__cause__
        _write(path, data)
        return path

    def _encoded(self, sample: Sample) -> bytes:
        if self._coder is not None:
            return self._coder.encode(sample)
        return caufc.encode(sample, layout=LAYOUT, quality=self.quality)

    def _kept(self, path: Path) -> Sample | None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as err:
            raise caufc.StorageError(_reason(err), file=str(path)) from err
        try:
            found = caufc.decode(data) if self._coder is None else self._coder.decode(data)
        except caufc.MissingProfileError as err:
            err.remedy = f"give it as --cauf-profile, or as {PROFILE} in the folder"
            raise err.locate(file=str(path)) from err.__cause__
        except caufc.FormatError as err:
            err.remedy = "delete the file, and the sample is generated again"
            raise err.locate(file=str(path)) from err.__cause__
        except caufc.CaufError as err:
            raise err.locate(file=str(path)) from err.__cause__
        if not (isinstance(found, dict) and {*LAYOUT, "token_ids"} <= {*found}):
            raise caufc.InputError("holds no 'hidden_states' and 'token_ids'", file=str(path))
        return {name: torch.as_tensor(values) for name, values in found.items()}


@HiddenStatesBackend.register(NAME)
class CaufBackend(FileBackend):
    """The backend ``caufc``: vLLM hands over files as for ``file``, and what is kept of them is ``.cauf``."""

    @staticmethod
    def add_train_args(parser: argparse.ArgumentParser) -> None:
        """``--cauf-profile``, ``--cauf-quality`` and ``--cauf-generated``, beside the folder."""
        FileBackend.add_train_args(parser)
        parser.add_argument(
            "--cauf-profile",
            type=str,
            default=None,
            help=f"Profile that .cauf files rely on. (Default: {PROFILE} of the hidden states' folder, if there)",
        )
        parser.add_argument(
            "--cauf-quality",
            type=str,
            default=None,
            help="Quality of hidden states that are kept: 0 to 100, low, medium, high. (Default: medium)",
        )
        parser.add_argument(
            "--cauf-generated",
            type=str,
            choices=[KEEP, DELETE],
            default=DELETE,
            help="Keep generated hidden states as .cauf files for later epochs, or delete them. (Default: delete)",
        )

    @staticmethod
    def from_train_args(args: argparse.Namespace, data_path: str) -> HiddenStatesTransfer:
        """The transfer that a command line asks for."""
        folder = args.hidden_states_path or Path(data_path) / "hidden_states"
        return CaufTransfer(
            folder,
            profile=args.cauf_profile,
            quality=_quality(args.cauf_quality),
            keep=args.cauf_generated == KEEP,
        )


def fit_profile(folder: str | Path, *, samples: int = 64, quality: float | str | None = None) -> bytes:
    """The ``.caufp`` file of a profile, from the first samples of a folder, of whichever backend.

    Raises:
        InputError: for a folder without samples, or samples that are not alike.
    """
    transfer = CaufTransfer(folder)
    known = (transfer.get_cached(file_idx) for file_idx in _indices(Path(folder))[:samples])
    found = [_ordered(sample) for sample in known if sample is not None]
    if not found:
        raise caufc.InputError("holds no hs_*.safetensors", file=str(folder), remedy="generate hidden states first")
    return caufc.Coder.fit(found, layout=LAYOUT, quality=quality).profile


def convert(
    folder: str | Path,
    *,
    profile: str | Path | bytes | None = None,
    quality: float | str | None = None,
    delete: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> int:
    """Make ``hs_I.cauf`` of each ``hs_I.safetensors`` in a folder, that of ``fp8`` too; those that exist are skipped.

    What was stopped goes on where it was, and processes may share a folder, each with a shard of its own.

    Args:
        folder: of samples.
        profile: as for :class:`CaufTransfer`.
        quality: of the files.
        delete: delete each ``.safetensors`` file once its ``.cauf`` is there.
        shard: ``(i, n)``, every n-th sample from the i-th on.

    Returns:
        how many were made.

    Raises:
        CaufError: for a sample that cannot be coded.
    """
    transfer = CaufTransfer(folder, profile=profile, quality=quality)
    source = FP8Transfer(Path(folder))
    made = 0
    for file_idx in sorted(_numbers(Path(folder), ".safetensors"))[shard[0] :: shard[1]]:
        if not transfer.path_of(file_idx).exists():
            sample = source.get_cached(file_idx)
            if sample is None:
                continue
            transfer.cache(file_idx, sample)
            made += 1
        if delete:
            Path(folder, f"hs_{file_idx}.safetensors").unlink(missing_ok=True)
    return made


def _indices(folder: Path) -> list[int]:
    """Samples that a folder holds, of any backend, in order."""
    return sorted({*_numbers(folder, ".safetensors"), *_numbers(folder, ".cauf")})


def _numbers(folder: Path, suffix: str) -> Iterator[int]:
    for path in folder.glob(f"hs_*{suffix}"):
        number = path.stem.removeprefix("hs_")
        if number.isascii() and number.isdigit():
            yield int(number)


def _ordered(sample: Sample) -> Sample:
    """A sample whose tensors stand in the order that profiles have."""
    return {name: sample[name] for name in sorted(sample)}


def _is_sound(sample: Sample) -> bool:
    """Whether the trainer will take it: speculators checks samples only after they were handed over."""
    states, ids = sample.get("hidden_states"), sample.get("token_ids")
    return states is not None and ids is not None and len(states) == len(ids) and bool(torch.isfinite(states).all())


def _quality(given: str | None) -> float | str | None:
    try:
        return None if given is None else float(given)
    except ValueError:
        return given


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _write(path: Path, data: bytes) -> None:
    """A file whole or not at all: a name that no reader looks for, until it is complete.

    Raises:
        StorageError: if it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as err:
        raise caufc.StorageError(_reason(err), file=str(path)) from err
    finally:
        with suppress(OSError):
            partial.unlink()
