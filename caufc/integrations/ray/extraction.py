"""Backbones over many files: features of taps, in shards that are made once, whoever is killed meanwhile.

A shard is a ``.cauf`` file with the features of some inputs. Its name has a digest of what it is made from, and it
appears whole or not at all: what is there when a run begins is done, and two workers that make the same shard make the
same file.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ray
import ray.data

import caufc

from ..sample_codec import profile_of

__all__ = ["Extraction", "Shard"]

TEMPORARY = ".*.cauf-tmp"
"""What a worker that was killed leaves of a shard: ``.NAME.PID.cauf-tmp``."""


@dataclass(frozen=True)
class Shard:
    """A shard that is done.

    Args:
        path: of the file.
        samples: in it.
        bytes: of it.
        failed: what is wrong with inputs that were left out, a line each.
        exit_code: the worst of them, as of commands; 0 where none was left out.
    """

    path: str
    samples: int
    bytes: int
    failed: tuple[str, ...] = ()
    exit_code: int = 0


class Extraction:
    """Features of taps of a backbone over files, in shards of a folder; keys are those of the inputs.

    The same arguments make the same shards: a run that was stopped goes on where it was. Files that are changed but
    not renamed are not noticed.

    Args:
        inputs: path of each, by its key; workers must reach them.
        folder: of the shards; likewise. It is made if it is not there.
        arch: architecture ID; its options say on which device it runs.
        taps: names of the tensors. A sample is a lone tensor for one tap, else a dict.
        size: inputs a shard. A worker holds their features.
        batch_size: inputs that the backbone sees at a time.
        options: of :func:`caufc.encode`.

    Raises:
        UnknownNameError: for an unknown architecture or tap.
        OutputExistsError: if the folder has ``.cauf`` files of other extractions.
        OptionError: for options that cannot be.
    """

    def __init__(
        self,
        inputs: Mapping[str, str | Path],
        folder: str | Path,
        *,
        arch: str,
        taps: Sequence[str],
        size: int = 256,
        batch_size: int = 16,
        **options: Any,
    ) -> None:
        least = {"size": size, "batch_size": batch_size, "inputs": len(inputs), "taps": len(taps)}
        for name, number in least.items():
            if number < 1:
                raise caufc.OptionError(f"{name}: {number}", remedy="1 or more")
        for tap in taps:
            caufc.default_manager().find_tap(arch, tap)
        options["profile"] = profile_of(options.get("profile"))
        caufc.size_bound((2, 2), "float32", **{**options, "profile": None})  # checks the other options
        self.folder = Path(folder)
        self._worker = {"arch": arch, "taps": list(taps), "batch_size": batch_size, "options": options}
        self._inputs = {key: str(path) for key, path in inputs.items()}
        about = [arch, list(taps), sorted((name, str(value)) for name, value in options.items())]
        keys = list(inputs)
        parts = [keys[start : start + size] for start in range(0, len(keys), size)]
        self._shards = {_name(number, about, part): part for number, part in enumerate(parts)}
        self._check_folder()

    def __len__(self) -> int:
        """How many shards there are, done or not."""
        return len(self._shards)

    def _check_folder(self) -> None:
        others = [path for path in sorted(self.folder.glob("*.cauf")) if path.name not in self._shards]
        if others:
            raise caufc.OutputExistsError(
                "is not of this extraction: inputs, taps or options differ",
                file=str(others[0]),
                remedy="give another folder, or remove it",
            )

    def missing(self) -> list[str]:
        """Names of the shards that are not there."""
        there = {path.name for path in self.folder.glob("*.cauf")}
        return [name for name in self._shards if name not in there]

    def run(self, *, workers: int | None = None, worker_gpus: float = 0) -> Iterator[Shard]:
        """Make the missing shards, each of which comes when it is done; see :func:`cluster` for where.

        An input that the backbone cannot read is left out of its shard, which says so.

        Args:
            workers: processes that hold the backbone, a processor each; None for as many as the cluster has room for.
            worker_gpus: of each.

        Raises:
            CaufError: if the backbone cannot be loaded, no input of a shard can be read, or a shard cannot be written.
        """
        names = self.missing()
        if not names:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._tidy()
        rows = [
            {
                "path": str(self.folder / name),
                "keys": self._shards[name],
                "inputs": [self._inputs[key] for key in self._shards[name]],
            }
            for name in names
        ]
        count = min(workers or _room(worker_gpus), len(rows))
        done = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            _Worker,
            fn_constructor_kwargs=self._worker,
            compute=ray.data.ActorPoolStrategy(size=count),
            num_cpus=1,
            num_gpus=worker_gpus,
        )
        try:
            for row in done.iter_rows():
                if row["error"]:
                    raise pickle.loads(row["error"])
                counts = int(row["samples"]), int(row["bytes"])
                yield Shard(row["path"], *counts, tuple(row["failed"]), int(row["exit_code"]))
        finally:
            self._tidy()

    def _tidy(self) -> None:
        """Remove what workers left that were killed."""
        for path in self.folder.glob(TEMPORARY):
            if path.name[1:].partition(".cauf.")[0] + ".cauf" in self._shards:
                path.unlink(missing_ok=True)


class _Worker:
    """An actor that holds a backbone: a shard in, what came of it out.

    A backbone is loaded with the first shard, so that what is wrong with it is an answer, and no dead actor.
    """

    def __init__(self, arch: str, taps: list[str], batch_size: int, options: dict[str, Any]) -> None:
        self.arch, self.taps, self.batch_size, self.options = arch, taps, batch_size, options

    @cached_property
    def runtime(self) -> caufc.Runtime:
        """The backbone."""
        return caufc.default_manager().runtime(self.arch)

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {**asdict(self._shard(row["path"], list(row["keys"]), list(row["inputs"]))), "error": b""}
        except caufc.CaufError as err:
            return {**asdict(Shard(row["path"], 0, 0)), "error": pickle.dumps(err)}

    def _shard(self, path: str, keys: list[str], inputs: list[str]) -> Shard:
        samples: dict[str, Any] = {}
        failed: list[caufc.CaufError] = []
        for start in range(0, len(keys), self.batch_size):
            part = slice(start, start + self.batch_size)
            try:
                samples |= zip(keys[part], self._samples(inputs[part]), strict=True)
            except caufc.CaufError:
                for key, name in zip(keys[part], inputs[part], strict=True):
                    try:
                        (samples[key],) = self._samples([name])
                    except caufc.CaufError as err:
                        failed.append(err)
        if not samples:
            raise failed[0]
        tap: Any = self.taps[0] if len(self.taps) == 1 else {tap: tap for tap in self.taps}
        told = tuple(str(err) for err in failed)
        meta = {"failed": json.dumps(told)} if told else None
        options = {"threads": 1, "meta": meta, **self.options}
        report = caufc.save(path, samples, keyed=True, force=True, arch=self.arch, tap=tap, **options)
        code = max((err.exit_code for err in failed), default=0)
        return Shard(path, len(samples), report.bytes_out, told, code)

    def _samples(self, inputs: Sequence[str]) -> list[Any]:
        """The features of some inputs.

        Raises:
            InputError: if an input is no input of the backbone, or it gives as many features as there are no inputs.
        """
        runtime = self.runtime
        found = runtime.extract(runtime.prepare([Path(name) for name in inputs]), self.taps)
        for tap in self.taps:
            count = len(found[tap])
            if count != len(inputs):
                raise caufc.InputError(f"'{self.arch}' gave {count} features of {len(inputs)} inputs", tensor=tap)
        columns = [_on_cpu(found[tap]) for tap in self.taps]
        if len(columns) == 1:
            return list(columns[0])
        return [dict(zip(self.taps, row, strict=True)) for row in zip(*columns, strict=True)]


def _name(number: int, about: Any, keys: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([about, keys]).encode()).hexdigest()
    return f"{number:06d}-{digest[:12]}.cauf"


def _on_cpu(features: Any) -> Any:
    return features.cpu() if hasattr(features, "cpu") else features


def _room(worker_gpus: float) -> int:
    """How many workers a cluster has room for."""
    there = ray.cluster_resources()
    cpus = int(there.get("CPU", 1))
    return max(1, min(cpus, int(there.get("GPU", 0) / worker_gpus)) if worker_gpus else cpus)
