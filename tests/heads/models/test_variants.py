"""Every head and every training option, on rendered matches."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.killing import in_child, signal_in_step

import bas
from bas.commands.scoring.evaluate import evaluate_run
from bas.commands.training.cross_validate import fit_folds
from bas.commands.training.fit_head import fit
from bas.config import Pipeline, load
from bas.dataset import labels_of, open_dataset
from bas.errors import DataError, MissingError, SettingsError
from bas.evaluate.dense_scores import SCORES_FILE, read_scores
from bas.evaluate.postprocess.detections import detect
from bas.evaluate.scoring.score import Evaluation, score_detections
from bas.heads.inference.ensemble import load_video_model
from bas.heads.inference.predictor import load_predictor
from bas.types import Game
from bas.workspace import Workspace

_SETS = (
    "fit.epochs=1",
    "fit.samples=32",
    "fit.batch=8",
    "extract.grid=[2,3]",
    "head.dropout=0.1",
)
_SEQUENCE = ("head.clip_rows=32", "head.dim=64")


def _settings(head: str, *sets: str) -> Pipeline:
    return load("heads", head=head, preset="tiny", sets=[*_SETS, *sets])


def _games(workspace: Workspace, split: str) -> tuple[Game, ...]:
    return open_dataset(workspace.data, video="224p").split(split)


@pytest.mark.parametrize(
    ("head", "sets"),
    [
        ("linear", ()),
        ("gru", _SEQUENCE),
        ("sgp", (*_SEQUENCE, "fit.teams=output", "head.displacement=class", "head.scoring=sigmoid")),
        ("sgp", (*_SEQUENCE, "head.scoring=softmax", "fit.mixup=0.2", "fit.precision=bf16")),
        ("blocks3d", ("head.blocks=1", "fit.samples=8", "head.mode=dense")),
        ("netvlad", ("head.pool=MAX++", "fit.flip=true", "fit.teams=classes", "fit.class_probability=0.5")),
        ("netvlad", ("head.scoring=sigmoid+background", "fit.optimizer=sgd", "fit.jitter=0.5")),
    ],
)
def test_every_head_is_trained_saved_and_evaluated(
    workspace: Workspace, head: str, sets: tuple[str, ...]
) -> None:
    settings = _settings(head, *sets)
    run = fit(settings, workspace)
    config = json.loads((run / "config.json").read_text())
    kept, tuning = config["metrics"]["validation mAP@1"], config["tuning"]
    evaluation = _evaluate(run, workspace, "valid")
    assert tuning["mAP@1 before"] == pytest.approx(kept, abs=1e-12)
    assert evaluation.mean_ap == pytest.approx(tuning["mAP@1"], abs=1e-12)
    assert (evaluation.teams is None) == (settings.fit.teams == "none")
    assert len(bas.load_model(run).classes) == (12 if settings.fit.teams == "none" else 24)


def _evaluate(run: Path, workspace: Workspace, split: str) -> Evaluation:
    """Evaluate the saved model of a run."""
    dataset, model = open_dataset(workspace.data, video="224p"), load_video_model(run, device="cpu")
    games, postprocess = dataset.split(split), model.settings.peaks
    dense = load_predictor(run, workspace).dense_scores(games, split=split)
    return score_detections(
        {game.id: labels_of(game, dataset.classes).spots for game in games},
        {game: {1: detect(halves[1], postprocess)} for game, halves in dense.items()},
        classes=dataset.classes,
        fps=model.settings.extract.clock_rate,
    )


@pytest.mark.fault("T03", "P24")
def test_a_killed_training_of_a_sequence_head_ends_in_the_same_weights(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = (
        *_SEQUENCE,
        "fit.epochs=3",
        "fit.mixup=0.5",
        "fit.jitter=0.5",
        "head.scoring=softmax",
        "head.dropout=0.5",
    )
    whole = fit(_settings("sgp", *sets), workspace)
    elsewhere = replace(workspace, runs=tmp_path)
    with monkeypatch.context() as patched:
        signal_in_step(patched, 7, signal.SIGKILL)
        assert in_child(lambda: fit(_settings("sgp", *sets), elsewhere)) == -signal.SIGKILL
    again = fit(_settings("sgp", *sets), elsewhere)
    ours, theirs = (load_file(run / "model.safetensors") for run in (again, whole))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_metrics_contain_how_often_each_class_was_sampled(workspace: Workspace) -> None:
    run = fit(_settings("linear"), workspace)
    (line,) = (run / "metrics.jsonl").read_text().splitlines()
    (drawn,) = json.loads(line)["drawn"]
    assert list(drawn) == list(bas.load_model(run).classes)
    assert 0 < sum(drawn.values()) <= 32


def test_folds_write_scores_of_models_that_were_not_trained_on_the_match(workspace: Workspace) -> None:
    settings = _settings("linear")
    runs = fit_folds(settings, workspace, fold="all")
    games = (*_games(workspace, "train"), *_games(workspace, "valid"))
    assert len(runs) == len(games) == 2
    (folder,) = workspace.runs.glob("linear-folds-*")
    report = json.loads((folder / "report.json").read_text())
    assert sorted(report["games"]) == sorted(game.id for game in games)
    for game, run in zip(games, runs, strict=True):
        data = json.loads((run / "config.json").read_text())["data"]
        assert data == {"training matches": 1, "validation matches": 1}
        other = next(one for one in games if one != game)
        assert other.labels is not None
        drawn = json.loads((run / "metrics.jsonl").read_text())["drawn"][0]
        occurring = {spot.label for spot in labels_of(other, tuple(drawn)).spots}
        assert {
            name for name, count in drawn.items() if count
        } <= occurring  # in the match that was not held out
        (record,) = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        evaluate_run(run, workspace, split=_split_of(workspace, game))
        tuning = json.loads((run / "config.json").read_text())["tuning"]
        assert tuning["games"] == [game.id]
        assert tuning["mAP@1 before"] == pytest.approx(record["mAP@1"], abs=1e-12)
        scores = read_scores(folder / game.id / SCORES_FILE)[1].values
        alone = read_scores(run / "predictions" / _split_of(workspace, game) / game.id / SCORES_FILE)[
            1
        ].values
        assert np.array_equal(scores, alone)
    assert fit_folds(settings, workspace, fold="1/2") == [runs[1]]
    hard = fit(_settings("linear", f"fit.out_of_fold={folder}"), workspace)
    assert hard != fit(settings, workspace)
    with pytest.raises(MissingError, match="Missing out-of-fold scores"):
        fit(_settings("linear", f"fit.out_of_fold={folder / 'nowhere'}"), workspace)


def _split_of(workspace: Workspace, game: Game) -> str:
    return next(split for split in ("train", "valid") if game in _games(workspace, split))


@pytest.mark.parametrize("fold", ["2/2", "0/1", "0/9", "one", "-1/2"])
def test_an_invalid_fold_is_rejected(workspace: Workspace, fold: str) -> None:
    with pytest.raises(SettingsError, match="Invalid --fold .*Use `all`, or K/N with"):
        fit_folds(_settings("linear"), workspace, fold=fold)


def test_all_data_trains_on_every_labeled_match_and_keeps_the_last_epoch(workspace: Workspace) -> None:
    run = fit(_settings("linear", "fit.epochs=2"), workspace, all_data=True)
    config = json.loads((run / "config.json").read_text())
    assert config["data"] == {"training matches": 3, "validation matches": 0}
    assert config["metrics"] == {"validation mAP@1": None, "epoch": 2}


def test_a_warm_start_loads_matching_tensors_and_reports_the_rest(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    first = fit(_settings("sgp", *_SEQUENCE), workspace)
    capsys.readouterr()
    second = fit(
        _settings("sgp", *_SEQUENCE, "fit.teams=classes", f"fit.init_from={first}", "fit.learning_rate=1e-9"),
        workspace,
    )
    captured = capsys.readouterr()
    assert f"tensors from {first}" in captured.out + captured.err
    assert "classifier.layer.weight (13x64 there, 25x64 here)" in " ".join(
        (captured.out + captured.err).split()
    )
    ours, theirs = (load_file(run / "model.safetensors") for run in (second, first))
    unlike = {key for key in theirs if ours[key].shape != theirs[key].shape}
    assert unlike == {"head.classifier.layer.weight", "head.classifier.layer.bias"}
    same = [
        key
        for key in theirs
        if key.startswith("head.network") and np.allclose(ours[key], theirs[key], atol=1e-5)
    ]
    assert len(same) == len([key for key in theirs if key.startswith("head.network")])


def test_two_label_sets_train_one_head_and_only_the_first_is_saved(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bas.synthetic import synthesize

    synthesize(
        tmp_path / "older",
        matches=1,
        minutes=0.2,
        size="224x128",
        profile="even",
        layout="soccernet-v2",
        seed=8,
    )
    run = fit(_settings("linear", f"fit.second_data={tmp_path / 'older'}"), workspace)
    (line,) = (run / "metrics.jsonl").read_text().splitlines()
    ball, older = json.loads(line)["drawn"]
    assert (len(ball), len(older)) == (12, 17)
    assert not [key for key in load_file(run / "model.safetensors") if "second" in key]
    assert len(bas.load_model(run).classes) == 12


@pytest.mark.parametrize(
    ("head", "sets", "message"),
    [
        ("sgp", ("head.clip_rows=5000",), "sgp window of 5000 rows .*Set a shorter window"),
        ("blocks3d", ("extract.hop=4",), "blocks3d reads rows 0.24 s apart.*extract.hop=1, 2, 3 or 6"),
        ("gru", ("fit.teams=output",), "no team output. Use fit.teams=classes"),
        ("linear", ("fit.init_from=nowhere",), "has no model.safetensors"),
    ],
)
def test_bad_settings_are_rejected_before_any_work(
    matches: Path, tmp_path: Path, head: str, sets: tuple[str, ...], message: str
) -> None:
    workspace = Workspace(matches, tmp_path / "features", tmp_path / "runs", "cpu", "auto")
    with pytest.raises((SettingsError, MissingError), match=message):
        fit(_settings(head, *sets), workspace)
    assert not list(tmp_path.rglob("*.h5"))


def test_initializing_from_a_model_of_another_kind_is_rejected(workspace: Workspace) -> None:
    first = fit(_settings("linear"), workspace)
    with pytest.raises(DataError, match="No tensor of .* matches this head"):
        fit(_settings("gru", *_SEQUENCE, f"fit.init_from={first}", "fit.teams=classes"), workspace)


@pytest.mark.parametrize("setting", ["fit.init_from", "extract.weights"])
def test_a_start_from_a_model_that_knows_the_validation_matches_is_refused(
    workspace: Workspace, tmp_path: Path, setting: str
) -> None:
    everything = fit(_settings("linear"), workspace, all_data=True)
    elsewhere = replace(workspace, features=tmp_path / "features", runs=tmp_path / "runs")
    with pytest.raises(SettingsError, match=rf"was trained on .*validate the epochs.*: --set {setting}=RUN"):
        fit(_settings("linear", f"{setting}={everything}"), elsewhere)
    assert not list(tmp_path.iterdir())
    fit(_settings("linear", f"{setting}={everything}"), workspace, all_data=True)  # no epoch is chosen


def test_a_recipe_changed_to_another_kind_of_head_is_rejected() -> None:
    with pytest.raises(SettingsError, match="linear is a head of kind linear.*changes it to gru"):
        load("heads", head="linear", sets=["head.kind=gru"])


@pytest.mark.parametrize("recipe", sorted(path.stem for path in Path("configs/heads").glob("*.yaml")))
def test_every_recipe_loads(recipe: str) -> None:
    assert load("heads", head=recipe).head.kind
