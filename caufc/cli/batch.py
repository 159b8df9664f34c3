"""Encoding many inputs: goes on after a failure, skips what is there, and sums up."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from ..errors import StorageError
from ..features import parse_shard, remove_stale, shard
from ..files import encode_file
from ..output_names import check_container, check_output
from .failure import EXPECTED, failure, say
from .jobs import EncodeJob, Outcome
from .output_paths import expand, feature_suffixes, made_folder, targets
from .progress import Bar, EncodeBar
from .report import as_json_text, batch_line, batch_summary, totals
from .streams import binary_stdout, input_file, tell
from .workers import run_jobs

__all__ = ["Batch", "run_job"]


def run_job(job: EncodeJob, *, quiet: bool = True) -> Outcome:
    """Encode one file; the output appears whole or not at all.

    Raises:
        CaufError: about the file that it names.
    """
    stdout = binary_stdout("a .cauf file") if job.output == "-" else None
    if job.source == "-":
        _check_output(job)
    with input_file(job.source, job.suffix) as path, EncodeBar(_bytes_of(path), quiet=quiet) as progress:
        suffix = path.suffix if job.source == "-" else job.suffix
        output = job.output if stdout is None else stdout
        done = encode_file(path, output, format=suffix, force=job.force, progress=progress, **job.options)
    return Outcome(job.source, job.output, "done", done.report, done.waste)


def _check_output(job: EncodeJob) -> None:
    if job.output != "-":
        check_container(job.output)
    check_output(job.output, [job.source], job.force)


def attempt(job: EncodeJob, *, quiet: bool = True) -> Outcome:
    """Encode one file of many: a failure is a result."""
    try:
        return run_job(job, quiet=quiet)
    except EXPECTED as err:
        told = failure(err, job.source)
        return Outcome(job.source, job.output, "failed", message=told.message, exit_code=told.exit_code)


@dataclass
class Batch:
    """Many inputs and one set of options.

    Args:
        sources: feature files, folders and patterns of such, and ``.txt`` lists.
        output: a folder; None puts each output beside its input.
        template: a job whose source and output are filled in.
        part: ``i/n``, if only that shard is to be done.
        skip_existing: leave outputs alone that are there.
        processes: at a time.
        as_json: one JSON object at the end, instead of lines.
        quiet: no lines.
    """

    sources: Sequence[str]
    output: str | None
    template: EncodeJob
    part: str | None
    skip_existing: bool
    processes: int
    as_json: bool
    quiet: bool
    outcomes: list[Outcome] = field(default_factory=list)

    def run(self) -> int:
        """Do all; returns the worst exit code.

        Raises:
            CaufError: before any work, if inputs or outputs cannot be told.
        """
        started = time.perf_counter()
        jobs = self._plan()
        placed = nullcontext() if self.output is None else made_folder(Path(self.output))
        with placed, Bar("encode", sum(_bytes_of(job.source) for job in jobs), quiet=self.quiet) as bar:
            done = 0
            with closing(self._outcomes(jobs)) as outcomes:
                for number, (job, outcome) in enumerate(zip(jobs, outcomes, strict=True), 1):
                    self._take(outcome, bar)
                    done += _bytes_of(job.source)
                    bar.label = f"encode {number}/{len(jobs)}"
                    bar.update(done / bar.size if bar.size else number / len(jobs))
        seconds = time.perf_counter() - started
        if self.as_json:
            data = {"files": [outcome.to_json() for outcome in self.outcomes], "totals": totals(self.outcomes, seconds)}
            click.echo(as_json_text(data))
        elif not self.quiet:
            tell(batch_summary(self.outcomes, seconds))
        return max((outcome.exit_code for outcome in self.outcomes), default=0)

    def _plan(self) -> list[EncodeJob]:
        entries = expand(self.sources, feature_suffixes(self.template.suffix), quiet=self.quiet)
        outputs = targets(entries, self.output, ".cauf")
        jobs = [
            replace(self.template, source=entry.path, output=output)
            for entry, output in zip(entries, outputs, strict=True)
        ]
        if self.part is None:
            return jobs
        by_number = [str(number) for number in range(len(jobs))]
        return [jobs[int(number)] for number in shard(by_number, *parse_shard(self.part))]

    def _outcomes(self, jobs: Sequence[EncodeJob]) -> Generator[Outcome, None, None]:
        """What came of each job, in their order."""
        paths = [Path(job.output) for job in jobs]
        remove_stale(*paths)
        todo = [job for job in jobs if not (self.skip_existing and Path(job.output).exists())]
        try:
            with ExitStack() as folders, closing(run_jobs(attempt, todo, self.processes, _lost)) as results:
                for folder in sorted({Path(job.output).parent for job in todo}):
                    folders.enter_context(made_folder(folder))
                waiting = iter(todo)
                following = next(waiting, None)
                for job in jobs:
                    if job is following:
                        yield next(results)
                        following = next(waiting, None)
                    else:
                        yield Outcome(job.source, job.output, "skipped")
        finally:
            remove_stale(*paths)

    def _take(self, outcome: Outcome, bar: Bar) -> None:
        self.outcomes.append(outcome)
        if outcome.message is None and (self.quiet or self.as_json):
            return
        bar.clear()
        if outcome.message is not None:
            say(outcome.message)
            return
        tell(batch_line(outcome))
        for warning in outcome.report.warnings if outcome.report else ():
            say(f"warning: {outcome.source}: {warning}")


def _bytes_of(path: str | Path) -> int:
    """The length of a file; 0 if it cannot be told."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0


def _lost(job: EncodeJob, reason: str) -> Outcome:
    remove_stale(Path(job.output))
    error = StorageError(
        f"its worker process died ({reason})", file=job.source, remedy="if memory ran out, try fewer --jobs"
    )
    failed = failure(error)
    return Outcome(job.source, job.output, "failed", message=failed.message, exit_code=failed.exit_code)
