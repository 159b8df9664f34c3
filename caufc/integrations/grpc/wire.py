"""What client and server agree on: names of methods and metadata, statuses, and the files of TLS.

A call of ``Resume`` takes the bytes of a ``.cauf`` file and gives those of a result (``results``); one of ``Profile``
takes a ``.caufp`` file and gives the name by which calls refer to it, in their metadata :data:`PROFILE`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

import caufc

__all__ = [
    "ERROR",
    "FORM",
    "MESSAGE_BYTES",
    "PROFILE",
    "PROFILE_METHOD",
    "RESUME_METHOD",
    "SERVICE",
    "SERVICE_LIMITS",
    "RemoteError",
    "Tls",
    "profile_name",
    "status_of",
]

SERVICE = "caufc.Features"
RESUME_METHOD, PROFILE_METHOD = "Resume", "Profile"

PROFILE = "caufc-profile"
"""Metadata of a call: the profile that its message relies on."""

FORM = "caufc-form"
"""Metadata of an answer: the form of its bytes."""

ERROR = "caufc-error"
"""Metadata of a failure: the name of the error's class; ``MissingProfileError`` asks for the profile."""

MESSAGE_BYTES = 16 << 20
"""Bytes of a message, by default."""

SERVICE_LIMITS = caufc.Limits(
    chunk_bytes=MESSAGE_BYTES,
    tensors=1024,
    chunk_elements=1 << 26,
    file_elements=1 << 26,
    chunk_tokens=1 << 20,
    chunk_grids=1 << 10,
    chunk_arrays=1 << 12,
    chunk_products=1 << 35,
    file_products=1 << 35,
    list_samples=1 << 12,
    output_bytes=1 << 28,
)
"""What a message may ask of a server, by default: a second or two, and 256 MiB."""


class RemoteError(caufc.CaufError):
    """A call failed.

    Args:
        message: why, as the server or gRPC has it.
        code: the status.
        remedy: what the caller can do.
    """

    exit_code = 1

    def __init__(self, message: str, code: grpc.StatusCode, *, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code

    @property
    def busy(self) -> bool:
        """Whether the server had too much to do: the same call may succeed later."""
        return self.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@dataclass(frozen=True)
class Tls:
    """Files in PEM form. A server needs its certificate and key; a client needs them if the server asks for them.

    Args:
        certificate, key: of this side.
        ca: certificates of those who sign for the other side. With it a server answers only clients that have one;
            a client without it takes those that gRPC ships with.
    """

    certificate: str | Path | None = None
    key: str | Path | None = None
    ca: str | Path | None = None

    def server(self) -> grpc.ServerCredentials:
        """Credentials of a server.

        Raises:
            OptionError: without a certificate and a key.
            StorageError: if a file cannot be read.
        """
        if self.certificate is None or self.key is None:
            raise caufc.OptionError("TLS needs a server's certificate and its key")
        certificate, key, ca = self._read()
        return grpc.ssl_server_credentials([(key, certificate)], ca, require_client_auth=ca is not None)

    def client(self) -> grpc.ChannelCredentials:
        """Credentials of a client.

        Raises:
            OptionError: for a certificate without its key, or a key alone.
            StorageError: if a file cannot be read.
        """
        if (self.certificate is None) != (self.key is None):
            raise caufc.OptionError("a client's certificate and key go together")
        certificate, key, ca = self._read()
        return grpc.ssl_channel_credentials(ca, key, certificate)

    def _read(self) -> list[bytes | None]:
        return [None if path is None else _bytes_of(path) for path in (self.certificate, self.key, self.ca)]


def _bytes_of(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as err:
        raise caufc.StorageError((err.strerror or str(err)).lower(), file=str(path)) from err


def profile_name(profile: bytes) -> str:
    """By what calls refer to a profile."""
    return hashlib.sha256(profile).hexdigest()[:32]


STATUSES: Sequence[tuple[type[caufc.CaufError], grpc.StatusCode]] = (
    (caufc.MissingProfileError, grpc.StatusCode.FAILED_PRECONDITION),
    (caufc.LimitError, grpc.StatusCode.INVALID_ARGUMENT),
    (caufc.PluginError, grpc.StatusCode.INTERNAL),
    (caufc.UnsupportedError, grpc.StatusCode.UNIMPLEMENTED),
    (caufc.CaufError, grpc.StatusCode.INVALID_ARGUMENT),
)
"""The first that fits; ``RESOURCE_EXHAUSTED`` is a busy server, and nothing else."""


def status_of(error: caufc.CaufError) -> grpc.StatusCode:
    """The status that tells an error."""
    return next(code for kind, code in STATUSES if isinstance(error, kind))
