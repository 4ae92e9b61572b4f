"""Starting model of stage 3, and checks that refuse an impossible training run before any work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from bas.config import FinetuneSettings, Pipeline
from bas.dataset import Dataset
from bas.errors import DataError, SettingsError
from bas.files import read_json, sample_of
from bas.heads.finetune.clip_loader import AnnotatedTimeline
from bas.heads.finetune.clip_sampler import ClipShape
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.finetune.memory import device_memory
from bas.heads.inference.ensemble import load_stacker
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import task_of
from bas.heads.models.stacker import Stacker
from bas.heads.training.training_set import AnnotatedVideo
from bas.heads.training.warm_start import warm_start
from bas.messages import listing
from bas.vocabulary import target_classes

_FEATURE_SETTINGS = ("clock", "encoder", "stack", "hop", "height", "width", "grid")

"""Extraction settings that must equal those of the starting model."""

VIDEOS_FILE = "videos.json"
"""File of a run with samples of its videos."""


def load_starting_model(start: Path, settings: Pipeline, dataset: Dataset) -> Stacker:
    """Load the model to start from, on the CPU; build a new head where settings or classes require one.

    Raises:
        SettingsError: the settings do not fit the model, or ask for a second label set.
        MissingError, DataError: the model is missing or damaged.
    """
    if settings.fit.second_data:
        raise SettingsError(
            f"fit.second_data={settings.fit.second_data}: only fit-head trains on a second label set. Leave it out: "
            "--set 'fit.second_data=\"\"'."
        )
    model = load_stacker(start, device="cpu")
    theirs, ours = model.settings.extract, settings.extract
    changed = [name for name in _FEATURE_SETTINGS if getattr(theirs, name) != getattr(ours, name)]
    if changed:
        raise SettingsError(
            f"The extraction settings differ from those of {start}, which has "
            + ", ".join(f"extract.{name}={getattr(theirs, name)}" for name in changed)
            + ". Remove these settings, or first fit a head with them."
        )
    teams = settings.fit.teams
    columns = target_classes(dataset.classes, teams=teams != "none")
    head = model.head
    # "classes" and "output" give the same columns, but different output layers.
    same_output = columns == model.classes and (teams == "output") == (model.settings.fit.teams == "output")
    if not same_output or settings.head != model.settings.head:
        torch.manual_seed(settings.finetune.seed)
        task = task_of(settings, actions=len(dataset.classes))
        head = build_head(settings.head, head.row_shape, task, row_rate=settings.extract.row_rate)
        warm_start(head, start, classes=columns)
    window, rows = head.window_rows, settings.finetune.clip_rows
    if rows is not None and rows < window:
        raise SettingsError(
            f"finetune.clip_rows={rows} is less than the {window} rows of the head's window. Use {window} or more."
        )
    return Stacker(model.encoder, head, settings=settings, classes=columns)


def require_divisible_batch(settings: Pipeline, distributed: DistributedContext) -> None:
    """Refuse a batch that the processes cannot share evenly."""
    batch, world_size = settings.finetune.batch, distributed.world_size
    if batch % world_size:
        raise SettingsError(
            f"finetune.batch={batch} is not divisible by the number of processes, {world_size}. Use a multiple: "
            f"--set finetune.batch={world_size * max(1, batch // world_size)}."
        )


def require_clips_fit(videos: Sequence[AnnotatedTimeline], shape: ClipShape, settings: Pipeline) -> None:
    """Refuse clips that are longer than every training video."""
    longest = max((len(video.timeline.rows) for video in videos), default=0)
    rate = settings.extract.row_rate
    if videos and shape.num_rows > longest:
        raise SettingsError(
            f"A clip has {shape.num_rows} rows ({float(shape.num_rows / rate):.1f} s), but the longest training video "
            f"has only {longest} ({float(longest / rate):.1f} s). Lower finetune.clip_rows, or choose a head with a "
            "shorter window."
        )


def require_memory(expected: int, settings: FinetuneSettings, device: torch.device) -> None:
    """Refuse a training step that needs more memory than the device has."""
    available = device_memory(device)
    if expected > available:
        raise SettingsError(
            f"A training step needs about {expected / 2**30:.1f} GiB, but {device} has {available / 2**30:.1f} GiB. "
            f"Lower finetune.clip_rows, finetune.chunk_rows (now {settings.chunk_rows}), finetune.shuffle_clips (now "
            f"{settings.shuffle_clips}) or finetune.batch (now {settings.batch}), set finetune.checkpointing=true, or "
            "freeze more of the encoder (finetune.freeze)."
        )


def video_samples(videos: Iterable[AnnotatedVideo]) -> dict[str, str]:
    """Hash of a sample of each video by game and name, which tells apart videos of the same size."""
    return {f"{one.game.id}/{one.video.path.name}": sample_of(one.video.path) for one in videos}


def require_same_videos(run: Path, samples: Mapping[str, str]) -> None:
    """Refuse to resume a run, or to take it for finished, if a video was replaced by another of the same size.

    The names of runs depend on sizes alone, so that those of earlier versions are found. A run of an earlier version
    has no samples, and is not checked.

    Raises:
        DataError: a video was replaced.
    """
    file = run / VIDEOS_FILE
    recorded = read_json(file) if file.is_file() else {}
    if not isinstance(recorded, dict):
        raise DataError(f"{file} is damaged. Delete it and run the same command again.")
    replaced = [name for name, sample in samples.items() if recorded.get(name, sample) != sample]
    if replaced:
        raise DataError(
            f"{run} was trained on other videos than those that are now at {listing(replaced)}. Restore them, or delete "
            f"{run} to train anew."
        )
