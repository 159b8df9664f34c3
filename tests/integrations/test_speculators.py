"""The backend of vLLM's speculators: what training reads and keeps, through the registry of its connectors."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import caufc

torch = pytest.importorskip("torch")
connectors = pytest.importorskip("hs_connectors")
fp8 = pytest.importorskip("hs_connectors.fp8_utils")
save_file = pytest.importorskip("safetensors.torch").save_file
speculators = importlib.import_module("caufc.integrations.speculators")
CaufTransfer, convert, fit_profile = speculators.CaufTransfer, speculators.convert, speculators.fit_profile

ROOT = Path(__file__).resolve().parents[2]
LAYERS, CHANNELS = 3, 32


def sample(number: int, tokens: int = 64) -> dict[str, Any]:
    """States of different scale by layer, with what they have in common, and IDs that have no order."""
    generator = torch.Generator().manual_seed(number)
    common = torch.randn(CHANNELS, CHANNELS, generator=torch.Generator().manual_seed(99)) / 6
    states = torch.randn(tokens, LAYERS, CHANNELS, generator=generator) @ common
    states = states * torch.tensor([1.0, 10.0, 100.0])[:, None]
    ids = torch.randint(0, 150_000, (tokens,), generator=generator)
    return {"hidden_states": states.bfloat16(), "token_ids": ids}


def snr(before: Any, after: Any) -> float:
    """dB of the worst layer."""
    noise = (before.double() - after.double()).square().sum((0, 2))
    return float((10 * torch.log10(before.double().square().sum((0, 2)) / noise)).min())


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("fit")
    for number in range(100, 116):
        save_file(sample(number), folder / f"hs_{number}.safetensors")
    return bytes(fit_profile(folder))


def transfer_of(*arguments: str, data: str = "DATA") -> Any:
    """As the trainer makes it from a command line."""
    backend = connectors.HiddenStatesBackend.registry["caufc"]
    parser = argparse.ArgumentParser()
    backend.add_train_args(parser)
    return backend.from_train_args(parser.parse_args(arguments), data)


def test_the_backend_is_registered_and_launches_as_file_does() -> None:
    backend = connectors.HiddenStatesBackend.registry["caufc"]
    assert backend is speculators.CaufBackend
    parser = argparse.ArgumentParser()
    backend.add_launch_args(parser)
    options = parser.parse_args(["--hidden-states-path", "/states"])
    file = connectors.HiddenStatesBackend.registry["file"].build_kv_transfer_config(options)
    assert backend.build_kv_transfer_config(options) == file
    assert file["kv_connector_extra_config"] == {"shared_storage_path": "/states"}


def test_options_of_the_trainer(tmp_path: Path, profile: bytes) -> None:
    assert transfer_of().hidden_states_path == Path("DATA/hidden_states")
    assert not transfer_of().keep
    (tmp_path / "p.caufp").write_bytes(profile)
    asked = ["--hidden-states-path", str(tmp_path), "--cauf-profile", str(tmp_path / "p.caufp")]
    found = transfer_of(*asked, "--cauf-quality", "60", "--cauf-generated", "keep")
    assert (found.hidden_states_path, found.quality, found.keep) == (tmp_path, 60.0, True)
    assert transfer_of("--cauf-quality", "high").quality == "high"
    with pytest.raises(caufc.StorageError, match=r"none\.caufp"):
        transfer_of("--cauf-profile", "none.caufp")


@pytest.mark.parametrize("profiled", [False, True], ids=["blind", "profile"])
def test_what_was_kept_comes_back(tmp_path: Path, profile: bytes, profiled: bool) -> None:
    transfer = CaufTransfer(tmp_path, profile=profile if profiled else None)
    assert transfer.get_cached(3) is None
    kept = sample(3)
    path = transfer.cache(3, kept)
    assert path == tmp_path / "hs_3.cauf" and [found.name for found in tmp_path.iterdir()] == ["hs_3.cauf"]
    found = transfer.get_cached(3)
    assert {*found} == {"hidden_states", "token_ids"}
    assert torch.equal(found["token_ids"], kept["token_ids"]) and found["token_ids"].dtype == torch.int64
    assert found["hidden_states"].dtype == torch.bfloat16
    assert 15 < snr(kept["hidden_states"], found["hidden_states"]) < 60
    assert path.stat().st_size < (0.5 if profiled else 0.8) * kept["hidden_states"].nbytes


def test_the_folders_own_profile(tmp_path: Path, profile: bytes) -> None:
    (tmp_path / speculators.PROFILE).write_bytes(profile)
    CaufTransfer(tmp_path).cache(0, sample(0))
    assert CaufTransfer(tmp_path).get_cached(0) is not None
    (tmp_path / speculators.PROFILE).unlink()
    with pytest.raises(caufc.MissingProfileError, match=r"hs_0\.cauf: needs profile .*--cauf-profile, or as profile"):
        CaufTransfer(tmp_path).get_cached(0)


def test_files_of_the_other_backends_are_read(tmp_path: Path) -> None:
    save_file(sample(1), tmp_path / "hs_1.safetensors")
    states, scales = fp8.quantize_tensor_to_fp8(sample(2)["hidden_states"])
    packed = {"hidden_states": states, fp8.SCALES_KEY: scales, "token_ids": sample(2)["token_ids"]}
    save_file(packed, tmp_path / "hs_2.safetensors")
    transfer = CaufTransfer(tmp_path)
    assert torch.equal(transfer.get_cached(1)["hidden_states"], sample(1)["hidden_states"])
    found = transfer.get_cached(2)
    assert {*found} == {"hidden_states", "token_ids"} and found["hidden_states"].dtype == torch.bfloat16


def generated(folder: Path, number: int) -> dict[str, Any]:
    """What vLLM hands over of a sample."""
    folder.mkdir(exist_ok=True)
    handle = folder / f"request-{number}.safetensors"
    save_file(sample(number), handle)
    return {"hidden_states_path": str(handle)}


def test_generated_samples_are_kept_if_asked_for(tmp_path: Path) -> None:
    for keep in (False, True):
        transfer = CaufTransfer(tmp_path / str(keep), keep=keep)
        assert transfer.get_cached(7) is None
        given = generated(tmp_path / "vllm", 7)
        assert torch.equal(transfer.get_generated(given)["hidden_states"], sample(7)["hidden_states"])
        transfer.delete(given["hidden_states_path"])
        assert not Path(given["hidden_states_path"]).exists()
        assert (transfer.get_cached(7) is not None) == keep


def test_what_the_trainer_would_refuse_is_not_kept(tmp_path: Path) -> None:
    transfer = CaufTransfer(tmp_path / "kept", keep=True)
    transfer.get_cached(0)
    broken = sample(0)
    broken["hidden_states"][2, 1, 3] = float("nan")
    save_file(broken, tmp_path / "request.safetensors")
    assert transfer.get_generated({"handle": str(tmp_path / "request.safetensors")}) is not None
    assert transfer.get_cached(0) is None
    with pytest.raises(caufc.NonFiniteError, match=r"hs_0\.cauf: tensor 'hidden_states'"):
        transfer.cache(0, broken)


def test_a_sample_that_was_there_is_not_replaced_by_what_is_generated_next(tmp_path: Path) -> None:
    transfer = CaufTransfer(tmp_path, keep=True)
    before = transfer.cache(1, sample(1)).read_bytes()
    assert transfer.get_cached(0) is None and transfer.get_cached(1) is not None
    transfer.get_generated(generated(tmp_path / "vllm", 5))
    assert transfer.path_of(1).read_bytes() == before and not transfer.path_of(0).exists()


def test_threads_keep_their_own_samples(tmp_path: Path, profile: bytes) -> None:
    transfer = CaufTransfer(tmp_path, profile=profile, keep=True)
    barrier = threading.Barrier(4)

    def work(number: int) -> bool:
        assert transfer.get_cached(number) is None
        barrier.wait()
        transfer.get_generated(generated(tmp_path / "vllm", number))
        return bool(torch.equal(transfer.get_cached(number)["token_ids"], sample(number)["token_ids"]))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_a_full_disk_is_a_warning_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    transfer = CaufTransfer(tmp_path, keep=True)
    given = generated(tmp_path / "vllm", 0)
    transfer.get_cached(0)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with caplog.at_level(logging.WARNING, "speculators"):
        assert transfer.get_generated(given) is not None
    assert "not kept" in caplog.text and "hs_0.cauf: no space left on device" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["vllm"]
    with pytest.raises(caufc.StorageError, match="no space left"):
        transfer.cache(0, sample(0))


def test_a_process_that_dies_while_it_keeps_leaves_no_sample(tmp_path: Path) -> None:
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from tests.integrations.test_speculators import *;"
        "os.fsync = lambda _: os._exit(9); CaufTransfer(sys.argv[1]).cache(0, sample(0))"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path), str(ROOT)], check=False).returncode == 9
    assert len([*tmp_path.iterdir()]) == 1  # what it was writing
    transfer = CaufTransfer(tmp_path)
    assert transfer.get_cached(0) is None
    transfer.cache(0, sample(0))
    assert transfer.get_cached(0) is not None


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = CaufTransfer(tmp_path).cache(0, sample(0))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(caufc.FormatError, match=r"hs_0\.cauf: .*delete the file, and the sample is generated again"):
        CaufTransfer(tmp_path).get_cached(0)
    caufc.save(path, torch.ones(3), force=True)
    with pytest.raises(caufc.InputError, match=r"hs_0\.cauf: holds no 'hidden_states'"):
        CaufTransfer(tmp_path).get_cached(0)


def test_a_sample_of_another_width_is_refused(tmp_path: Path, profile: bytes) -> None:
    other = {"hidden_states": torch.ones(4, LAYERS, 16).bfloat16(), "token_ids": torch.arange(4)}
    with pytest.raises(caufc.InputError, match=r"hs_0\.cauf: .*profile"):
        CaufTransfer(tmp_path, profile=profile).cache(0, other)


def _read(transfer: Any, number: int, results: Any) -> None:
    found = transfer.get_cached(number)
    results.put(found["token_ids"].tolist() if found else None)


def test_it_goes_to_spawned_workers(tmp_path: Path, profile: bytes) -> None:
    transfer = CaufTransfer(tmp_path, profile=profile, keep=True)
    transfer.cache(0, sample(0))
    again = pickle.loads(pickle.dumps(transfer))
    assert again.keep and again.get_cached(0) is not None
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    child = context.Process(target=_read, args=(transfer, 0, results))
    child.start()
    assert results.get() == sample(0)["token_ids"].tolist()
    child.join()


def test_a_folder_is_converted_once(tmp_path: Path, profile: bytes) -> None:
    (tmp_path / speculators.PROFILE).write_bytes(profile)
    for number in (0, 1, 2, 10):
        save_file(sample(number), tmp_path / f"hs_{number}.safetensors")
    (tmp_path / "hs_x.safetensors").write_bytes(b"not a sample")
    assert convert(tmp_path, shard=(1, 2)) == 2
    assert sorted(path.name for path in tmp_path.glob("*.cauf")) == ["hs_1.cauf", "hs_10.cauf"]
    kept = (tmp_path / "hs_1.cauf").stat().st_mtime_ns
    assert convert(tmp_path, delete=True) == 2
    assert (tmp_path / "hs_1.cauf").stat().st_mtime_ns == kept
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["hs_x.safetensors"]
    assert torch.equal(CaufTransfer(tmp_path).get_cached(10)["token_ids"], sample(10)["token_ids"])


def test_a_profile_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(caufc.InputError, match=r"holds no hs_\*\.safetensors; generate"):
        fit_profile(tmp_path)


class _VLLM(BaseHTTPRequestHandler):
    """Answers as vLLM does where it extracts hidden states."""

    folder: Path
    asked: list[list[int]]

    def do_GET(self) -> None:
        self._answer({"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "x"}]})

    def do_POST(self) -> None:
        prompt = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["prompt"]
        self.asked.append(prompt)
        number = next(n for n in range(9) if sample(n)["token_ids"].tolist() == prompt)
        choice = {"index": 0, "text": "", "finish_reason": "length", "logprobs": None, "prompt_token_ids": prompt}
        known = {"id": "c", "object": "text_completion", "created": 0, "model": "m", "choices": [choice]}
        self._answer({**known, "kv_transfer_params": generated(self.folder, number)})

    def _answer(self, found: Any) -> None:
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def vllm(tmp_path: Path) -> Iterator[Any]:
    handler = type("Handler", (_VLLM,), {"folder": tmp_path / "vllm", "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_trainers_own_dataset_generates_once_and_then_reads(tmp_path: Path, vllm: Any) -> None:
    pytest.importorskip("speculators")
    datasets = pytest.importorskip("datasets")
    try:
        from speculators.train.data import ArrowDataset
    except ImportError as err:
        pytest.skip(f"speculators cannot be imported: {err}")
    rows = [{"input_ids": sample(n)["token_ids"].tolist(), "loss_mask": [1] * 64, "seq_len": 64} for n in range(3)]
    datasets.Dataset.from_list(rows).with_format("torch").save_to_disk(str(tmp_path / "data"))
    transfer = transfer_of("--cauf-generated", "keep", data=str(tmp_path / "data"))
    endpoint = f"http://127.0.0.1:{vllm.server_port}/v1"
    first = ArrowDataset(64, str(tmp_path / "data"), transfer, endpoint)
    exact = [first[n]["hidden_states"] for n in range(3)]
    assert len(vllm.RequestHandlerClass.asked) == 3 and not [*(tmp_path / "vllm").iterdir()]
    second = ArrowDataset(64, str(tmp_path / "data"), transfer, endpoint, on_missing="raise")
    for number, given in enumerate(exact):
        found = second[number]
        assert found["input_ids"].tolist() == rows[number]["input_ids"]
        assert found["hidden_states"].shape == given.shape == (64, (LAYERS - 1) * CHANNELS)
        assert not torch.equal(found["hidden_states"], given)
        assert (found["hidden_states"] - given).abs().mean() < 0.1 * given.abs().mean()
    assert len(vllm.RequestHandlerClass.asked) == 3


def test_the_trainers_command_line_has_the_backend() -> None:
    pytest.importorskip("speculators")
    try:
        from speculators.train.config.resolution import build_parser
    except ImportError as err:
        pytest.skip(f"speculators cannot be imported: {err}")
    options = {action.dest: action for action in build_parser()._actions}
    assert "caufc" in (options["hidden_states_backend"].choices or ())
    assert [*(options["cauf_generated"].choices or ())] == ["keep", "delete"]
    main = importlib.import_module(f"{speculators.__name__}.__main__")
    assert main.app is importlib.import_module("speculators.__main__").app


def test_the_page_is_true(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "integrations" / "speculators.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    (tmp_path / "hidden_states").mkdir()
    for number in range(4):
        save_file(sample(number), tmp_path / "hidden_states" / f"hs_{number}.safetensors")
    code = "\n".join(blocks)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert [path.name for path in (tmp_path / "hidden_states").glob("*.safetensors")] == []
