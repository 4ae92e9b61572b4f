"""`bas fit-head`: matches and settings in, a finished run with a model out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from bas import console
from bas.config import Pipeline, to_yaml
from bas.dataset import Dataset, labels_of, open_dataset, require_left_right
from bas.dataset.times import length_ms
from bas.errors import MissingError, SettingsError
from bas.evaluate.dense import SCORES_FILE
from bas.evaluate.run import labels_of_games
from bas.extract.cache import FeatureCache
from bas.extract.decode import Decoder
from bas.extract.encoder import Encoder
from bas.extract.run import cached_rows
from bas.extract.split import training_games
from bas.extract.weights import build_encoder
from bas.files import sha256_of
from bas.heads.build import build_head
from bas.heads.fit import fit_head
from bas.heads.head import Head
from bas.heads.material import Material, cached_videos, gather_material, with_rows
from bas.heads.models import write_model
from bas.heads.stacker import Stacker
from bas.heads.targets import target_classes, task_of
from bas.heads.validation import Validation
from bas.runs import open_run
from bas.signals import stop_on_signals
from bas.types import Game, Spot, Video


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fit finds and leaves things, and what it computes on."""

    data: Path
    features: Path
    runs: Path
    device: str
    decoder: Decoder


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
    outputs = target_classes(dataset.classes, teams=settings.fit.teams == "classes")
    labels = {game.id: _labels(game, dataset, settings) for game in (*learn, *judge)}
    second = _second_dataset(settings)
    head = _new_head(settings, dataset, second)
    _require_room(head, learn, settings)
    measured = training_games(dataset, learn, settings.extract)
    caches = _rows((*learn, *judge), settings, place, measured)
    learned, judged = with_rows(learn, caches), with_rows(judge, caches) if judge else ()
    mirrored = _rows(learned, _mirrored(settings), place, measured) if settings.fit.flip else None
    folder = place.runs / f"{settings.head.kind}-{_digest(settings, learned, judged, caches)[:8]}"
    console.say(
        f"{len(learned)} training and {len(judged)} validation matches of {place.data}; rows in "
        f"{place.features}, the run in {folder}, on {place.device}."
    )
    with open_run(folder, settings_yaml=to_yaml(settings)) as run, stop_on_signals() as stop:
        if run.state == "done":
            console.say(f"{folder} is finished already. Next: bas eval --run {folder}")
            return folder
        material = gather_material(
            cached_videos(learned, caches, labels),
            outputs,
            settings.fit,
            mirrored=mirrored,
            out_of_fold=Path(settings.fit.out_of_fold) if settings.fit.out_of_fold else None,
        )
        materials = [material, _second_material(second, settings, place, measured)] if second else [material]
        columns = target_classes(dataset.classes, teams=settings.fit.teams != "none")
        validation = Validation(
            videos=cached_videos(judged, caches, labels),
            labels=labels_of_games(judged),
            classes=dataset.classes,
            columns=columns,
            settings=settings,
        )
        best = fit_head(
            head,
            materials,
            validation if judged else None,
            settings=settings.fit,
            run=run,
            stop=stop,
            device=torch.device(place.device),
        )
        head.classifier.second = None
        encoder = build_encoder(settings.extract, features=place.features, training=measured)
        write_model(
            folder,
            Stacker(encoder, head, settings=settings, classes=columns),
            metrics={"validation mAP@1": best.history[-1]["mAP@1"], "epoch": best.epoch},
            data={"training matches": len(learned), "validation matches": len(judged)},
        )
        run.mark("done")
    console.say(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _new_head(settings: Pipeline, dataset: Dataset, second: Dataset | None) -> Head:
    """Built before any work, so that a head that cannot be is refused at once; its weights are drawn from the seed."""
    width = Encoder(settings.extract.encoder).width
    torch.manual_seed(settings.fit.seed)
    task = task_of(
        settings, actions=len(dataset.classes), second_classes=len(second.classes) if second else 0
    )
    return build_head(
        settings.head, (width, *settings.extract.grid), task, row_rate=settings.extract.row_rate
    )


def _require_room(head: Head, games: Sequence[Game], settings: Pipeline) -> None:
    """Refuse a window that is longer than a video."""
    rate = settings.extract.row_rate
    window = int(head.offsets[-1] - head.offsets[0] + 1)
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


def _second_material(
    dataset: Dataset, settings: Pipeline, place: Place, measured: Sequence[Game]
) -> Material:
    """What the second label set's training matches teach; their teams do not count."""
    games = dataset.split("train")
    plain = settings.model_copy(update={"fit": settings.fit.model_copy(update={"teams": "none"})})
    labels = {game.id: _labels(game, dataset, plain) for game in games}
    caches = _rows(games, settings, place, measured)
    learned = with_rows(games, caches)
    return gather_material(cached_videos(learned, caches, labels), dataset.classes, plain.fit)


def _mirrored(settings: Pipeline) -> Pipeline:
    flipped = settings.extract.model_copy(update={"flip": not settings.extract.flip})
    return settings.model_copy(update={"extract": flipped})


def _rows(
    games: Sequence[Game], settings: Pipeline, place: Place, measured: Sequence[Game]
) -> dict[Path, FeatureCache]:
    return cached_rows(
        games,
        settings.extract,
        features=place.features,
        device=place.device,
        decoder=place.decoder,
        training=measured,
    )


def _labels(game: Game, dataset: Dataset, settings: Pipeline) -> tuple[Spot, ...]:
    labels = labels_of(game, dataset.classes)
    if settings.fit.teams != "none":
        require_left_right(labels, source=str(game.labels))
    return labels.spots


def _digest(
    settings: Pipeline, learned: Sequence[Game], judged: Sequence[Game], caches: Mapping[Path, FeatureCache]
) -> str:
    """Of the settings, the labels, the rows, and the files that settings name: SHA-256 in hex."""

    def rows_of(video: Video) -> tuple[str, str]:
        cache = caches[video.path]
        return cache.fingerprint, cache.video.sha256

    data = [
        (game.id, sha256_of(game.labels) if game.labels else "", [rows_of(video) for video in game.videos])
        for game in (*learned, *judged)
    ]
    named = [Path(settings.fit.start_from) / "model.safetensors"] if settings.fit.start_from else []
    if settings.fit.out_of_fold:
        named += [Path(settings.fit.out_of_fold) / game.id / SCORES_FILE for game in learned]
    hashes = [sha256_of(file) for file in named if file.is_file()]
    told = json.dumps([settings.model_dump(mode="json"), len(learned), data, hashes], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
