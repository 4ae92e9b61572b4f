"""`bas fit-head`: matches and settings in, a finished run with a model out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from bas import console
from bas.config import FitSettings, Pipeline, to_yaml
from bas.dataset import Dataset, length_ms, open_dataset
from bas.errors import MissingError, SettingsError
from bas.evaluate.run import labels_of_games
from bas.evaluate.search import show
from bas.extract.encoder import Encoder
from bas.extract.split import training_games
from bas.extract.weights import build_encoder
from bas.files import sha256_of
from bas.heads.build import build_head
from bas.heads.clip_plan import span
from bas.heads.film import sound_games
from bas.heads.fit import fit_head
from bas.heads.head import Head
from bas.heads.lessons import Lesson, Place, prepare
from bas.heads.material import Material, gather_material, out_of_fold_file
from bas.heads.models import learned_games, write_model
from bas.heads.stacker import Stacker
from bas.heads.targets import target_classes, task_of
from bas.heads.validation import Validation
from bas.heads.warm import fitting_tensors, model_file
from bas.runs import open_run
from bas.signals import stop_on_signals
from bas.types import Game


def fit(settings: Pipeline, place: Place, *, all_data: bool = False) -> Path:
    """Fit a head on the training matches, choose its epoch on the validation matches, and keep the model.

    Rows that are missing are extracted first. The run's name follows from the settings and the data:
    the same call continues a run that was stopped, and returns at once from one that is finished.

    Args:
        settings: of the whole pipeline.
        place: of data, caches and runs.
        all_data: learn from the matches of train, valid and test alike, and keep the last epoch.

    Returns:
        The run's folder.

    Raises:
        SettingsError: the head cannot read such rows, or does not fit into the matches.
        MissingError, DataError: a match, its labels or a video is not there, or wrong.
        LockedError: another process is at work in the run.
        StoppedError: a signal came; the same call continues.
    """
    dataset = open_dataset(place.data, video=settings.extract.video)
    if all_data:
        return fit_games(settings, place, dataset, learn=labeled_games(dataset, "all"), judge=())
    return fit_games(settings, place, dataset, learn=dataset.split("train"), judge=dataset.split("valid"))


def labeled_games(dataset: Dataset, *splits: str) -> tuple[Game, ...]:
    """The games of some splits that have labels.

    Raises:
        MissingError: there is none.
    """
    games = tuple(game for split in splits for game in dataset.split(split) if game.labels is not None)
    if not games:
        raise MissingError(f"No match of {dataset.root} has labels to learn from. Look at it: bas doctor.")
    return games


def fit_games(
    settings: Pipeline, place: Place, dataset: Dataset, *, learn: Sequence[Game], judge: Sequence[Game]
) -> Path:
    """`fit` on games at hand; without any to judge by, the last epoch is kept."""
    learn, judge = (sound_games(dataset, games, settings) for games in (learn, judge))
    older = _second_dataset(settings)
    head = _new_head(settings, dataset, older)
    _require_room(head, (*learn, *judge), settings)
    columns = target_classes(dataset.classes, teams=settings.fit.teams != "none")
    if settings.fit.start_from:
        fitting_tensors(head, Path(settings.fit.start_from), classes=columns)  # refused before any work
    named = _named_files(settings, learn)
    measured = training_games(dataset, learn, settings.extract)
    gather = partial(prepare, settings=settings, place=place, measured=measured)
    teams = settings.fit.teams != "none"
    learned = gather(dataset, learn, teams=teams, mirrored=settings.fit.flip)
    judged = gather(dataset, judge, teams=teams)
    second = gather(older, older.split("train")) if older else None
    folder = place.runs / f"{settings.head.kind}-{_digest(settings, (learned, judged, second), named)[:8]}"
    console.say(
        f"{len(learned.games)} training and {len(judged.games)} validation matches of {place.data}; rows in "
        f"{place.features}, the run in {folder}, on {place.device}."
    )
    with open_run(folder, settings_yaml=to_yaml(settings)) as run, stop_on_signals() as stop:
        if run.state == "done":
            console.say(f"{folder} is finished already. Next: bas eval --run {folder}")
            return folder
        validation = (
            Validation(judged.videos, labels_of_games(judged.games), dataset.classes, columns, settings)
            if judged.games
            else None
        )
        best = fit_head(
            head,
            [_material(learned, settings.fit), *([_second_material(second, settings.fit)] if second else [])],
            validation,
            settings=settings.fit,
            run=run,
            stop=stop,
            device=torch.device(place.device),
            classes=columns,
        )
        head.classifier.second = None
        encoder = build_encoder(settings.extract, features=place.features, training=measured)
        tuning = None
        if validation is not None:
            tuning = validation.tune(head)
            show(tuning)
        write_model(
            folder,
            Stacker(encoder, head, settings=settings, classes=columns),
            metrics={"validation mAP@1": best.history[-1]["mAP@1"], "epoch": best.number},
            data={"training matches": len(learned.games), "validation matches": len(judged.games)},
            learned=_learned(learned, second, settings),
            tuning=tuning,
        )
        run.mark("done")
    console.say(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _new_head(settings: Pipeline, dataset: Dataset, older: Dataset | None) -> Head:
    """Built before any work, so that one that cannot be is refused at once; its weights are drawn from the seed."""
    width = Encoder(settings.extract.encoder).width
    torch.manual_seed(settings.fit.seed)
    task = task_of(settings, actions=len(dataset.classes), second_classes=len(older.classes) if older else 0)
    return build_head(
        settings.head, (width, *settings.extract.grid), task, row_rate=settings.extract.row_rate
    )


def _require_room(head: Head, games: Sequence[Game], settings: Pipeline) -> None:
    """Refuse a window that is longer than a video."""
    rate = settings.extract.row_rate
    window = span(head)
    for game in games:
        for video in game.videos:
            rows = int(length_ms(video.path) * rate / 1000)
            if window > rows:
                raise SettingsError(
                    f"The window of {settings.head.kind} is {window} rows ({float(window / rate):.1f} s), and "
                    f"{video.path} has {rows} ({float(rows / rate):.1f} s). Take a shorter one (head.clip_rows, "
                    "head.window_seconds, head.frames), or longer videos."
                )


def _second_dataset(settings: Pipeline) -> Dataset | None:
    if not settings.fit.second_data:
        return None
    return open_dataset(Path(settings.fit.second_data), video=settings.extract.video)


def _learned(lesson: Lesson, second: Lesson | None, settings: Pipeline) -> set[str]:
    """Ids of the games that head and encoder learned from, here or in the models that they come from."""
    named = [folder for folder in (settings.fit.start_from, settings.extract.weights) if folder]
    models = [Path(folder) for folder in named if (Path(folder) / "config.json").is_file()]
    lessons = [lesson, *([second] if second else [])]
    return {game.id for one in lessons for game in one.games}.union(*map(learned_games, models))


def _named_files(settings: Pipeline, learn: Sequence[Game]) -> list[Path]:
    """Files that the settings name; those that are not there are refused before any work."""
    files = [model_file(Path(settings.fit.start_from))] if settings.fit.start_from else []
    if settings.fit.out_of_fold:
        files += [out_of_fold_file(Path(settings.fit.out_of_fold), game) for game in learn]
    return files


def _material(lesson: Lesson, settings: FitSettings) -> Material:
    return gather_material(
        lesson.videos,
        target_classes(lesson.classes, teams=settings.teams == "classes"),
        settings,
        mirrored=lesson.mirrored,
        out_of_fold=Path(settings.out_of_fold) if settings.out_of_fold else None,
    )


def _second_material(lesson: Lesson, settings: FitSettings) -> Material:
    """Of the second label set, which tells no teams and has no scores out of fold."""
    return gather_material(lesson.videos, lesson.classes, settings)


def _digest(settings: Pipeline, lessons: Sequence[Lesson | None], named: Sequence[Path]) -> str:
    """Of the settings, the labels, the rows, and the files that settings name: SHA-256 in hex."""
    data = [None if lesson is None else lesson.identity() for lesson in lessons]
    hashes = [sha256_of(file) for file in named]
    told = json.dumps([settings.model_dump(mode="json", exclude={"finetune"}), data, hashes], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
