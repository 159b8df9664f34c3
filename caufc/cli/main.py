"""The console: a group of commands, each imported when it is asked for, and what they do when something is wrong."""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import metadata
from types import FrameType
from typing import Any

import click

from ..packages import MissingPackageWarning
from ..plugin_border import keep_stdout_clean
from .closed_streams import replace_closed_streams
from .failure import EXPECTED, failure, is_broken_pipe, say
from .json_flag import tell_as_json

__all__ = ["caufc", "main"]

COMMANDS = {
    "encode": "Encode feature files to .cauf.",
    "decode": "Decode .cauf to the features that were encoded.",
    "info": "Show what .cauf files say of themselves.",
    "show": "Show a .cauf file as a page, with features as pictures.",
    "verify": "Check every byte of .cauf files.",
    "cat": "Join .cauf files without decoding them.",
    "split": "Split a .cauf file into parts without decoding it.",
    "pack": "Encode many feature files as one .cauf file, by name.",
    "unpack": "Decode each sample of a .cauf file to a file of its own.",
    "bench": "Measure rate, error and speed on features of yours, beside fp16 and int-k with zstd.",
    "fit": "Make a profile from samples of features, blind or by what a network reacts to.",
    "train": "Train weights for the learned codec on samples of features.",
    "evaluate": "Measure rate against accuracy on a task, over codecs and what people use instead.",
    "extract": "Run a backbone over files and write the features of its taps.",
    "serve": "Answer features with the rest of a network, over gRPC.",
    "plugins": "List the plugins, what they bring, and why the broken ones are broken.",
    "demo": "Encode and decode the features that ship with caufc, beside two simple rivals.",
}
"""Command, which is also the name of its module -> its short help, so that ``--help`` imports no command."""

INTERRUPTED = 130

EXAMPLES = """
\b
Examples:
  caufc encode feats.pt -o feats.cauf --quality high
  caufc decode feats.cauf -o back.pt
  caufc encode list.txt -o out/ --jobs 4 --skip-existing
  caufc encode - -o - < feats.npy | caufc decode - -o back.npy
"""


class Commands(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"{__package__}.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as err:
            if err.ctx is None and ctx.invoked_subcommand is not None:  # of click's parser, which names no command
                command = self.get_command(ctx, ctx.invoked_subcommand)
                err.ctx = None if command is None else click.Context(command, ctx, ctx.invoked_subcommand)
            raise
        except EXPECTED as err:
            tell_as_json(err, ctx)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - it always ends the process
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit: errors become one line on stderr and an exit code."""
        keep_stdout_clean()
        run = functools.partial(super().main, windows_expand_args=windows_expand_args, **extra)
        sys.exit(_guarded(functools.partial(run, args, prog_name or "caufc", complete_var, standalone_mode=False)))


def _guarded(run: Callable[[], object]) -> int:
    """The exit code of a command."""
    try:
        code = run()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as err:
        err.show()
        return err.exit_code
    except click.UsageError as err:
        path = "caufc" if err.ctx is None else err.ctx.command_path
        say(f"{err.format_message().rstrip('.')}; see '{path} --help'")
        return err.exit_code
    except click.ClickException as err:
        say(err.format_message())
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return INTERRUPTED
    except EXPECTED as err:
        if is_broken_pipe(err):
            _drop_stdout()
            return 1
        told = failure(err, "-" if isinstance(err, OSError) and err.filename is None else None)
        say(told.message)
        return told.exit_code
    except Exception as err:
        code = _signalled(err)
        if code is None:
            raise
        return code


def _signalled(error: BaseException | None) -> int | None:
    """The exit code of a signal that somebody, an import for instance, made an error of their own of."""
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__cause__ or error.__context__
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else None
    return None if error is None else INTERRUPTED


def _drop_stdout() -> None:
    """Send what is still buffered nowhere: the interpreter would complain when it flushes."""
    try:
        number = sys.stdout.fileno()
    except OSError:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: ARG001
    if not wanted or ctx.resilient_parsing:
        return
    from ..codec import kernels

    try:
        version = metadata.version("caufc")
    except metadata.PackageNotFoundError:
        version = "(not installed)"
    click.echo(f"caufc {version}\nkernels: {kernels.described()}")
    ctx.exit()


@click.group(cls=Commands, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and the kernels.",
)
def caufc() -> None:
    """A codec for the features of neural networks.

    Exit codes: 0 done; 1 input or output (missing, unreadable, full, exists); 2 usage, and input that cannot be
    encoded as asked; 3 malformed or damaged file; 4 valid, but not supported.
    """


def main() -> None:
    """Entry point of the console script."""
    replace_closed_streams()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of torch about its own internals: stderr is for what the user can act on
        warnings.simplefilter("once", MissingPackageWarning)
        warnings.showwarning = lambda message, *_: say(f"warning: {message}")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    caufc()


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C. Python notes a plain KeyboardInterrupt that leaves ``exec`` and, caught or not, ends by the signal."""


class _Terminated(SystemExit):
    """A signal that ends the process: no ``sys.exit`` of a plugin, which stops at the border to it."""


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
    raise _Interrupted


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - a signal handler's signature
    """Leave through every ``finally``, so that no temporary file stays."""
    raise _Terminated(128 + number)


if __name__ == "__main__":
    main()
