"""Make docs/results.md: measured figures, what they mean, and a list of all files of results.

    python -m tools.make.results_page            # from tools/make/results_template.md and tools/results

A file of results that ``SHOWS`` does not name is an error: say there what it shows.
"""

from __future__ import annotations

import argparse

from tools.make.result_tables import (
    RESULTS,
    ROOT,
    cut,
    divergence_range,
    fill,
    importance,
    nncodec_ahead,
    paper,
    record,
    section,
)

__all__ = ["PAGE", "SHOWS", "results_page"]

PAGE = ROOT / "docs" / "results.md"
TEMPLATE = ROOT / "tools" / "make" / "results_template.md"

SHOWS = {
    "widths": "what 99 % of tokens keep at medium, by width and beside outliers",
    "widths_before": "the same before outliers were coded apart",
    "qualities": "what low, medium, high and five qualities between do to predictions, search and a language model",
    "language": "a language model's hidden states and caches: bytes at equal divergence, beside fp8, KIVI and others",
    "rates": "rates at equal agreement, by tap, with all points",
    "divergence": "bytes at equal divergence of scores, beside NNCodec and int-k",
    "paper": "the paper's experiment: all methods, all points, the ablation of the alignment steps",
    "importance": "what networks react to, and what following it blindly saves",
    "tools": "what each tool of the transform codec buys",
    "tables": "what universal tables cost, also for kinds of networks that they were not trained on",
    "layouts": "the layouts that are chosen when nobody says one, against the best ones",
    "lossless": "lossless coding beside zstd and ZipNN",
    "throughput": "MB/s of one core on every kind of features, compiled kernels beside numpy and an earlier state",
    "threads": "MB/s of one thread and of two, what is serial, and what holds the interpreter",
    "messages": "prepared coders: ms and bytes of a message, beside its share of a batch",
    "integrations": "bytes, MB/s and error in other libraries' containers, caufc's way and today's",
    "ray": "Ray Data with one worker and with two, and 10⁹ samples on 100 machines, on paper",
    "speculators": "hidden states for drafters: sizes and divergence of bf16, fp8 and caufc's backend",
    "serving": "split inference: milliseconds at 1, 10 and 100 Mbit/s, beside fp16",
    "format_choices": "what choices of the format cost: rANS states, alignment, transfers, fp8, what files say besides",
    "loader": "samples/s of a DataLoader in order, in a random order and in that of ChunkSampler",
    "speed": "MB/s by tap and effort, time and memory by number of samples",
    "saelens": "sparse autoencoders trained on activations of fp16, fp8 and caufc",
    "lmcache": "keys and values in LMCache's files: sizes and divergence of bf16, fp8 and caufc",
    "kernels": "ns a value by stage and MB/s by tap, numpy beside compiled kernels",
    "builds": "installations with a C compiler and without: kernels, seconds, bytes",
    "fit_cost": "how long fits take, beside what they say beforehand",
    "foundation": "the container: overhead, memory, random access, the time to import",
    "install": "the size of an installation, without torch and with it",
    "verify": "how fast `verify` reads",
    "javascript": "the decoder in JavaScript: vectors that it gets right, MB/s beside caufc's",
    "hyperprior": "what the learned codec's integer arithmetic costs in rate, and that its symbols do not change",
    "weights": "the learned codec's universal weights beside those of one architecture",
    "training": "losses and hours of the learned codec's training",
    "house": "objects, frames and files that one encode and one decode take, beside an earlier layout of the code",
    "suite": "time and coverage of the tests",
    "determinism": "the same symbols under other processors, numbers of threads and versions",
    "faults": "killed runs, full disks, closed pipes, changing inputs",
    "contracts": "random arrays, structures and controls, against all that the design promises",
    "uncalled": "the tests of integrations with a library's call cut: they fail",
    "fuzz_flips": "truncations and flipped bits",
    "fuzz_structure": "mutated structures with right checksums",
    "mutants": "the reference decoder with one clause broken at a time, and the vector that notices",
    "fuzz_coverage": "coverage-guided fuzzing of the parsers",
    "sanitized": "fuzzers over kernels built with address and undefined-behaviour sanitizers",
}

SECTIONS = {
    "qualities": ("What a quality means", "Packages"),
    "language": ("A language model's hidden states and caches", "All points"),
}
"""File of results -> title of its section, and the heading of the file where it ends."""


def results_page() -> str:
    """The page's text.

    Raises:
        KeyError: for a file of results that ``SHOWS`` does not name.
    """
    blind = importance()
    parts = {
        **{name: _section(name, *about) for name, about in SECTIONS.items()},
        "rates": cut("rates", "| tap | int-k"),
        "divergence": cut("divergence", "| tap | BPFP"),
        "importance_mean": blind["mean"],
        "importance_least": blind["least"],
        "importance_most": blind["most"],
        "paper": paper(),
        "nncodec_ahead": nncodec_ahead(),
        "divergence_range": divergence_range(),
        "throughput": cut("throughput", "| features | state"),
        "foundation": cut("foundation", "| figure"),
        "files": _files(),
    }
    return fill(TEMPLATE.read_text("utf-8"), parts)


def _section(name: str, title: str, end: str) -> str:
    """A page of results with a title above; empty where it was not measured."""
    own = section(name, end)
    return f"\n## {title}\n\nFrom [{name}.md](../tools/results/{name}.md):\n\n{own}\n" if own else ""


def _files() -> str:
    """A row for each file of results, in the order of ``SHOWS``."""
    found = {path.stem for path in RESULTS.glob("*.md")}
    missing = sorted(found - {*SHOWS})
    if missing:
        raise KeyError(f"SHOWS does not say what these show: {', '.join(missing)}")
    rows = []
    for name in SHOWS:
        if name in found:
            about = record(name)
            machine = about["machine"]
            where = f"{about['date']}, {machine['cpu']}, {machine['cores']} core{'' if machine['cores'] == 1 else 's'}"
            rows.append(f"| [{name}](../tools/results/{name}.md) | {SHOWS[name]} | {where} |")
    return "\n".join(rows)


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    PAGE.write_text(results_page(), "utf-8")


if __name__ == "__main__":
    main()
