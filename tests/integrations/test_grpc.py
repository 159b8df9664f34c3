"""Split inference over gRPC: real servers and clients on this machine, and clients that are slow, broken or hostile."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caufc

grpc = pytest.importorskip("grpc")
health = pytest.importorskip("grpc_health.v1.health_pb2")
health_grpc = pytest.importorskip("grpc_health.v1.health_pb2_grpc")
service = importlib.import_module("caufc.integrations.grpc")
wire = importlib.import_module("caufc.integrations.grpc.wire")
results = importlib.import_module("caufc.integrations.grpc.results")
Client, Server, RemoteError, Tls = service.Client, service.Server, service.RemoteError, service.Tls
Status = grpc.StatusCode

ROOT = Path(__file__).resolve().parents[2]
ARCH = "timm/resnet18?pretrained=false"
GENERATOR = np.random.default_rng(0)
MIX = GENERATOR.standard_normal((8, 8)).astype(np.float32)


def features(tokens: int = 20) -> Any:
    return GENERATOR.standard_normal((tokens, 8)).astype(np.float32) @ MIX


def mean(given: Any) -> Any:
    return given.mean(0)


@pytest.fixture(scope="module")
def coder() -> caufc.Coder:
    return caufc.Coder.fit([features() for _ in range(40)], layout="n c")


@pytest.fixture
def start(coder: caufc.Coder) -> Iterator[Callable[..., tuple[Any, Any]]]:
    """Starts a server with a function and options; gives a client and the server."""
    opened: list[Any] = []

    def begin(resume: Callable[[Any], Any] = mean, **options: Any) -> tuple[Any, Any]:
        server = Server(resume, **options)
        client = Client(f"127.0.0.1:{server.start('127.0.0.1:0')}", coder, timeout=20)
        opened.extend([client, server])
        return client, server

    yield begin
    for each in opened:
        each.close() if isinstance(each, Client) else each.stop(0)


def code_of(call: Callable[[], Any]) -> Any:
    with pytest.raises(RemoteError) as told:
        call()
    return told.value.code


def test_the_server_goes_on_from_what_the_client_sent(start: Any, coder: caufc.Coder) -> None:
    given: list[Any] = []

    def resume(received: Any) -> Any:
        given.append(received)
        return mean(received)

    client, _ = start(resume)
    for tokens in (20, 7):
        sent = features(tokens)
        expected = coder.decode(coder.encode(sent))
        np.testing.assert_array_equal(client.resume(sent), expected.mean(0))
        np.testing.assert_array_equal(given.pop(), expected)


def test_the_profile_goes_once_and_again_when_the_server_lost_it(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = start(sent_profiles=1)
    taken: list[bytes] = []
    add = server._profiles.add

    def counted(data: bytes) -> Any:
        taken.append(data)
        return add(data)

    monkeypatch.setattr(server._profiles, "add", counted)
    for _ in range(3):
        client.resume(features())
    assert taken == [client.coder.profile]
    other = Client(client.address, caufc.Coder.fit([features() for _ in range(30)], layout="n c", quality=80))
    other.resume(features())
    client.resume(features())
    assert taken == [client.coder.profile, other.coder.profile, client.coder.profile]
    other.close()


def test_profiles_of_the_server(start: Any, coder: caufc.Coder) -> None:
    client, _ = start(profiles=[coder.profile], sent_profiles=0)
    client.resume(features())
    refused, _ = start(sent_profiles=0)
    with pytest.raises(RemoteError, match="this server takes no profiles") as told:
        refused.resume(features())
    assert told.value.code is Status.INVALID_ARGUMENT


def test_a_file_that_stands_for_itself_needs_no_profile(start: Any) -> None:
    client, _ = start()
    sent = features()
    channel = grpc.insecure_channel(client.address)
    answer = channel.unary_unary(f"/{wire.SERVICE}/Resume")(caufc.encode(sent, lossless=True))
    np.testing.assert_array_equal(results.unpack("safetensors", answer, caufc.Limits()), sent.mean(0))
    channel.close()


RESULTS: list[Any] = [
    GENERATOR.standard_normal((2, 3)),
    GENERATOR.standard_normal((2, 3)).astype(">f4"),
    np.float32(2.5),
    {"logits": features(), "top": np.array([3, 1])},
    {"logits": features(), "label": "cat", "parts": [np.zeros(2), {"x": np.ones(1)}]},
    {"label": "cat", "score": 0.5, "others": ["dog", None]},
    "text",
    b"\x00bytes",
    {},
    np.full(2, np.nan),
]


@pytest.mark.parametrize("result", RESULTS, ids=[str(number) for number in range(len(RESULTS))])
def test_results_come_back_as_they_were(start: Any, result: Any) -> None:
    client, _ = start(lambda _: result)
    np.testing.assert_equal(client.resume(features()), result)


def test_torch_goes_through(start: Any) -> None:
    torch = pytest.importorskip("torch")
    client, _ = start(lambda x: {"a": x.mean(0), "b": x.bfloat16().requires_grad_()[1:]})
    found = client.resume(torch.from_numpy(features()))
    assert found["a"].dtype == torch.float32 and found["b"].dtype == torch.bfloat16 and found["b"].shape == (19, 8)


def test_what_the_function_raises(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    def resume(given: Any) -> Any:
        if len(given) == 1:
            raise caufc.InputError("one token is too few")
        raise ValueError("secret")

    client, _ = start(resume)
    with pytest.raises(RemoteError, match="one token is too few") as told:
        client.resume(features(1))
    assert told.value.code is Status.INVALID_ARGUMENT
    with caplog.at_level(logging.ERROR, "caufc.grpc"), pytest.raises(RemoteError, match="function failed") as told:
        client.resume(features())
    assert told.value.code is Status.INTERNAL and "secret" not in str(told.value)
    assert "ValueError: secret" in caplog.text


@pytest.mark.parametrize("garbage", [b"", b"garbage" * 99, b"\x89CAUF\r\n\x1a\x01" + bytes(40)])
def test_garbage_is_told_and_the_server_goes_on(start: Any, garbage: bytes) -> None:
    client, _ = start()
    assert code_of(lambda: client.send(garbage)) is Status.INVALID_ARGUMENT
    message = client.coder.encode(features())
    for cut in (1, len(message) // 2, len(message) - 1):
        assert code_of(partial(client.send, message[:cut])) is Status.INVALID_ARGUMENT
    channel = grpc.insecure_channel(client.address)
    with pytest.raises(grpc.RpcError) as told:
        channel.unary_unary(f"/{wire.SERVICE}/Profile")(garbage)
    assert told.value.code() is Status.INVALID_ARGUMENT
    channel.close()
    assert client.resume(features()).shape == (8,)


def test_a_bomb_is_refused_before_memory_is_taken(start: Any) -> None:
    client, _ = start(lambda x: x.shape, limits=replace(service.SERVICE_LIMITS, output_bytes=1 << 20))
    bomb = caufc.encode(np.zeros((1, 1 << 22), np.float32), lossless=True)
    assert len(bomb) < 1000
    tracemalloc.start()
    with pytest.raises(RemoteError, match="over the limit") as told:
        client.send(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told.value.code is Status.INVALID_ARGUMENT and peak < 1 << 22
    with grpc.insecure_channel(client.address) as channel, pytest.raises(grpc.RpcError) as raw:
        channel.unary_unary(f"/{wire.SERVICE}/Resume")(bomb)
    assert "over the limit" in raw.value.details()
    strict, _ = start(limits=caufc.Limits(output_bytes=100))
    with pytest.raises(RemoteError, match=r"output bytes: [0-9]+ is over the limit of 100; this server allows no more"):
        strict.resume(features())


def test_long_messages_are_refused_by_the_transport(start: Any) -> None:
    client, _ = start(message_bytes=1 << 16)
    with pytest.raises(RemoteError, match=r"(?i)message larger than max") as told:
        client.send(bytes(1 << 17))
    assert told.value.code is Status.RESOURCE_EXHAUSTED
    assert client.resume(features()).shape == (8,)


def test_calls_beyond_the_queue_are_refused_at_once(start: Any) -> None:
    free, running = threading.Event(), threading.Semaphore(0)

    def resume(given: Any) -> Any:
        running.release()
        assert free.wait(20)
        return mean(given)

    client, server = start(resume, queue=2)
    client.coder.encode(features())
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(client.resume, features())
        assert running.acquire(timeout=20)
        waiting = [pool.submit(client.resume, features()) for _ in range(2)]
        while server._jobs < 3:
            time.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(RemoteError, match="busy: 1 calls run and 2 wait; call again later") as told:
            client.resume(features())
        assert told.value.busy and time.monotonic() - began < 10
        free.set()
        assert all(call.result().shape == (8,) for call in (first, *waiting))
    assert client.resume(features()).shape == (8,)


def test_deadlines(start: Any) -> None:
    free, begun = threading.Event(), []

    def resume(given: Any) -> Any:
        begun.append(len(given))
        assert free.wait(20)
        return mean(given)

    client, server = start(resume)
    with ThreadPoolExecutor(2) as pool:
        running = pool.submit(client.resume, features(3))
        while not begun:
            time.sleep(0.01)
        with pytest.raises(RemoteError, match="no answer in time; allow more with timeout=") as told:
            client.resume(features(4), timeout=0.2)
        assert told.value.code is Status.DEADLINE_EXCEEDED and not told.value.busy
        while server._jobs > 1:  # what waited for a client that has gone is dropped
            time.sleep(0.01)
        free.set()
        running.result()
    assert begun == [3]


def half_a_call(address: str, method: str = "Resume") -> socket.socket:
    """A connection that announces a message of 1,000 bytes, and sends 10."""
    host, _, port = address.rpartition(":")
    peer = socket.create_connection((host, int(port)))

    def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
        return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body

    def text(value: str) -> bytes:
        return bytes([len(value)]) + value.encode()

    fields = {":method": "POST", ":scheme": "http", ":path": f"/{wire.SERVICE}/{method}", ":authority": "x"}
    fields |= {"te": "trailers", "content-type": "application/grpc"}
    header = b"".join(b"\x00" + text(name) + text(value) for name, value in fields.items())
    data = b"\x00" + (1000).to_bytes(4, "big") + bytes(10)
    peer.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, header) + frame(0, 0, 1, data)
    )
    return peer


def open_calls(server: Any) -> int:
    return sum(server._hosts.values())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_slow_senders_keep_no_thread_and_are_ended(start: Any) -> None:
    client, server = start(receive_seconds=1.5)
    slow = [half_a_call(client.address) for _ in range(20)]
    until(lambda: open_calls(server) == 20)
    assert client.resume(features()).shape == (8,)
    until(lambda: open_calls(server) == 0)
    assert client.resume(features()).shape == (8,)
    for peer in slow:
        peer.settimeout(20)
        heard = b""
        while b"grpc-status" not in heard and (part := peer.recv(4096)):
            heard += part
        assert b"did not arrive within 1.5 s" in heard
        peer.close()


def test_slow_senders_of_one_address_leave_room_for_others(start: Any) -> None:
    client, server = start(calls=16, calls_per_host=4)
    slow = [half_a_call(client.address) for _ in range(8)]
    until(lambda: open_calls(server) == 4)
    with pytest.raises(RemoteError, match="busy: 4 calls from this address are open") as told:
        client.resume(features())
    assert told.value.busy
    server._hosts["ipv4:127.0.0.1"] -= 4  # as if they came from elsewhere
    assert client.resume(features()).shape == (8,)
    server._hosts["ipv4:127.0.0.1"] += 4
    for peer in slow:
        peer.close()


def test_those_who_leave_in_the_middle(start: Any) -> None:
    client, server = start()
    for _ in range(10):
        half_a_call(client.address).close()
    client.resume(features())
    until(lambda: open_calls(server) == 0 and server._jobs == 0)
    assert client.resume(features()).shape == (8,)


def test_a_client_that_leaves_while_its_call_runs(start: Any) -> None:
    free, begun = threading.Event(), threading.Event()

    def resume(given: Any) -> Any:
        begun.set()
        assert free.wait(20)
        return mean(given)

    client, server = start(resume)
    gone = Client(client.address, client.coder)
    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(gone.resume, features())
        assert begun.wait(20)
        gone.close()
        with pytest.raises(RemoteError):
            lost.result()
    assert server._jobs == 1
    free.set()
    until(lambda: server._jobs == 0)
    assert client.resume(features()).shape == (8,)


def test_threads_share_a_client(start: Any) -> None:
    client, _ = start(lambda x: x, queue=64)
    with ThreadPoolExecutor(4) as pool:
        sent = [features(tokens) for tokens in range(1, 33)]
        for before, after in zip(sent, pool.map(client.resume, sent), strict=True):
            np.testing.assert_array_equal(after, client.coder.decode(client.coder.encode(before)))


def test_a_client_can_be_pickled(start: Any) -> None:
    client, _ = start()
    with pickle.loads(pickle.dumps(client)) as again:
        assert again.resume(features()).shape == (8,)


def test_health(start: Any) -> None:
    client, server = start()
    with grpc.insecure_channel(client.address) as channel:
        check = health_grpc.HealthStub(channel).Check
        for name in ("", wire.SERVICE):
            assert check(health.HealthCheckRequest(service=name)).status == health.HealthCheckResponse.SERVING
    server.stop()
    assert server.wait(0)
    with pytest.raises(RemoteError, match="is the server there") as told:
        client.resume(features())
    assert told.value.code is Status.UNAVAILABLE


def test_a_server_that_never_started_ends(tmp_path: Path) -> None:
    with Server(mean) as server:
        pass
    assert server.wait(0)
    with pytest.raises(caufc.StorageError), Server(mean) as server:
        server.start("127.0.0.1:0", Tls(tmp_path / "none", tmp_path / "none"))


def test_an_address_that_is_taken(start: Any) -> None:
    client, _ = start()
    with pytest.raises(caufc.StorageError, match="cannot listen there; is it taken") as told:
        Server(mean).start(client.address)
    assert told.value.file == client.address


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates of an authority, a server and a client."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        try:
            subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("needs openssl")

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost")
    for name in ("server", "client"):
        openssl("req", *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    return folder


def test_tls(coder: caufc.Coder, pem: Path) -> None:
    with Server(mean) as server:
        address = f"127.0.0.1:{server.start('127.0.0.1:0', Tls(pem / 'server.pem', pem / 'server.key'))}"
        with Client(address, coder, tls=Tls(ca=pem / "ca.pem")) as client:
            assert client.resume(features()).shape == (8,)
        for other in (None, Tls()):
            with Client(address, coder, tls=other, timeout=5) as client:
                assert code_of(partial(client.resume, features())) is Status.UNAVAILABLE


def test_tls_of_both_sides(coder: caufc.Coder, pem: Path) -> None:
    own = Tls(pem / "server.pem", pem / "server.key", pem / "ca.pem")
    with Server(mean) as server:
        address = f"127.0.0.1:{server.start('127.0.0.1:0', own)}"
        known = Tls(pem / "client.pem", pem / "client.key", pem / "ca.pem")
        with Client(address, coder, tls=known) as client:
            assert client.resume(features()).shape == (8,)
        with Client(address, coder, tls=Tls(ca=pem / "ca.pem"), timeout=5) as client:
            assert code_of(lambda: client.resume(features())) is Status.UNAVAILABLE


def test_files_of_tls_that_cannot_be_used(coder: caufc.Coder, tmp_path: Path) -> None:
    with pytest.raises(caufc.OptionError, match="certificate and its key"):
        Server(mean).start("127.0.0.1:0", Tls("a.pem"))
    with pytest.raises(caufc.StorageError, match=r"none\.pem: no such file"):
        Server(mean).start("127.0.0.1:0", Tls("none.pem", "none.key"))
    (tmp_path / "x").write_text("no certificate")
    with pytest.raises(caufc.StorageError, match="PEM"):
        Server(mean).start("127.0.0.1:0", Tls(tmp_path / "x", tmp_path / "x"))
    with pytest.raises(caufc.OptionError, match="go together"):
        Client("127.0.0.1:1", coder, tls=Tls(certificate=tmp_path / "x"))


@pytest.mark.parametrize(("form", "data"), [("safetensors", b"x"), ("json", b"{"), ("other", b""), ("cauf", b"x")])
def test_answers_that_cannot_be_read(form: str, data: bytes) -> None:
    with pytest.raises(caufc.FormatError):
        results.unpack(form, data, caufc.Limits())


def test_what_no_form_holds() -> None:
    with pytest.raises(caufc.InputError):
        results.pack(object())


def test_importing_caufc_loads_no_grpc() -> None:
    code = "import sys, caufc; caufc.encode; caufc.Coder; from caufc.cli import main; print('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"


def test_a_backbone_behind_a_tap() -> None:
    """The tap's features of one image give what the whole network gives."""
    torch, timm = pytest.importorskip("torch"), pytest.importorskip("timm")
    del timm
    try:
        runtime = caufc.default_manager().runtime(ARCH)
    except caufc.PluginError as err:
        pytest.skip(str(err))
    with torch.inference_mode():
        inputs = torch.rand(1, 3, 64, 64)
        given = runtime.extract(inputs, ["layer3"])["layer3"]
        expected = runtime.resume(given, "layer3")[0]
    resume = service.resume_of(ARCH, "layer3")
    torch.testing.assert_close(resume(given[0]), expected)
    torch.testing.assert_close(resume(given[0].numpy()), expected)
    with pytest.raises(caufc.InputError, match="one tensor"):
        resume({"a": given[0]})
    with pytest.raises(caufc.UnknownNameError, match="unknown tap"):
        service.resume_of(ARCH, "nowhere")


def test_the_page_is_true(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "integrations" / "grpc.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, env=environment, check=True)
    for option in re.findall(r"(?<=[`(])(--[a-z-]+)", page):
        assert f'"{option}"' in (ROOT / "caufc" / "cli" / "serve.py").read_text("utf-8") + '"--limit"'
