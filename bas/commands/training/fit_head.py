"""`bas fit-head`: train a head on cached features, from settings to a finished run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from bas import console
from bas.config import FitSettings, Pipeline, to_yaml
from bas.config.renamed import under_former_names
from bas.dataset import Dataset, length_ms, open_dataset
from bas.errors import MissingError, SettingsError
from bas.evaluate.postprocess.search import show_tuning
from bas.evaluate.predictions import labels_of_games
from bas.extract.encode.encoder import Encoder
from bas.extract.encode.weights import build_encoder
from bas.extract.extract import statistics_games
from bas.files import sha256_of
from bas.heads.interop.model_folder import training_games, write_model
from bas.heads.models.base import Head
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import task_of
from bas.heads.models.stacker import Stacker
from bas.heads.training.annotated_games import CachedGames, load_cached_games, readable_games
from bas.heads.training.dataset import TrainingSet, build_training_set, out_of_fold_file
from bas.heads.training.trainer import fit_head
from bas.heads.training.validation import Validation, score_cached
from bas.heads.training.warm_start import matching_tensors, model_file
from bas.runs import open_run
from bas.signals import stop_on_signals
from bas.types import Game
from bas.vocabulary import target_classes
from bas.workspace import Workspace


def fit(settings: Pipeline, workspace: Workspace, *, all_data: bool = False) -> Path:
    """Train a head on the training matches, select the epoch on the validation matches, and save the model.

    Missing features are extracted first. The run's name is derived from the settings and the data, so the same
    call resumes a stopped run and returns immediately if the run is finished.

    Args:
        settings: settings of the whole pipeline.
        workspace: folders of data, feature caches and runs; device and decoder.
        all_data: train on every labeled match of any split, without validation, and keep the last epoch.

    Returns:
        The run's folder.

    Raises:
        SettingsError: the head cannot read these features, or its window is longer than a video.
        MissingError, DataError: a match, its labels or a video is missing or invalid.
        LockedError: another process is using the run.
        StoppedError: stopped by a signal; the same call resumes.
    """
    dataset = open_dataset(workspace.data, video=settings.extract.video)
    if all_data:
        return fit_games(
            settings, workspace, dataset, train_games=labeled_games(dataset, "all"), valid_games=()
        )
    return fit_games(
        settings, workspace, dataset, train_games=dataset.split("train"), valid_games=dataset.split("valid")
    )


def labeled_games(dataset: Dataset, *splits: str) -> tuple[Game, ...]:
    """Labeled games of the given splits, in order.

    Raises:
        MissingError: no game has labels.
    """
    games = tuple(game for split in splits for game in dataset.split(split) if game.labels is not None)
    if not games:
        raise MissingError(
            f"No match in {dataset.root} has labels to train on. Check the folder with bas doctor."
        )
    return games


def fit_games(
    settings: Pipeline,
    workspace: Workspace,
    dataset: Dataset,
    *,
    train_games: Sequence[Game],
    valid_games: Sequence[Game],
) -> Path:
    """Train on given games, as `fit` does; without validation games, keep the last epoch."""
    train_games, valid_games = (
        readable_games(games, settings.extract) for games in (train_games, valid_games)
    )
    second_dataset = _second_dataset(settings)
    head = _new_head(settings, dataset, second_dataset)
    _require_window_fits(head, (*train_games, *valid_games), settings)
    outputs = target_classes(dataset.classes, teams=settings.fit.teams != "none")
    if settings.fit.init_from:
        matching_tensors(
            head, Path(settings.fit.init_from), classes=outputs
        )  # refuse unknown tensors before any work
    files = _referenced_files(settings, train_games)
    statistics_from = statistics_games(dataset, train_games, settings.extract)
    load_games = partial(
        load_cached_games, settings=settings, workspace=workspace, statistics_games=statistics_from
    )
    teams = settings.fit.teams != "none"
    cached_train = load_games(dataset, train_games, teams=teams, mirrored=settings.fit.flip)
    cached_valid = load_games(dataset, valid_games, teams=teams)
    second = load_games(second_dataset, second_dataset.split("train")) if second_dataset else None
    digest = _digest(settings, (cached_train, cached_valid, second), files)
    folder = workspace.runs / f"{settings.head.kind}-{digest[:8]}"
    console.info(
        f"{len(cached_train.games)} training and {len(cached_valid.games)} validation matches in {workspace.data}; "
        f"features in {workspace.features}; run {folder}; device {workspace.device}."
    )
    with open_run(folder, settings_yaml=to_yaml(settings)) as run, stop_on_signals() as stop:
        if run.state == "done":
            console.info(f"{folder} is already finished. Next: bas eval --run {folder}")
            return folder
        validation = (
            Validation(
                partial(score_cached, videos=cached_valid.videos, classes=outputs),
                labels_of_games(cached_valid.games),
                dataset.classes,
                settings,
            )
            if cached_valid.games
            else None
        )
        best = fit_head(
            head,
            [
                _training_set(cached_train, settings.fit),
                *([_second_training_set(second, settings.fit)] if second else []),
            ],
            validation,
            settings=settings.fit,
            run=run,
            stop=stop,
            device=torch.device(workspace.device),
            classes=outputs,
        )
        head.classifier.second = None  # the output layer of the second label set only helped training
        encoder = build_encoder(settings.extract, features=workspace.features, training=statistics_from)
        tuning = None
        if validation is not None:
            tuning = validation.tune(head)
            show_tuning(tuning)
        write_model(
            folder,
            Stacker(encoder, head, settings=settings, classes=outputs),
            metrics={"validation mAP@1": best.history[-1]["mAP@1"], "epoch": best.number},
            data={"training matches": len(cached_train.games), "validation matches": len(cached_valid.games)},
            trained_on=_training_game_ids(cached_train, second, settings),
            tuning=tuning,
        )
        run.set_state("done")
    console.info(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _new_head(settings: Pipeline, dataset: Dataset, second_dataset: Dataset | None) -> Head:
    """A head initialized from the seed; built before any work, so that invalid settings fail at once."""
    width = Encoder(settings.extract.encoder).width
    torch.manual_seed(settings.fit.seed)  # after the encoder, whose initial weights use the generator too
    task = task_of(
        settings,
        actions=len(dataset.classes),
        second_classes=len(second_dataset.classes) if second_dataset else 0,
    )
    return build_head(
        settings.head, (width, *settings.extract.grid), task, row_rate=settings.extract.row_rate
    )


def _require_window_fits(head: Head, games: Sequence[Game], settings: Pipeline) -> None:
    """Raise SettingsError if the head's window is longer than a video."""
    rate = settings.extract.row_rate
    window = head.window_rows
    for game in games:
        for video in game.videos:
            rows = int(length_ms(video.path) * rate / 1000)
            if window > rows:
                raise SettingsError(
                    f"The {settings.head.kind} window of {window} rows ({float(window / rate):.1f} s) is longer than "
                    f"{video.path}, {rows} rows ({float(rows / rate):.1f} s). Set a shorter window (head.clip_rows, "
                    "head.window_seconds or head.frames), or use longer videos."
                )


def _second_dataset(settings: Pipeline) -> Dataset | None:
    if not settings.fit.second_data:
        return None
    return open_dataset(Path(settings.fit.second_data), video=settings.extract.video)


def _training_game_ids(cached: CachedGames, second: CachedGames | None, settings: Pipeline) -> set[str]:
    """Ids of the games that head and encoder were trained on, in this run or in the models they start from."""
    folders = [folder for folder in (settings.fit.init_from, settings.extract.weights) if folder]
    models = [Path(folder) for folder in folders if (Path(folder) / "config.json").is_file()]
    all_cached = [cached, *([second] if second else [])]
    return {game.id for one in all_cached for game in one.games}.union(*map(training_games, models))


def _referenced_files(settings: Pipeline, train_games: Sequence[Game]) -> list[Path]:
    """Files that the settings refer to. Raises MissingError, before any work, if one does not exist."""
    files = [model_file(Path(settings.fit.init_from))] if settings.fit.init_from else []
    if settings.fit.out_of_fold:
        files += [out_of_fold_file(Path(settings.fit.out_of_fold), game) for game in train_games]
    return files


def _training_set(cached: CachedGames, settings: FitSettings) -> TrainingSet:
    return build_training_set(
        cached.videos,
        target_classes(cached.classes, teams=settings.teams == "classes"),
        settings,
        mirrored=cached.mirrored,
        out_of_fold=Path(settings.out_of_fold) if settings.out_of_fold else None,
    )


def _second_training_set(cached: CachedGames, settings: FitSettings) -> TrainingSet:
    """Training set of the second label set, which has no teams and no out-of-fold scores."""
    return build_training_set(cached.videos, cached.classes, settings)


def _digest(settings: Pipeline, all_cached: Sequence[CachedGames | None], files: Sequence[Path]) -> str:
    """SHA-256 in hex of the settings, labels, features and all files that the settings refer to."""
    data = [None if cached is None else cached.identity() for cached in all_cached]
    hashes = [sha256_of(file) for file in files]
    stored = under_former_names(settings.model_dump(mode="json", exclude={"finetune"}))
    return hashlib.sha256(json.dumps([stored, data, hashes], sort_keys=True).encode()).hexdigest()
