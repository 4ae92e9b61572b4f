"""`bas fit-head`: train a head on cached features, from settings to a finished run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from bas import console
from bas.config import FitSettings, Pipeline, to_yaml
from bas.config.renamed import as_in_run_names
from bas.dataset import Dataset, length_ms, open_dataset
from bas.errors import MissingError, SettingsError, memory_advice
from bas.evaluate.postprocess.search import show_tuning
from bas.evaluate.predictions import labels_of_games
from bas.extract.encode.encoder import bare_encoder
from bas.extract.encode.weights import build_encoder
from bas.extract.extract import statistics_games
from bas.files import sha256_of
from bas.heads.inference.guards import require_unseen
from bas.heads.interop.model_folder import training_games, write_model
from bas.heads.models.base import Head
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import task_of
from bas.heads.models.stacker import Stacker
from bas.heads.training.annotated_games import CachedGames, load_cached_games, readable_games
from bas.heads.training.trainer import fit_head
from bas.heads.training.training_set import TrainingSet, build_training_set, out_of_fold_file
from bas.heads.training.validation import Validation, score_cached
from bas.heads.training.warm_start import matching_tensors, model_file
from bas.messages import counted
from bas.runs import Checkpoint, open_run, run_folder
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
        SettingsError: the head cannot read these features, its window is longer than a video, or a model that it
            starts from was trained on validation matches.
        MissingError, DataError: a match, its labels or a video is missing or invalid.
        LockedError: another process is using the run.
        StoppedError: stopped by a signal; the same call resumes.
    """
    dataset = open_dataset(workspace.data, video=settings.extract.video)
    train_games, valid_games = (
        (labeled_games(dataset, "all"), ()) if all_data else (dataset.split("train"), dataset.split("valid"))
    )
    return fit_games(settings, workspace, dataset, train_games=train_games, valid_games=valid_games)


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
    second_data, video = settings.fit.second_data, settings.extract.video
    second_dataset = open_dataset(Path(second_data), video=video) if second_data else None
    outputs = target_classes(dataset.classes, teams=settings.fit.teams != "none")
    # Whatever can be refused is refused here: the next line may extract features for hours.
    head = _new_head(settings, dataset, second_dataset)
    _require_window_fits(head, (*train_games, *valid_games), settings)
    _require_fair_start(head, settings, valid_games, classes=outputs)
    files = _referenced_files(settings, train_games)
    data = _load_data(settings, workspace, dataset, second_dataset, train_games, valid_games)
    folder = run_folder(workspace.runs, settings.head.kind, _digest(settings, data, files))
    console.info(
        f"{counted(len(data.train.games), 'training match')} and "
        f"{counted(len(data.valid.games), 'validation match')} in {workspace.data}; "
        f"features in {workspace.features}; run {folder}; device {workspace.device}."
    )
    with open_run(folder, settings_yaml=to_yaml(settings)) as run:
        if run.state == "done":
            console.info(f"{folder} is already finished. Next: bas eval --run {folder}")
            return folder
        validation = _validation(data, dataset, settings, outputs)
        training_sets = _training_sets(data, settings.fit)
        with memory_advice(_memory_advice(settings.fit)), stop_on_signals() as stop:
            best = fit_head(
                head,
                training_sets,
                validation,
                settings=settings.fit,
                run=run,
                stop=stop,
                device=torch.device(workspace.device),
                classes=outputs,
            )
            stop.check()  # a signal during the last validation
        _write_run(folder, head, data, validation, best, settings, workspace, outputs)
        run.set_state("done")
    console.info(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _memory_advice(settings: FitSettings) -> str:
    smaller = max(1, settings.batch // 2)
    return f"Finished epochs are kept. Pass --set fit.batch={smaller} instead of {settings.batch}, or choose a smaller head."


@dataclass(frozen=True, slots=True)
class _Data:
    """Games of a run with their features."""

    train: CachedGames
    valid: CachedGames
    second: CachedGames | None
    """Training games of the second label set."""
    statistics_games: Sequence[Game]
    """Games that the normalization statistics of random encoder weights are computed on."""


def _new_head(settings: Pipeline, dataset: Dataset, second_dataset: Dataset | None) -> Head:
    """A head initialized from the seed."""
    width = bare_encoder(settings.extract).width
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


def _starting_models(settings: Pipeline) -> dict[str, Path]:
    """Folders of the models that the head or its encoder starts from, by the setting that names them."""
    folders = {"fit.init_from": settings.fit.init_from, "extract.weights": settings.extract.weights}
    return {
        key: Path(folder)
        for key, folder in folders.items()
        if folder and (Path(folder) / "config.json").is_file()
    }


def _require_fair_start(
    head: Head, settings: Pipeline, valid_games: Sequence[Game], *, classes: Sequence[str]
) -> None:
    """Refuse models to start from that do not fit the head, or that know the validation games."""
    if settings.fit.init_from:
        matching_tensors(head, Path(settings.fit.init_from), classes=classes)
    for key, folder in _starting_models(settings).items():
        require_unseen(folder, [game.id for game in valid_games], option=f"--set {key}=RUN")


def _referenced_files(settings: Pipeline, train_games: Sequence[Game]) -> list[Path]:
    """Files that the settings refer to. Raises MissingError if one does not exist."""
    files = [model_file(Path(settings.fit.init_from))] if settings.fit.init_from else []
    if settings.fit.out_of_fold:
        files += [out_of_fold_file(Path(settings.fit.out_of_fold), game) for game in train_games]
    return files


def _load_data(
    settings: Pipeline,
    workspace: Workspace,
    dataset: Dataset,
    second_dataset: Dataset | None,
    train_games: Sequence[Game],
    valid_games: Sequence[Game],
) -> _Data:
    """Read all annotations and features; missing features are extracted."""
    statistics_from = statistics_games(dataset, train_games, settings.extract)
    load_games = partial(
        load_cached_games, settings=settings, workspace=workspace, statistics_games=statistics_from
    )
    teams = settings.fit.teams != "none"
    return _Data(
        load_games(dataset, train_games, teams=teams, mirrored=settings.fit.flip),
        load_games(dataset, valid_games, teams=teams),
        load_games(second_dataset, second_dataset.split("train")) if second_dataset else None,
        statistics_from,
    )


def _digest(settings: Pipeline, data: _Data, files: Sequence[Path]) -> str:
    """SHA-256 in hex of the settings, labels, features and all files that the settings refer to."""
    identities = [
        None if cached is None else cached.identity() for cached in (data.train, data.valid, data.second)
    ]
    hashes = [sha256_of(file) for file in files]
    stored = as_in_run_names(settings.model_dump(mode="json", exclude={"finetune"}))
    return hashlib.sha256(json.dumps([stored, identities, hashes], sort_keys=True).encode()).hexdigest()


def _validation(
    data: _Data, dataset: Dataset, settings: Pipeline, outputs: tuple[str, ...]
) -> Validation[[Head]] | None:
    if not data.valid.games:
        return None
    dense = partial(score_cached, videos=data.valid.videos, classes=outputs)
    return Validation(dense, labels_of_games(data.valid.games), dataset.classes, settings)


def _training_sets(data: _Data, settings: FitSettings) -> list[TrainingSet]:
    """Training set of the label set, and of the second one if there is one."""
    train, second = data.train, data.second
    first = build_training_set(
        train.videos,
        target_classes(train.classes, teams=settings.teams == "classes"),
        settings,
        mirrored=train.mirrored,
        out_of_fold=Path(settings.out_of_fold) if settings.out_of_fold else None,
    )
    # The second label set has neither teams nor mirrored rows nor out-of-fold scores.
    return [first, build_training_set(second.videos, second.classes, settings)] if second else [first]


def _write_run(
    folder: Path,
    head: Head,
    data: _Data,
    validation: Validation[[Head]] | None,
    best: Checkpoint,
    settings: Pipeline,
    workspace: Workspace,
    outputs: tuple[str, ...],
) -> None:
    """Tune the post-processing, and write the model with its encoder."""
    head.classifier.second = None  # the output layer of the second label set only helped training
    tuning = None if validation is None else validation.tune(head)
    if tuning is not None:
        show_tuning(tuning)
    encoder = build_encoder(settings.extract, features=workspace.features, training=data.statistics_games)
    games = (*data.train.games, *(data.second.games if data.second else ()))
    write_model(
        folder,
        Stacker(encoder, head, settings=settings, classes=outputs),
        metrics={"validation mAP@1": best.history[-1]["mAP@1"], "epoch": best.number},
        data={"training matches": len(data.train.games), "validation matches": len(data.valid.games)},
        # The models that this one starts from pass on what they were trained on.
        trained_on={game.id for game in games}.union(
            *map(training_games, _starting_models(settings).values())
        ),
        tuning=tuning,
    )
