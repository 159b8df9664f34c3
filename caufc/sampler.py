"""An order of samples for training: random, and yet near to the order in which chunks lie."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError
from .whole_numbers import whole_number

__all__ = ["ChunkSampler", "Chunked"]

Numbers = NDArray[np.int64]


class Chunked(Protocol):
    """What lies in chunks: a :class:`caufc.Reader`."""

    @property
    def chunk_sizes(self) -> tuple[int, ...]:
        """Samples of every chunk, in order."""
        ...


class ChunkSampler:
    """Numbers of samples in a random order that opens few chunks at a time: a ``sampler`` of torch's DataLoader.

    The chunks are shuffled, and the samples of so many chunks behind each other, a window: as long as a reader keeps
    the chunks of a window, it decodes each of them once. An epoch has one order, whoever asks; :meth:`set_epoch`
    chooses the next.

    With ranks, each has a run of the same shuffled samples: none twice, none left out, and as many as the others have,
    or one more. With workers of a DataLoader, which take batches by turns, each has its own chunks, so that these are
    decoded in one process each.

    Iterators have ``state_dict()`` and ``load_state_dict()``: a StatefulDataLoader of torchdata keeps their state, and
    goes on where it was stopped.

    Args:
        reader: a :class:`caufc.Reader`, or what has its ``chunk_sizes``.
        window: chunks that are open at a time.
        seed: of the order.
        rank: of this process among ``world``, from 0.
        world: how many processes share the samples.
        workers: of the DataLoader; 0 and 1 are the same.
        batch_size: of the DataLoader, where it has several workers.
        drop_last: leave out the last samples of the order, so that all ranks have equally many.

    Raises:
        OptionError: for what is no number, numbers out of range, and for several workers without a batch size.
    """

    def __init__(
        self,
        reader: Chunked,
        window: int = 16,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        workers: int = 0,
        batch_size: int | None = None,
        drop_last: bool = False,
    ) -> None:
        window, world = whole_number("window", window, 1), whole_number("world", world, 1)
        workers, seed, rank = whole_number("workers", workers), whole_number("seed", seed), whole_number("rank", rank)
        if batch_size is not None:
            batch_size = whole_number("batch_size", batch_size, 1)
        if rank >= world:
            raise OptionError(f"rank {rank} of {world}", remedy="ranks count from 0")
        if workers > 1 and batch_size is None:
            raise OptionError(f"{workers} workers without a batch size", remedy="give batch_size=, 1 or more")
        self.window, self.seed, self.rank, self.world = window, seed, rank, world
        self.workers, self.batch_size = max(1, workers), batch_size or 1
        self.epoch = 0
        self._sizes = np.array(reader.chunk_sizes, np.int64)
        self._firsts = np.cumsum(self._sizes) - self._sizes
        total = int(self._sizes.sum())
        total -= total % world if drop_last else 0
        self._first, self._stop = total * rank // world, total * (rank + 1) // world
        self._warn(reader)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch; without, every iteration has the same.

        Raises:
            OptionError: for what is no whole number.
        """
        self.epoch = whole_number("epoch", epoch)

    def __len__(self) -> int:
        return self._stop - self._first

    def __iter__(self) -> Order:
        return Order(self)

    def numbers(self) -> Iterator[int]:
        """The order of this epoch."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self._sizes))
        edges = [self._first + len(self) * worker // self.workers for worker in range(self.workers + 1)]
        pairs = itertools.pairwise(edges)
        return _by_turns([self._run(order, *edge, worker) for worker, edge in enumerate(pairs)], self.batch_size)

    @property
    def kind(self) -> dict[str, int]:
        """What makes its orders, beside seed and epoch."""
        own = {"window": self.window, "rank": self.rank, "world": self.world, "workers": self.workers}
        return {**own, "batch_size": self.batch_size, "samples": len(self)}

    def _run(self, order: Numbers, start: int, stop: int, worker: int) -> _Run:
        """The samples of one worker: those in ``[start, stop)`` where chunks lie behind each other in an order."""
        random = np.random.default_rng([self.seed, self.epoch, self.rank, worker])
        return _Run(self._windows(order, start, stop, random), stop - start)

    def _windows(self, order: Numbers, start: int, stop: int, random: np.random.Generator) -> Iterator[Numbers]:
        """The samples of each window, shuffled."""
        ends = np.cumsum(self._sizes[order])
        at_once = max(1, self.window // self.workers)
        first, last = np.searchsorted(ends, [start, stop - 1], side="right") if stop > start else (0, -1)
        for begin in range(first, last + 1, at_once):
            parts = []
            for place in range(begin, min(begin + at_once, last + 1)):
                chunk = order[place]
                before = ends[place] - self._sizes[chunk]
                low, high = max(start - before, 0), min(stop - before, self._sizes[chunk])
                parts.append(np.arange(self._firsts[chunk] + low, self._firsts[chunk] + high))
            yield random.permutation(np.concatenate(parts))

    def _warn(self, reader: Chunked) -> None:
        """Say so where a reader keeps fewer chunks than are open."""
        most, chunk = getattr(reader, "cache_bytes", None), getattr(reader, "chunk_bytes", lambda: None)()
        if most is None or not chunk:
            return
        wanted = max(1, min(self.window // self.workers, len(self._sizes))) * chunk
        if wanted > most:
            warnings.warn(
                f"chunks of a window take {wanted:,} bytes and the reader keeps {most:,}: they will be decoded again "
                f"and again; open it with cache_bytes={wanted}, or give a smaller window",
                stacklevel=3,
            )


class Order(Iterator[int]):
    """One epoch's numbers, from which a StatefulDataLoader of torchdata goes on where it was stopped.

    Args:
        sampler: whose order it is.
    """

    def __init__(self, sampler: ChunkSampler) -> None:
        self.sampler, self.yielded = sampler, 0
        self.numbers = sampler.numbers()

    def __iter__(self) -> Order:
        return self

    def __next__(self) -> int:
        number = next(self.numbers)
        self.yielded += 1
        return number

    def state_dict(self) -> dict[str, int]:
        """Seed, epoch, and how many numbers were given."""
        sampler = self.sampler
        return {"seed": sampler.seed, "epoch": sampler.epoch, "yielded": self.yielded, **sampler.kind}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from a state; the sampler gets its seed and epoch.

        Raises:
            OptionError: for the state of another order.
        """
        for name, value in self.sampler.kind.items():
            if state.get(name) != value:
                raise OptionError(f"the state is of {name}={state.get(name)}, not {value}", remedy="resume as it was")
        self.sampler.seed, self.sampler.epoch = state["seed"], state["epoch"]
        self.numbers, self.yielded = self.sampler.numbers(), 0
        for _ in range(state["yielded"]):
            next(self)


@dataclass
class _Run:
    """Samples that one worker takes, window by window.

    Args:
        windows: shuffled samples of each.
        left: how many are still to be taken.
    """

    windows: Iterator[Numbers]
    left: int
    ready: list[int] = field(default_factory=list)

    def take(self, most: int) -> list[int]:
        """So many of the next samples, or all that are left."""
        while len(self.ready) < min(most, self.left):
            self.ready += next(self.windows).tolist()
        taken, self.ready = self.ready[:most], self.ready[most:]
        self.left -= len(taken)
        return taken


def _by_turns(runs: Sequence[_Run], batch: int) -> Iterator[int]:
    """A batch of each run by turns; what a run lacks for its batch comes from the one that has most left."""
    for run in itertools.cycle(runs):
        missing = min(batch, sum(other.left for other in runs))
        if not missing:
            return
        while missing:
            taken = run.take(missing)
            yield from taken
            missing -= len(taken)
            run = max(runs, key=lambda other: other.left)
