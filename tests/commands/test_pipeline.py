"""The commands on synthetic matches: their defaults fit together, they survive kills, and their results agree."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.killing import in_child, signal_in_step
from typer.testing import CliRunner

import bas
from bas.cli import app
from bas.commands.scoring.evaluate import evaluate_run
from bas.commands.training.fit_head import fit
from bas.config import Pipeline, load
from bas.dataset import open_dataset
from bas.errors import DataError, LockedError, StoppedError
from bas.evaluate.scoring.score import Evaluation
from bas.extract.cache.reader import FeatureCache
from bas.extract.extract import cached_features, games_with_features
from bas.files import locked
from bas.heads.interop.model_folder import load_settings
from bas.heads.models.stacker import Stacker
from bas.runs import run_state
from bas.types import Game
from bas.workspace import Workspace

_SETS = ("fit.epochs=3", "fit.samples=128", "fit.batch=32", "extract.grid=[2,3]")


@pytest.fixture(scope="module")
def run(home: Path) -> Path:
    return _fit(home / "runs")


def _settings(*sets: str) -> Pipeline:
    return load("heads", head="netvlad", preset="tiny", sets=[*_SETS, *sets])


def _fit(runs: Path, *sets: str) -> Path:
    return fit(_settings(*sets), _workspace(runs))


def _workspace(runs: Path) -> Workspace:
    return Workspace(Path("data"), Path("features"), runs, "cpu", "auto")


def _evaluate(run: Path, split: str) -> Evaluation:
    return evaluate_run(run, _workspace(run.parent), split=split)


def _bas(*arguments: str) -> str:
    sets = (
        [part for setting in _SETS for part in ("--set", setting)]
        if arguments[0] in ("extract", "fit-head")
        else []
    )
    result = CliRunner().invoke(app, [*arguments, *sets])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_the_default_folders_of_the_commands_fit_together(run: Path) -> None:
    _bas("extract", "--split", "train", "--preset", "tiny")
    assert f"{Path('runs') / run.name} is already finished" in _bas("fit-head", "netvlad", "--preset", "tiny")
    printed = _bas("eval", "--tolerance", "1")
    assert "12 classes, tolerance 1 s = ±12 frames at 25 fps" in printed
    report = json.loads((run / "predictions" / "test" / "report.json").read_text())
    again = _bas(
        "eval", "--predictions", str(run / "predictions" / "test"), "--split", "test", "--json", "again.json"
    )
    assert json.loads(Path("again.json").read_text())["mAP"] == report["mAP"]
    assert "mAP@1" in again


def test_a_finished_run_holds_all_documented_files(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert names >= {
        "settings.yaml",
        "metrics.jsonl",
        "checkpoints",
        "model.safetensors",
        "config.json",
        "README.md",
    }
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    best = max(line["mAP@1"] for line in lines)
    assert json.loads((run / "config.json").read_text())["metrics"]["validation mAP@1"] == best


def test_the_saved_model_repeats_the_scores_of_its_epoch_and_of_tuning(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    kept, tuning = config["metrics"]["validation mAP@1"], config["tuning"]
    assert tuning["mAP@1 before"] == pytest.approx(kept, abs=1e-12)
    assert kept <= tuning["mAP@1 tuned"] <= tuning["mAP@1"]
    assert _evaluate(run, "valid").mean_ap == pytest.approx(tuning["mAP@1"], abs=1e-12)


def test_a_single_video_gets_the_same_predictions_as_its_match(run: Path) -> None:
    game = open_dataset(Path("data"), video="224p").split("test")[0]
    _bas("eval")
    _bas("predict", str(game.videos[0].path), "--model", str(run), "--out", "spots")
    alone = json.loads(Path("spots/results_spotting.json").read_text())["predictions"]
    scored = json.loads((run / "predictions" / "test" / game.id / "results_spotting.json").read_text())
    assert alone == scored["predictions"]
    assert len(Path("spots/events.csv").read_text().splitlines()) == len(alone) + 1


def test_the_python_api_works_as_documented(run: Path) -> None:
    """The four lines of the package docstring."""
    game = open_dataset(Path("data"), video="224p").split("test")[0]
    model = bas.load_model(run)
    assert isinstance(model, Stacker)
    assert model.classes[0] == "PASS"
    assert bas.open_cache(_cache(run).path).features.shape[1:] == (64, 2, 3)
    events = bas.predict(game.videos[0].path, model)
    assert [e.frame for e in events] == sorted(e.frame for e in events)
    _bas("eval")
    result = bas.score("data", run / "predictions" / "test", games=[g.id for g in _test_games()])
    assert 0 <= result.mean_ap <= 1


def _test_games() -> tuple[Game, ...]:
    return open_dataset(Path("data"), video="224p").split("test")


def _cache(run: Path, *, precision: str = "fp32", features: str = "features") -> FeatureCache:
    """Cached features of the test match, from the encoder of a run."""
    games = _test_games()
    settings = load_settings(run).extract.model_copy(update={"weights": str(run), "precision": precision})
    return cached_features(games, settings, features=Path(features), device="cpu")[games[0].videos[0].path]


def test_luma_and_cached_features_give_the_same_scores(run: Path) -> None:
    model = bas.load_model(run)
    assert isinstance(model, Stacker)
    cache = _cache(run)
    luma = _luma(_test_games()[0].videos[0].path)
    centers = np.arange(40, len(cache.features) - 40, 23)
    _assert_rows_agree(model, cache, luma, centers)
    windows = torch.stack([luma[np.array(model.frame_offsets) + center * cache.hop] for center in centers])
    with torch.no_grad():
        online = model(windows.float() / 255).sigmoid().numpy()
    cached = model.scores(cache).values[centers * cache.hop]
    assert np.abs(online - cached).max() <= 2e-3


def test_features_in_bf16_give_scores_close_to_fp32(run: Path) -> None:
    """Runs on any processor: torch emulates bf16 where the hardware lacks it."""
    model = bas.load_model(run)
    assert isinstance(model, Stacker)
    exact, rough = _cache(run), _cache(run, precision="bf16", features="features-bf16")
    assert (exact.header.attributes.precision, rough.header.attributes.precision) == ("fp32", "bf16")
    ours, theirs = (one.features.reshape(len(one.features), -1).astype(np.float64) for one in (exact, rough))
    cosine = (ours * theirs).sum(axis=1) / (np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1))
    assert cosine.min() > 0.99
    scores = [model.scores(one).values for one in (exact, rough)]
    assert np.abs(scores[0] - scores[1]).max() < 0.05


def _assert_rows_agree(model: Stacker, cache: FeatureCache, luma: torch.Tensor, centers: np.ndarray) -> None:
    stacks = torch.stack([luma[np.array(model.settings.extract.stack) + c * cache.hop] for c in centers])
    with torch.no_grad():
        rows = model.encode(stacks.float() / 255).numpy().astype(np.float16)
    cached = cache.features[centers]
    difference = np.abs(rows.astype(np.float64) - cached)
    step = np.spacing(np.maximum(np.abs(rows), np.abs(cached))).astype(np.float64)
    noise = 2e-6  # of fp32 itself, for values close to 0
    assert (difference <= np.maximum(step, noise)).all(), (difference - step).max()


def _luma(video: Path) -> torch.Tensor:
    import av

    with av.open(str(video)) as container:
        planes = [(np.asarray(frame.planes[0]), frame) for frame in container.decode(video=0)]
    rows = [plane.reshape(frame.height, -1)[:, : frame.width] for plane, frame in planes]
    return torch.from_numpy(np.stack(rows))


@pytest.mark.fault("T03", "T09", "P23", "P24")
@pytest.mark.parametrize(
    ("nth", "number", "status"),
    [(2, signal.SIGKILL, -9), (7, signal.SIGKILL, -9), (6, signal.SIGTERM, 75), (10, signal.SIGUSR1, 75)],
)
def test_a_resumed_run_ends_with_the_same_weights(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, number: int, status: int
) -> None:
    with monkeypatch.context() as patched:
        signal_in_step(patched, nth, number)
        assert in_child(lambda: _fit(tmp_path)) == status
    (stopped,) = tmp_path.iterdir()
    assert stopped.name == run.name
    assert not (stopped / "model.safetensors").exists()
    assert json.loads((stopped / "STATUS.json").read_text())["state"] == (
        "running" if status < 0 else "stopped"
    )
    _fit(tmp_path)
    ours, theirs = load_file(stopped / "model.safetensors"), load_file(run / "model.safetensors")
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    for one, other in zip(*(_metrics(folder) for folder in (stopped, run)), strict=True):
        assert one == other


def _metrics(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if key not in ("seconds", "train_seconds")}
        for line in lines
    ]


@pytest.mark.fault("T15")
def test_a_run_in_use_by_another_process_is_refused(run: Path) -> None:
    with locked(run / "lock", wait=False), pytest.raises(LockedError, match="another process"):
        _fit(run.parent)


def test_teams_double_the_outputs_and_are_scored(home: Path, tmp_path: Path) -> None:
    folder = _fit(tmp_path, "fit.teams=classes", "fit.epochs=1")
    assert bas.load_model(folder).classes[:3] == ("PASS-left", "PASS-right", "DRIVE-left")
    evaluation = _evaluate(folder, "test")
    assert evaluation.teams is not None
    assert len(evaluation.class_names) == 12


@pytest.mark.fault("T04")
def test_changed_training_or_validation_labels_lead_to_another_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree("data", tmp_path / "data")
    (tmp_path / "features").symlink_to(Path("features").resolve())
    monkeypatch.chdir(tmp_path)
    Path("data/manifest.json").unlink()
    dataset = open_dataset(Path("data"), video="224p")
    for split, same in (("test", True), ("valid", False), ("train", False)):
        labels = dataset.split(split)[0].labels
        assert labels is not None
        content = labels.read_bytes()
        labels.write_bytes(content + b"\n")
        with monkeypatch.context() as patched:
            patched.setattr("bas.commands.training.fit_head.fit_head", _stop)
            assert (_named(run.parent) == run.name) is same
        labels.write_bytes(content)


@pytest.mark.fault("T04")
def test_changed_settings_lead_to_another_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bas.commands.training.fit_head.fit_head", _stop)
    assert _named(run.parent) == run.name
    assert _named(run.parent, "fit.learning_rate=0.003") != run.name


@pytest.mark.fault("T02", "T16")
def test_the_best_epoch_of_a_lost_attempt_is_not_taken(run: Path, tmp_path: Path) -> None:
    again = shutil.copytree(run, tmp_path / run.name)
    (max((again / "checkpoints").iterdir()) / "training.pt").write_bytes(b"")
    for name in ("STATUS.json", "model.safetensors", "config.json"):
        (again / name).unlink()
    *kept, lost = (json.loads(line) for line in (again / "metrics.jsonl").read_text().splitlines())
    lines = [json.dumps(record) for record in (*kept, lost | {"mAP@1": 1.0})]
    (again / "metrics.jsonl").write_text("\n".join(lines))
    assert _fit(tmp_path) == again
    ours, theirs = load_file(again / "model.safetensors"), load_file(run / "model.safetensors")
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert _metrics(again) == _metrics(run)


@pytest.mark.fault("T17")
def test_a_log_that_cannot_be_written_does_not_end_a_training(run: Path, tmp_path: Path) -> None:
    def work() -> None:
        sys.stderr = os.fdopen(os.open("/dev/full", os.O_WRONLY), "w")
        _fit(tmp_path, "fit.epochs=1")

    assert in_child(work) == 0
    (folder,) = tmp_path.iterdir()
    assert run_state(folder) == "done"


def _stop(*arguments: object, **named: object) -> None:
    raise StoppedError("asked")


def _named(runs: Path, *sets: str) -> str:
    """Name of the run for these settings and data, without training it."""
    before = set(runs.iterdir())
    try:
        return _fit(runs, *sets).name
    except StoppedError:
        (folder,) = set(runs.iterdir()) - before
        return folder.name


def test_a_match_with_a_skipped_video_is_named_and_left_out(
    run: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, valid = (open_dataset(home / "data", video="224p").split(name)[0] for name in ("train", "valid"))
    settings = _settings().extract
    caches = cached_features([valid], settings, features=home / "features", device="cpu", training=[train])
    assert games_with_features([train, valid], caches) == (valid,)
    assert f"Skipped matches with a damaged video: {train.id}." in capsys.readouterr().err
    with pytest.raises(DataError, match="No match left to use.*on_bad_video=degrade"):
        games_with_features([train], caches)


def test_an_invalid_model_config_is_refused(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "model.safetensors", tmp_path)
    for text in ("[]", "{}", '{"format": 3, "settings": {}, "classes": []}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(DataError, match="does not describe a model in format 2"):
            bas.load_model(tmp_path)


@pytest.mark.fault("C03")
def test_a_damaged_model_is_refused(run: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    model = bytearray((tmp_path / "model.safetensors").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(model[: len(model) // 2])
    with pytest.raises(DataError, match="SHA-256 differs from the one in config.json"):
        bas.load_model(tmp_path)


def test_every_frame_of_a_match_has_a_score(run: Path) -> None:
    cache = _cache(run)
    model = bas.load_model(run)
    assert isinstance(model, Stacker)
    scores = model.scores(cache)
    assert scores.values.shape == (cache.num_frames, 12)
    assert ((scores.values >= 0) & (scores.values <= 1)).all()
