"""``caufc serve``: the rest of a network as a service, for edges that send features."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from ..errors import MissingPackageError, OptionError
from .failure import say
from .options import arch_option, example, parse_limits, quiet_option

if TYPE_CHECKING:
    from ..integrations.grpc import Tls

__all__ = ["command"]


@click.command(
    "serve",
    **example(
        "caufc serve --arch timm/resnet50 --tap layer3",
        "caufc serve --resume my_model:resume --profile front.caufp --listen 0.0.0.0:50051",
        "caufc serve --arch timm/resnet50 --tap layer3 --tls-cert server.pem --tls-key server.key",
    ),
)
@click.option("--resume", "function", metavar="MODULE:NAME", help="Function from a sample's features to a result.")
@arch_option
@click.option("--tap", metavar="NAME", help="Where the features that are sent were taken, as in layer4.")
@click.option("--listen", "address", default="127.0.0.1:50051", show_default=True, metavar="HOST:PORT", help="Address.")
@click.option("--profile", "profiles", multiple=True, metavar="NAME|FILE", help="Profile that clients need not send.")
@click.option(
    "--sent-profiles", type=click.IntRange(0), default=4, show_default=True, help="Of clients, that are kept."
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that decode and resume.")
@click.option(
    "--queue", type=click.IntRange(0), default=16, show_default=True, help="Calls that wait; more are refused."
)
@click.option("--calls", type=click.IntRange(1), default=256, show_default=True, help="Calls that are open at once.")
@click.option(
    "--calls-per-host", type=click.IntRange(1), default=64, show_default=True, help="Of them, of one address."
)
@click.option(
    "--receive-seconds",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="In which a message must arrive.",
)
@click.option(
    "--message-bytes", type=click.IntRange(1), metavar="N", help="Largest message or profile.  [16777216, 16 MiB]"
)
@click.option(
    "--limit", "limits", multiple=True, metavar="NAME=N|none", help="Change a limit on what a message may ask for."
)
@click.option("--tls-cert", metavar="FILE", help="Certificate of the server, PEM.")
@click.option("--tls-key", metavar="FILE", help="Its key, PEM.")
@click.option(
    "--tls-ca", metavar="FILE", help="Who signs for clients, PEM; only clients with a certificate are served."
)
@quiet_option
def serve(
    function: str | None,
    arch: str | None,
    tap: str | None,
    address: str,
    profiles: tuple[str, ...],
    limits: tuple[str, ...],
    message_bytes: int | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_ca: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Serve the rest of a network over gRPC: features come in as messages of caufc.Coder, results go back.

    What goes on from the features is a plugin's backbone behind a tap, or a function of yours. A sample comes without
    a batch axis. Ends on Ctrl-C or SIGTERM, when the calls that run are answered.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own lines on stderr; what matters comes as an error
    if not _is_installed():
        raise MissingPackageError("'caufc[grpc]'", "caufc serve")
    from ..integrations.grpc import MESSAGE_BYTES, SERVICE_LIMITS, Server

    tls = _tls(tls_cert, tls_key, tls_ca)
    server = Server(
        _resume(function, arch, tap),
        profiles=profiles,
        limits=parse_limits(limits, SERVICE_LIMITS),
        message_bytes=message_bytes or MESSAGE_BYTES,
        **options,
    )
    with server:
        port = server.start(address, tls)
        if not quiet:
            host = address.rpartition(":")[0]
            say(f"serving {function or f'{arch} {tap}'} on {host}:{port}{'' if tls else ', without TLS'}")
        _wait(server.wait)


def _is_installed() -> bool:
    try:
        importlib.import_module("grpc_health.v1.health")
    except ImportError:
        return False
    return True


def _tls(certificate: str | None, key: str | None, ca: str | None) -> Tls | None:
    from ..integrations.grpc import Tls

    if certificate is None and key is None and ca is None:
        return None
    if certificate is None or key is None:
        raise OptionError("TLS needs --tls-cert and --tls-key")
    return Tls(certificate, key, ca)


def _resume(function: str | None, arch: str | None, tap: str | None) -> Callable[[Any], Any]:
    """What goes on from the features.

    Raises:
        OptionError: unless it is either a function or a tap of an architecture.
    """
    from ..integrations.grpc import resume_of

    if function is not None and arch is None and tap is None:
        return _imported(function)
    if function is None and arch is not None and tap is not None:
        return resume_of(arch, tap)
    raise OptionError("what goes on from the features", remedy="give --arch ID and --tap NAME, or --resume MODULE:NAME")


def _imported(text: str) -> Callable[[Any], Any]:
    """``MODULE:NAME`` -> the function; modules of the working directory count, as for ``python -m``.

    Raises:
        OptionError: if there is no such function.
    """
    module, _, name = text.partition(":")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as err:
        raise OptionError(f"--resume {text}: {err}", remedy="give MODULE:NAME of a function") from err
    if not callable(found):
        raise OptionError(f"--resume {text}: is no function", remedy="give MODULE:NAME of a function")
    resume: Callable[[Any], Any] = found
    return resume


def _wait(stopped: Callable[[float | None], bool]) -> None:
    """Until the server is stopped, or the process is asked to end."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        raise _Ended

    before = [(number, signal.signal(number, end)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        while not stopped(1.0):
            pass
    except _Ended:
        pass
    finally:
        for number, handler in before:
            signal.signal(number, handler)


class _Ended(Exception):  # noqa: N818 - no error
    """A signal asked the process to end."""


command = serve
