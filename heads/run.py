"""`bas fit-head`: matches and settings in, a finished run with a model out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from bas import console
from bas.config import Pipeline, to_yaml
from bas.dataset import Dataset, labels_of, open_dataset, require_left_right
from bas.evaluate.run import labels_of_games
from bas.extract.cache import FeatureCache
from bas.extract.decode import Decoder
from bas.extract.run import cached_rows
from bas.extract.weights import build_encoder
from bas.files import sha256_of
from bas.heads.build import build_head
from bas.heads.fit import fit_head
from bas.heads.material import cached_videos, gather_material, with_rows
from bas.heads.models import write_model
from bas.heads.stacker import Stacker
from bas.heads.targets import target_classes
from bas.heads.validation import Validation
from bas.runs import open_run
from bas.signals import stop_on_signals
from bas.types import Game, Spot, Video


def fit(settings: Pipeline, *, data: Path, features: Path, runs: Path, device: str, decoder: Decoder) -> Path:
    """Fit a head on the training matches, choose its epoch on the validation matches, and keep the model.

    Rows that are missing are extracted first. The run's name follows from the settings and the data:
    the same call continues a run that was stopped, and returns at once from one that is finished.

    Returns:
        The run's folder.

    Raises:
        MissingError, DataError: a match, its labels or a video is not there, or wrong.
        LockedError: another process is at work in the run.
        StoppedError: a signal came; the same call continues.
    """
    dataset = open_dataset(data, video=settings.extract.video)
    train, valid = dataset.split("train"), dataset.split("valid")
    outputs = target_classes(dataset.classes, teams=settings.fit.teams == "classes")
    labels = {game.id: _labels(game, dataset, settings) for game in (*train, *valid)}
    caches = cached_rows(
        (*train, *valid), settings.extract, features=features, device=device, decoder=decoder, training=train
    )
    learned, judged = with_rows(train, caches), with_rows(valid, caches)
    folder = runs / f"{settings.head.kind}-{_digest(settings, learned, judged, caches)[:8]}"
    console.say(
        f"{len(learned)} training and {len(judged)} validation matches of {data}; rows in {features}, the run in "
        f"{folder}, on {device}."
    )
    with open_run(folder, settings_yaml=to_yaml(settings)) as run, stop_on_signals() as stop:
        if run.state == "done":
            console.say(f"{folder} is finished already. Next: bas eval --run {folder}")
            return folder
        material = gather_material(cached_videos(learned, caches, labels), outputs, settings.fit)
        validation = Validation(
            videos=cached_videos(judged, caches, labels),
            labels=labels_of_games(judged),
            classes=dataset.classes,
            outputs=outputs,
            settings=settings,
        )
        torch.manual_seed(settings.fit.seed)
        head = build_head(
            settings.head, material.bank.row_shape, classes=len(outputs), row_rate=settings.extract.row_rate
        )
        best = fit_head(head, material, validation, run=run, stop=stop, device=torch.device(device))
        encoder = build_encoder(settings.extract, features=features, training=train)
        write_model(
            folder,
            Stacker(encoder, head, settings=settings, classes=outputs),
            metrics={"validation mAP@1": best.history[-1]["mAP@1"], "epoch": best.epoch},
            data={"training matches": len(learned), "validation matches": len(judged)},
        )
        run.mark("done")
    console.say(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _labels(game: Game, dataset: Dataset, settings: Pipeline) -> tuple[Spot, ...]:
    labels = labels_of(game, dataset.classes)
    if settings.fit.teams == "classes":
        require_left_right(labels, source=str(game.labels))
    return labels.spots


def _digest(
    settings: Pipeline, train: Sequence[Game], valid: Sequence[Game], caches: Mapping[Path, FeatureCache]
) -> str:
    """Of the settings, the labels, and the rows: SHA-256 in hex."""

    def rows_of(video: Video) -> tuple[str, str]:
        cache = caches[video.path]
        return cache.fingerprint, cache.video.sha256

    data = [
        (game.id, sha256_of(game.labels) if game.labels else "", [rows_of(video) for video in game.videos])
        for game in (*train, *valid)
    ]
    told = json.dumps([settings.model_dump(mode="json"), len(train), data], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()
