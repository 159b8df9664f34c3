"""Runs: what is measured, kept, extended and left out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import caufc
from caufc.errors import CaufError, InputError
from caufc.evaluate import fold, worker
from caufc.evaluate.experiment import ExperimentOptions, make_experiment
from caufc.evaluate.feature_file import FeatureFile
from caufc.evaluate.methods import CodecMethod, Method, find_methods, hyperprior
from caufc.evaluate.pool import WorkerPool
from caufc.evaluate.rivals.registry import find_families
from caufc.evaluate.run import EvaluationRun
from caufc.evaluate.summary import summarise
from caufc.evaluate.sweep import Sweep
from caufc.evaluate.worker import CallCost, CodingJob, CodingResult

MANAGER = caufc.PluginManager([metadata.EntryPoint("tiny", "evaluate.tiny_task", "caufc")])
BLIND = CodecMethod("blind", "caufc, blind", Sweep("quality", (20.0, 60.0), divisible=True, low=0, high=100))
TASK = CodecMethod("task", "caufc, task-aware", Sweep("quality", (40.0, 60.0)), fitted="task")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points are coded in this process, which measures neither time nor memory."""

    def code(_: WorkerPool, job: CodingJob) -> CodingResult:
        try:
            return worker.code(job)
        except CaufError as err:
            raise InputError(err.message, remedy=err.remedy) from err

    monkeypatch.setattr(WorkerPool, "code", code)
    monkeypatch.setattr(worker, "measured", lambda run: (run(), CallCost(1e-3, 0.0)))
    monkeypatch.setattr(worker, "_warm_up", lambda _: None)


def run_of(
    work: Path, methods: Sequence[Method], task: str = "tiny/maps", *, both_halves: bool = False
) -> EvaluationRun:
    pytest.importorskip("torch")
    experiment = make_experiment(ExperimentOptions(None, tasks=[task], both_halves=both_halves), MANAGER, work)
    work.mkdir(exist_ok=True)
    return EvaluationRun(experiment.tasks, methods, work, 2)


def test_a_run_measures_and_finds_again_what_it_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods: list[Method] = [BLIND, TASK, *find_families(["fp16"])]
    curves = run_of(tmp_path / "w", methods).measure()
    assert [(found.method.key, found.failures) for found in curves] == [("blind", {}), ("task", {}), ("fp16", {})]
    for found in curves:
        assert (found.samples, found.numel, found.layout) == (40, 40 * 8 * 16, "b c h w")
        assert all(point.bpfp == 8 * point.bytes / found.numel for point in found.points)
        assert [point.bpfp for point in found.points] == sorted(point.bpfp for point in found.points)
        assert all(point.encode_mib >= 0 and point.decode_mb_s > 0 for point in found.points)
    blind, task, fp16 = curves
    assert fp16.points[0].agrees(fp16.reference).all()
    assert blind.points[0].agrees(blind.reference).mean() < 0.99, "the curve goes on downwards"
    assert task.points[-1].bytes < fp16.points[0].bytes / 4

    def forbidden(*_: object) -> None:
        raise AssertionError("everything was measured already")

    monkeypatch.setattr(WorkerPool, "code", forbidden)
    monkeypatch.setattr(fold, "fit_profile", forbidden)
    again = run_of(tmp_path / "w", methods).measure()
    assert [found.points for found in again] == [found.points for found in curves]

    results = summarise(curves, "fp16", {"tiny/maps": {"middle"}})
    json.dumps(results, allow_nan=False)
    (tap,) = results["taps"]
    assert tap["place"] == "read-out"
    assert tap["accuracy"] == pytest.approx(float((fp16.reference == fp16.labels).mean()))
    first = tap["methods"][0]["points"][0]
    assert first["agreement"]["low"] <= first["agreement"]["value"] <= first["agreement"]["high"]
    assert "top1" not in first
    assert next(s for s in results["summary"] if s["key"] == "task")["fewer_than_anchor"]["0.99"]["all"]["mean"] > 4


@pytest.mark.usefixtures("at_once")
def test_samples_may_have_several_predictions(tmp_path: Path) -> None:
    curves = run_of(tmp_path / "w", [BLIND, TASK, *find_families(["fp16"])], "tiny/text").measure()
    for found in curves:
        assert found.failures == {} and found.reference.shape == (40, 16)
    blind, task, _ = curves
    shares = blind.points[0].agrees(blind.reference)
    assert shares.shape == (40,) and 0 < shares.mean() < 0.99 and not {*shares} <= {0.0, 1.0}
    assert task.points[-1].agrees(task.reference).mean() > shares.mean()
    results = summarise(curves, "fp16", {})
    json.dumps(results, allow_nan=False)
    assert results["taps"][0]["accuracy"] is None and results["taps"][0]["samples"] == 40


@pytest.mark.usefixtures("at_once")
def test_progress_is_of_what_is_left_to_do(tmp_path: Path) -> None:
    """FeatureFile points take no time: what remains would else seem to be done in none."""
    methods: list[Method] = [BLIND, *find_families(["fp16", "blosc2"])]
    run_of(tmp_path / "w", methods).measure()
    for store in (tmp_path / "w" / "points").rglob("blosc2.json"):
        store.unlink()
    calls: list[tuple[str, float]] = []
    run = run_of(tmp_path / "w", methods)
    run.progress = lambda what, done, total: calls.append((what, done / total))
    run.jobs = 1
    run.measure()
    before = [share for what, share in calls if "blosc2" not in what]
    after = [share for what, share in calls if "blosc2" in what]
    assert before and not any(before)
    assert after == sorted(after) and after[-1] == 1


@pytest.mark.usefixtures("at_once")
def test_points_close_in_on_where_predictions_begin_to_stand(tmp_path: Path) -> None:
    rated = CodecMethod("rated", "caufc, rated", Sweep("bpfp", (0.125, 4.125), divisible=True, low=0, high=8))
    (found,) = run_of(tmp_path / "w", [rated]).measure()
    stands = [bool(point.agrees(found.reference).mean() >= 0.99) for point in found.points]
    first = len(stands) - stands[::-1].index(False)
    around = [point.setting["bpfp"] for point in found.points[first - 1 : first + 1]]
    assert around[1] - around[0] == 0.5, "4 bits between the two settings, halved three times"


def test_points_of_other_features_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "w" / "points" / "tiny_maps" / "middle" / "fp16.json"
    run_of(tmp_path / "w", find_families(["fp16"])).measure()
    kept = json.loads(path.read_text())
    kept["fingerprint"]["features"] = "other"
    kept["points"]["bits 16"]["bytes"] = 1
    path.write_text(json.dumps(kept))
    (found,) = run_of(tmp_path / "w", find_families(["fp16"])).measure()
    assert found.points[0].bytes > 1


def test_what_cannot_be_coded_is_a_failure_of_its_curve(tmp_path: Path) -> None:
    refused = CodecMethod("refused", "refused", Sweep("quality", (20.0,)), {"align": "nonsense"})
    (found,) = run_of(tmp_path / "w", [refused]).measure()
    assert found.points == ()
    assert "nonsense" in found.failures["quality 20"]
    json.dumps(summarise([found], "refused", {}), allow_nan=False)


def test_a_task_that_cannot_be_loaded_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(CaufError, match="no network here"):
        run_of(tmp_path / "w", [BLIND], "tiny/broken").measure()


def test_a_worker_answers_with_its_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown rival 'nobody'"):
        WorkerPool().code(_job(tmp_path, "nobody"))


def _job(folder: Path, rival: str) -> CodingJob:
    FeatureFile.of(np.zeros((2, 3), np.float32), "b c").save(folder / "x.npy")
    return CodingJob(str(folder / "x.npy"), str(folder / "y.npy"), rival, {"bits": 4}, {})


def test_codecs_that_are_not_installed_are_left_out() -> None:
    absent = hyperprior("absent", "absent", None)
    absent = CodecMethod(**{**vars(absent), "module": "caufc.codec.never"})
    methods, missing = find_methods(None, ["int"], [BLIND, absent])
    assert [method.key for method in methods] == ["blind", "int"]
    assert missing == {"absent": "this version of caufc does not have it"}


def test_codecs_without_weights_for_a_task_are_left_out(tmp_path: Path) -> None:
    single = hyperprior("single", "single", {"other/task": tmp_path})
    run = run_of(tmp_path / "w", [single])
    assert run.measure() == []
    assert run.skipped == {"single on tiny/maps": "there are no weights for it"}


@pytest.mark.usefixtures("at_once")
def test_both_halves_are_tested_with_what_the_other_one_fits(tmp_path: Path) -> None:
    methods: list[Method] = [TASK, *find_families(["fp16"])]
    one, _ = run_of(tmp_path / "one", methods).measure()
    task, fp16 = run_of(tmp_path / "both", methods, both_halves=True).measure()
    assert (task.samples, task.numel) == (one.samples + 40, one.numel + 40 * 8 * 16)
    assert len(list((tmp_path / "both" / "profiles").rglob("*.caufp"))) == 2, "one per half"
    assert task.points[0].bytes > one.points[0].bytes and len(task.points[0].top1) == len(task.labels) == 80
    assert task.points[0].top1[:40] == one.points[0].top1, "the test half comes first"
    assert fp16.points[0].agrees(fp16.reference).all() and fp16.points[0].bpfp < 16.5
