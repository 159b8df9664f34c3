"""The client: features become messages, results come back."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Any

import grpc

import caufc

from .results import unpack
from .wire import ERROR, FORM, PROFILE, PROFILE_METHOD, RESUME_METHOD, SERVICE, RemoteError, Tls, profile_name

__all__ = ["Client"]

SECONDS = 30.0
RESULT_BYTES = 256 << 20


class Client:
    """Sends features to a :class:`~caufc.integrations.grpc.Server`. Threads may share it, and it can be pickled.

    Args:
        address: ``HOST:PORT``.
        coder: makes the messages; its profile is sent when the server does not have it.
        tls: of a server that has it; ``Tls()`` trusts the certificates that gRPC ships with.
        timeout: seconds of a call, encoding and decoding apart, unless it says otherwise.
        result_bytes: of a result.
        limits: what a result may ask a decoder for.
    """

    def __init__(
        self,
        address: str,
        coder: caufc.Coder,
        *,
        tls: Tls | None = None,
        timeout: float = SECONDS,
        result_bytes: int = RESULT_BYTES,
        limits: caufc.Limits | None = None,
    ) -> None:
        self.address, self.coder, self.tls, self.timeout = address, coder, tls, timeout
        self._result_bytes, self._limits = result_bytes, limits or caufc.Limits()
        self._name = profile_name(coder.profile)
        self._connect()

    def __getstate__(self) -> dict[str, Any]:
        own = ("_lock", "_process", "_channel", "_resume", "_profile")
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._connect()

    def resume(self, features: Any, *, timeout: float | None = None) -> Any:
        """The server's result for a sample's features.

        Raises:
            InputError: for features that the coder does not take.
            RemoteError: if the call fails; ``code`` is its status, ``busy`` says that it may succeed later.
            FormatError: for an answer that cannot be read.
        """
        return self.send(self.coder.encode(features), timeout=timeout)

    def send(self, message: bytes, *, timeout: float | None = None) -> Any:
        """The server's result for a message of the coder; raises what :meth:`resume` does."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        self._stay_in_process()
        for last in (False, True):
            try:
                data, call = self._resume.with_call(message, timeout=_left(end), metadata=((PROFILE, self._name),))
                form = dict(call.initial_metadata() or ()).get(FORM, "cauf")
            except grpc.RpcError as err:
                if last or dict(err.trailing_metadata() or ()).get(ERROR) != caufc.MissingProfileError.__name__:
                    raise self._failure(err) from err
                self._send_profile(end)
                continue
            return unpack(str(form), data, self._limits)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the connection; calls that run fail."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()
        options = [("grpc.max_receive_message_length", self._result_bytes), ("grpc.max_send_message_length", -1)]
        self._channel = (
            grpc.insecure_channel(self.address, options)
            if self.tls is None
            else grpc.secure_channel(self.address, self.tls.client(), options)
        )
        self._resume = self._channel.unary_unary(f"/{SERVICE}/{RESUME_METHOD}")
        self._profile = self._channel.unary_unary(f"/{SERVICE}/{PROFILE_METHOD}")

    def _stay_in_process(self) -> None:
        """gRPC's connections do not outlive a fork."""
        if self._process != os.getpid():
            self._connect()

    def _send_profile(self, end: float) -> None:
        """Give the server the profile, by one thread at a time."""
        with self._lock:
            try:
                self._profile(self.coder.profile, timeout=_left(end))
            except grpc.RpcError as err:
                raise self._failure(err) from err

    def _failure(self, error: grpc.RpcError) -> RemoteError:
        code, text = error.code(), error.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and ERROR not in dict(error.trailing_metadata() or ()):
            text = "no answer in time"
        remedies = {
            grpc.StatusCode.UNAVAILABLE: "is the server there, and does it speak TLS if you do?",
            grpc.StatusCode.DEADLINE_EXCEEDED: "allow more with timeout=",
        }
        return RemoteError(f"{self.address}: {text}", code, remedy=remedies.get(code))


def _left(end: float) -> float:
    return max(0.0, end - time.monotonic())
