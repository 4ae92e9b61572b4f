"""What a joint training starts from, and what is refused before any of its work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from bas.config import FinetuneSettings, Pipeline
from bas.dataset import Dataset
from bas.dataset.games import listing
from bas.errors import SettingsError
from bas.heads.build import build_head
from bas.heads.clip_plan import ClipShape, span
from bas.heads.film import FilmedVideo
from bas.heads.memory import memory_of
from bas.heads.merged import load_stacker
from bas.heads.models import learned_games
from bas.heads.processes import Processes
from bas.heads.stacker import Stacker
from bas.heads.targets import target_classes, task_of
from bas.heads.warm import warm_start

_ROWS = ("clock", "encoder", "stack", "hop", "height", "width", "grid")
"""Settings of extraction that a model was made for."""


def starting_stacker(start: Path, settings: Pipeline, dataset: Dataset) -> Stacker:
    """The model to start from, on the CPU; with a new head where settings or classes ask for another.

    Raises:
        SettingsError: the settings do not fit the model.
        MissingError, DataError: the model is not there, or wrong.
    """
    model = load_stacker(start, device="cpu")
    theirs, ours = model.settings.extract, settings.extract
    changed = [name for name in _ROWS if getattr(theirs, name) != getattr(ours, name)]
    if changed:
        raise SettingsError(
            f"{start} reads rows with "
            + ", ".join(f"extract.{name}={getattr(theirs, name)}" for name in changed)
            + ", and the settings ask for others. Leave these settings out, or fit a head on such rows first."
        )
    teams = settings.fit.teams
    columns = target_classes(dataset.classes, teams=teams != "none")
    head = model.head
    same_output = columns == model.classes and (teams == "output") == (model.settings.fit.teams == "output")
    if not same_output or settings.head != model.settings.head:
        torch.manual_seed(settings.finetune.seed)
        task = task_of(settings, actions=len(dataset.classes))
        head = build_head(settings.head, head.row_shape, task, row_rate=settings.extract.row_rate)
        warm_start(head, start, classes=columns)
    window, rows = span(head), settings.finetune.clip_rows
    if rows is not None and rows < window:
        raise SettingsError(
            f"finetune.clip_rows={rows} is less than the {window} rows that the head reads. Take {window} or more."
        )
    return Stacker(model.encoder, head, settings=settings, classes=columns)


def require_unseen(start: Path, judged: Sequence[FilmedVideo]) -> None:
    """Refuse to choose epochs by matches that the model to start from learned from."""
    seen = sorted(learned_games(start) & {item.game.id for item in judged})
    if seen:
        raise SettingsError(
            f"{start} learned from {listing(seen)}, by which epochs are chosen: scores there would flatter. Start from "
            "a run of the training matches alone: --run RUN."
        )


def require_shares(settings: Pipeline, processes: Processes) -> None:
    """Refuse a batch that processes cannot share."""
    if settings.finetune.batch % processes.world:
        raise SettingsError(
            f"finetune.batch={settings.finetune.batch} clips cannot be shared by {processes.world} processes. Make "
            f"it a multiple: --set finetune.batch={processes.world * max(1, settings.finetune.batch // processes.world)}."
        )


def require_footage(videos: Sequence[FilmedVideo], shape: ClipShape, settings: Pipeline) -> None:
    """Refuse clips that no training video can fill."""
    longest, rate = max((len(item.timeline.rows) for item in videos), default=0), settings.extract.row_rate
    if videos and shape.rows > longest:
        raise SettingsError(
            f"A clip has {shape.rows} rows ({float(shape.rows / rate):.1f} s), and the longest training video "
            f"{longest} ({float(longest / rate):.1f} s). Lower finetune.clip_rows, or take a head that reads fewer rows."
        )


def require_memory(expected: int, settings: FinetuneSettings, device: torch.device) -> None:
    """Refuse a step that the machine cannot hold."""
    there = memory_of(device)
    if expected > there:
        raise SettingsError(
            f"About {expected / 2**30:.1f} GiB are expected to be needed, and {device} has {there / 2**30:.1f} GiB. "
            f"Lower finetune.clip_rows, finetune.chunk_rows (now {settings.chunk_rows}), finetune.shuffle_clips (now "
            f"{settings.shuffle_clips}) or finetune.batch (now {settings.batch}), set finetune.checkpointing=true, or "
            "freeze more of the encoder: finetune.freeze."
        )
