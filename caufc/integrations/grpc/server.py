"""The server: an event loop receives calls, a few threads decode and answer them, and what is too much is refused."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import caufc

from .profiles import Profiles
from .results import pack
from .wire import (
    ERROR,
    FORM,
    MESSAGE_BYTES,
    PROFILE,
    PROFILE_METHOD,
    RESUME_METHOD,
    SERVICE,
    SERVICE_LIMITS,
    Tls,
    status_of,
)

__all__ = ["Server"]

DETAILS = 1000
"""Characters of what a client is told."""

KEEPALIVE_MS = 60_000
"""After so long without a word a client is asked whether it is there."""

logger = logging.getLogger("caufc.grpc")


class _CallError(Exception):
    """What a call is answered with when there is no result."""

    def __init__(self, code: grpc.StatusCode, text: str, kind: str = "") -> None:
        super().__init__(text)
        self.code, self.text, self.kind = code, text[:DETAILS], kind


class Server:
    """Answers calls in the background, until it is stopped.

    Args:
        resume: features -> result: a tensor, a dict or another structure of tensors, text and numbers, or bytes.
            Features are what was sent, a sample without a batch axis. Errors of caufc's tree are told to the client,
            others are logged, and the client learns only that there was one.
        profiles: names, ``.caufp`` files or bytes of profiles that clients may rely on without sending them.
        workers: threads that decode and call ``resume``; more than one only if it may be called by several at once.
        queue: calls that wait for them; those beyond are refused with ``RESOURCE_EXHAUSTED``.
        calls: that may be open, with those whose message is still on its way.
        calls_per_host: of them, from one address.
        receive_seconds: in which a message must arrive.
        message_bytes: of a message or profile.
        sent_profiles: of clients that are kept; 0 takes none.
        limits: what a message may ask a decoder for.

    Raises:
        CaufError: for profiles that cannot be read.
    """

    def __init__(
        self,
        resume: Callable[[Any], Any],
        *,
        profiles: Iterable[str | Path | bytes] = (),
        workers: int = 1,
        queue: int = 16,
        calls: int = 256,
        calls_per_host: int = 64,
        receive_seconds: float = 30.0,
        message_bytes: int = MESSAGE_BYTES,
        sent_profiles: int = 4,
        limits: caufc.Limits = SERVICE_LIMITS,
    ) -> None:
        self._resume, self._limits = resume, limits
        self._profiles = Profiles(profiles, sent_profiles, limits)
        self._workers, self._most = workers, workers + queue
        self._calls, self._calls_per_host = calls, calls_per_host
        self._receive_seconds, self._message_bytes = receive_seconds, message_bytes
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="caufc-serve")
        self._hosts: Counter[str] = Counter()
        self._jobs = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="caufc-serve-loop", daemon=True)
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None
        self._stopped = threading.Event()

    def start(self, address: str, tls: Tls | None = None) -> int:
        """Listen on ``HOST:PORT``; returns the port, which gRPC chooses for 0.

        Raises:
            StorageError: if the address is taken or wrong, or a file of TLS cannot be used.
            OptionError: for TLS without a certificate and a key.
        """
        credentials = None if tls is None else tls.server()
        self._thread.start()
        try:
            port: int = self._run(self._start(address, credentials))
        except BaseException:
            self._end()
            raise
        return port

    def stop(self, grace: float = 5.0) -> None:
        """Take no more calls, give those that run so many seconds, and end."""
        if self._thread.is_alive():
            self._run(self._stop(grace))
        if not self._stopped.is_set():
            self._end()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is stopped; whether it was."""
        return self._stopped.wait(seconds)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def _end(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._stopped.set()

    async def _start(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        server = grpc.aio.server(
            maximum_concurrent_rpcs=self._calls,
            options=[
                ("grpc.max_receive_message_length", self._message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", self._calls_per_host),
                ("grpc.keepalive_time_ms", KEEPALIVE_MS),
                ("grpc.so_reuseport", 0),  # else two servers on one port would share its clients
            ],
        )
        handlers = {
            RESUME_METHOD: grpc.stream_unary_rpc_method_handler(self._on_resume),
            PROFILE_METHOD: grpc.stream_unary_rpc_method_handler(self._on_profile),
        }
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        try:
            port: int = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError as err:
            why = "is it taken?" if credentials is None else "is it taken, and are certificate and key in PEM form?"
            raise caufc.StorageError("cannot listen there", file=address, remedy=why) from err
        await server.start()
        for name in ("", SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server = server
        return port

    async def _stop(self, grace: float) -> None:
        await self._health.enter_graceful_shutdown()
        if self._server is not None:
            await self._server.stop(grace)

    async def _on_resume(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        named = dict(context.invocation_metadata() or ()).get(PROFILE)
        result: tuple[str, bytes] = await self._answered(messages, context, partial(self._result, profile=named))
        form, data = result
        await context.send_initial_metadata(((FORM, form),))
        return data

    async def _on_profile(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        name: str = await self._answered(messages, context, self._profiles.add)
        return name.encode()

    def _result(self, message: bytes, profile: str | bytes | None) -> tuple[str, bytes]:
        """The work of a call, in a thread."""
        if profile is None:
            features = caufc.decode(message, limits=self._limits, threads=1)
        else:
            features = self._profiles.find(str(profile)).decode(message)
        return pack(self._resume(features))

    async def _answered(
        self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext, work: Callable[[bytes], Any]
    ) -> Any:
        """What a thread makes of a call's message; failures end the call."""
        host = context.peer().rpartition(":")[0]
        self._hosts[host] += 1
        try:
            return await self._worked(host, messages, context, work)
        except _CallError as failure:
            await context.abort(failure.code, failure.text, ((ERROR, failure.kind),))
        except caufc.CaufError as err:
            if isinstance(err, caufc.LimitError):
                err.remedy = "this server allows no more"
            await context.abort(status_of(err), str(err)[:DETAILS], ((ERROR, type(err).__name__),))
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception:
            logger.exception("a call failed")
            await context.abort(grpc.StatusCode.INTERNAL, "the server's function failed; its log says why")
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    async def _worked(
        self, host: str, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext, work: Callable[[bytes], Any]
    ) -> Any:
        if self._hosts[host] > self._calls_per_host:
            raise _busy(f"busy: {self._calls_per_host} calls from this address are open")
        self._admit()
        message = await self._received(messages)
        self._admit()
        left = context.time_remaining()
        return await self._job(message, work, None if left is None else time.monotonic() + left)

    def _admit(self) -> None:
        """Refuse a call that would wait behind too many, before its message came and again when it is there."""
        if self._jobs >= self._most:
            waiting = self._most - self._workers
            raise _busy(f"busy: {self._workers} calls run and {waiting} wait; call again later")

    async def _received(self, messages: AsyncIterator[bytes]) -> bytes:
        try:
            return await asyncio.wait_for(anext(messages), self._receive_seconds)
        except TimeoutError:
            slow = f"the message did not arrive within {self._receive_seconds:g} s"
            raise _CallError(grpc.StatusCode.DEADLINE_EXCEEDED, slow) from None
        except StopAsyncIteration:
            raise _CallError(grpc.StatusCode.INVALID_ARGUMENT, "the call has no message") from None

    async def _job(self, message: bytes, work: Callable[[bytes], Any], deadline: float | None) -> Any:
        """A thread's result; a call that ends while it waits is never begun."""

        def begin() -> Any:
            if deadline is not None and time.monotonic() > deadline:
                raise _CallError(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed while the call waited")
            return work(message)

        self._jobs += 1
        job = self._pool.submit(begin)
        job.add_done_callback(self._on_done)
        return await asyncio.wrap_future(job)

    def _on_done(self, _: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._jobs -= 1


def _busy(text: str) -> _CallError:
    return _CallError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)
