"""``caufc evaluate``: rate against accuracy on a task, over caufc's codecs and what people use instead."""

from __future__ import annotations

import datetime
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from ..arch_ids import arch_warnings
from ..errors import OptionError, StorageError
from ..evaluate.experiment import FIT_SAMPLES, Experiment, ExperimentOptions, make_experiment
from ..evaluate.machine import describe_machine
from ..evaluate.methods import CODEC_METHODS
from ..evaluate.paper import PAPER_SAMPLES, PAPER_TASKS, paper_anchor, paper_codecs
from ..evaluate.report import RESULTS, EvaluationReport
from ..evaluate.rivals.registry import FAMILIES
from ..evaluate.run import EvaluationRun
from ..evaluate.summary import at_mark, summarise
from ..features import check_place
from ..packages import needing
from ..plugin_manager import default_manager
from ..text import table
from ..threads import thread_count
from ..types import Progress
from .failure import say
from .json_flag import json_flag
from .options import example
from .progress import Bar
from .report import as_json_text
from .streams import tell

__all__ = ["command"]

PACKAGES = ("caufc", "numpy", "torch", "constriction", "zstandard", "blosc2", "faiss-cpu", "nncodec", "pysz", "zfpy")


@click.command(
    "evaluate",
    **example(
        "caufc evaluate --arch timm/resnet50 --tap layer3 --tap layer4 --data photos/ -o results/",
        "caufc evaluate --data measuring/ --task 'cifar10/*' --samples 500 --rivals int,sz3",
        "caufc evaluate --task mine/segments --no-rivals",
        "caufc evaluate paper --data measuring/ -o paper/",
    ),
)
@click.argument("preset", metavar="[paper]", required=False, type=click.Choice(["paper"]))
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="With --arch one folder a class, else a task's data."
)
@click.option("--arch", metavar="ID", help="Evaluate this backbone on labelled files, as in timm/resnet50.")
@click.option(
    "--tap", "taps", multiple=True, metavar="NAME", help="Where to cut the network; repeatable.  [all of a task]"
)
@click.option(
    "--task", "tasks", multiple=True, metavar="ID", help="Tasks of plugins, patterns too; repeatable.  [caufc's own]"
)
@click.option(
    "--classes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --arch: folder names in the order of the network's outputs.",
)
@click.option("--codecs", metavar="NAME,...", help=f"Codecs, of {', '.join(own.key for own in CODEC_METHODS)}.  [all]")
@click.option("--rivals", metavar="NAME,...", help=f"Rivals, of {', '.join(family.key for family in FAMILIES)}.  [all]")
@click.option("--no-rivals", is_flag=True, help="Measure no rivals.")
@click.option("--anchor", metavar="NAME", help="What the others are compared with.  [int]")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With paper: trained weights, by architecture and for the ablation.",
)
@click.option(
    "--samples", type=click.IntRange(2), metavar="N", help=f"Of the test half at most.  [all; paper: {PAPER_SAMPLES}]"
)
@click.option("--fit-samples", type=click.IntRange(2), metavar="N", help=f"Of the fit half at most.  [{FIT_SAMPLES}]")
@click.option(
    "--both-halves",
    is_flag=True,
    help="Test each half in turn, with what is fitted on the other: twice the samples.",
)
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Points measured side by side.  [one per core]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("evaluation"),
    show_default=True,
    metavar="DIR",
    help="Folder for reports and unfinished work.",
)
@click.option("-f", "--force", is_flag=True, help="Measure anew what an earlier run left in the folder.")
@json_flag("Print the results as one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress, no report.")
def evaluate(
    preset: str | None,
    data: Path | None,
    codecs: str | None,
    rivals: str | None,
    no_rivals: bool,
    anchor: str | None,
    weights: Path | None,
    samples: int | None,
    fit_samples: int | None,
    jobs: int | None,
    output: Path,
    force: bool,
    as_json: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Measure rate against accuracy: code a network's features, resume from what came back, count predictions.

    With --arch, --tap and --data, the task is a folder of labelled images, one folder a class: of every class one half
    fits profiles, the other is reported. With --task, it is a plugin's; without either, --data holds caufc's own
    measuring data. 'caufc evaluate paper' runs the paper's experiment on it.

    DIR gets results.html, .md, .json and .svg. A run that was stopped goes on where it was.
    """
    started = time.perf_counter()
    known = list(CODEC_METHODS) if preset is None else paper_codecs(weights)
    if weights is not None and preset is None:
        raise OptionError("--weights belongs to a preset", remedy="caufc evaluate paper --weights DIR")
    if preset is not None:
        if chosen["both_halves"]:
            raise OptionError("the fit half has trained the paper's weights", remedy="leave --both-halves out")
        anchor = anchor or paper_anchor(known)
        chosen["tasks"] = chosen["tasks"] or (() if chosen["arch"] else PAPER_TASKS)
        samples, fit_samples = samples or PAPER_SAMPLES, fit_samples or FIT_SAMPLES
    options = ExperimentOptions(
        data=data,
        codecs=_names(codecs),
        rivals=_rivals(rivals, no_rivals),
        known_codecs=known,
        anchor=anchor,
        samples=samples,
        fit_samples=fit_samples or FIT_SAMPLES,
        **chosen,
    )
    for warning in () if quiet else arch_warnings(chosen["arch"]):
        say(f"warning: {warning}")
    experiment = make_experiment(options, default_manager(), output / "work")
    report = _measure(experiment, preset, output, thread_count(jobs), force, quiet, started)
    paths = report.write(output)
    if quiet and not as_json:
        return
    if as_json:
        click.echo(as_json_text(report.to_json()))
    else:
        tell(_text(report, paths))


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _rivals(names: str | None, none: bool) -> list[str] | None:
    if none and names is not None:
        raise OptionError("--rivals and --no-rivals contradict each other", remedy="give one")
    return [] if none else _names(names)


def _measure(
    experiment: Experiment, preset: str | None, output: Path, jobs: int, force: bool, quiet: bool, started: float
) -> EvaluationReport:
    work = output / "work"
    _prepare(work, force)
    for name in RESULTS:
        check_place(output / name)
    if not quiet:
        for name, reason in experiment.skipped.items():
            say(f"note: {name} is left out: {reason}")
    with _stopwatch(work, started) as seconds, _threads(jobs), Bar("evaluate", quiet=quiet) as bar:
        run = EvaluationRun(experiment.tasks, experiment.methods, work, jobs, _progress(bar, quiet))
        curves = run.measure()
    if not quiet:
        for name, reason in run.skipped.items():
            say(f"note: {name} is left out: {reason}")
    failed = {
        f"{curve.method.key} on {curve.task} {curve.tap}, {setting}": reason
        for curve in curves
        for setting, reason in curve.failures.items()
    }
    facts = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": _command(),
        "seconds": round(seconds()),
        "jobs": jobs,
        "machine": describe_machine(PACKAGES),
    }
    title = "Rate against accuracy" if preset is None else "The paper's experiment: rate against accuracy"
    results = summarise(curves, experiment.anchor, experiment.read_outs)
    return EvaluationReport(title, results, facts, {**experiment.skipped, **run.skipped, **failed})


def _prepare(work: Path, force: bool) -> None:
    if force:
        shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StorageError(
            err.strerror or "cannot be made", file=str(work), remedy="give another folder with -o"
        ) from err


@contextmanager
def _stopwatch(work: Path, started: float) -> Iterator[Callable[[], float]]:
    """A clock of the seconds spent on a folder of work, those of runs that were stopped included."""
    file = work / "seconds"
    try:
        before = float(file.read_text())
    except (OSError, ValueError):
        before = 0.0

    def seconds() -> float:
        return before + time.perf_counter() - started

    try:
        yield seconds
    finally:
        with suppress(OSError):
            file.write_text(f"{seconds():.1f}\n")


@contextmanager
def _threads(jobs: int) -> Iterator[None]:
    """Give the networks in this process the cores that workers leave."""
    with needing("torch", "caufc evaluate"):
        import torch

    before = torch.get_num_threads()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _progress(bar: Bar, quiet: bool) -> Progress:
    """Progress as a line that is drawn anew on a terminal, else as one line per point."""

    said = ""

    def progress(what: str, done: int, total: int, /) -> None:
        nonlocal said
        if bar.shown:
            bar.progress(what, done, total)
        elif not quiet and what != said:
            said, bar.fraction = what, done / total
            say(f"{bar.ahead(bar.clock())}  {what}")

    return progress


def _command() -> str:
    """The command line without machine paths: absolute ones are cut to their last part."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return shlex.join(["caufc", *words])


def _text(report: EvaluationReport, paths: list[Path]) -> str:
    """Rates at equal agreement, and where the rest is."""
    results = report.results
    mark = f"{results['marks'][0]:g}"
    names = {method["key"]: method["name"] for method in results["methods"]}
    rows = [("TAP", "METHOD", f"BPFP AT {100 * float(mark):g} %", "95 % INTERVAL", "ENCODE MB/s", "DECODE MB/s")]
    for tap in results["taps"]:
        for own in tap["methods"]:
            if own["points"]:
                at, point = own["at"][mark], at_mark(own["points"])
                speed = (f"{point['encode_mb_s']:.1f}", f"{point['decode_mb_s']:.1f}")
                interval = f"{at['low']:.3g} to {at['high']:.3g}"
                name = f"{tap['task']} {tap['tap']}"
                rows.append((name, names[own["key"]], f"{at['bound']} {at['bpfp']:.4g}".strip(), interval, *speed))
    written = ", ".join(map(str, paths))
    return f"{table(rows, right=range(2, 6))}\nWritten: {written}"


command = evaluate
