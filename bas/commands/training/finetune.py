"""`bas finetune-e2e`: train encoder and head together, from a starting model to a finished run."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

import bas
from bas import console
from bas.config import Pipeline, to_yaml
from bas.config.renamed import as_in_run_names
from bas.dataset import Dataset, open_dataset
from bas.errors import RunFailedError
from bas.evaluate.postprocess.search import Tuning, show_tuning
from bas.evaluate.predictions import labels_of_games
from bas.files import sha256_of, write_json
from bas.heads.finetune.clip_loader import AnnotatedTimeline, build_loader, open_annotated_videos
from bas.heads.finetune.clip_sampler import clip_shape
from bas.heads.finetune.distributed import DistributedContext, init_distributed
from bas.heads.finetune.memory import expected_bytes
from bas.heads.finetune.model import ClipModel
from bas.heads.finetune.preflight import (
    VIDEOS_FILE,
    load_starting_model,
    require_clips_fit,
    require_divisible_batch,
    require_memory,
    require_same_videos,
    video_samples,
)
from bas.heads.finetune.trainer import FinetuneTrainer, compute_precision
from bas.heads.finetune.validation import OnlineScorer
from bas.heads.inference.guards import require_unseen
from bas.heads.interop.model_folder import training_games, write_model
from bas.heads.models.stacker import Stacker
from bas.heads.training.training_set import out_of_fold_file
from bas.heads.training.validation import Validation
from bas.heads.training.warm_start import model_file
from bas.messages import counted
from bas.runs import Checkpoint, Run, open_run, run_folder, run_state
from bas.signals import StopFlag, stop_on_signals
from bas.workspace import Workspace


def finetune(start: Path, settings: Pipeline, workspace: Workspace) -> Path:
    """Train a model's encoder and head together on the training matches, and keep the best epoch.

    The run's name is derived from the settings, the data and the starting model, so the same call resumes a stopped
    run and returns immediately if the run is finished. Under torchrun every process makes this call.

    Args:
        start: folder of the run or model to start from.
        settings: settings of the whole pipeline. The extraction settings must equal those of `start`; the head
            may differ.
        workspace: folders of data and runs. Features are computed from the video, so no cache is read.

    Returns:
        The run's folder.

    Raises:
        SettingsError: the settings do not fit the model or the matches.
        MissingError, DataError: the model, a match, its labels or a video is missing or invalid.
        LockedError: another job is using the run.
        RunFailedError: training diverged, memory ran out, or another process was lost.
        StoppedError: stopped by a signal; the same call resumes.
    """
    device = torch.device(workspace.device)
    with init_distributed(device) as distributed:
        require_divisible_batch(settings, distributed)
        dataset = open_dataset(workspace.data, video=settings.extract.video)
        stacker = load_starting_model(start, settings, dataset)
        train_videos = open_annotated_videos(dataset, dataset.split("train"), settings)
        valid_videos = open_annotated_videos(dataset, dataset.split("valid"), settings)
        require_unseen(start, (video.game.id for video in valid_videos), option="--run RUN")
        digest = _digest(settings, stacker, train_videos, valid_videos, start)
        distributed.require_same(f"{digest} {bas.__version__} {torch.__version__}", what="settings and data")
        folder = run_folder(workspace.runs, "e2e", digest)
        samples = video_samples((*train_videos, *valid_videos))
        require_same_videos(folder, samples)
        if distributed.broadcast(lambda: run_state(folder)) == "done":
            console.info(f"{folder} is already finished. Next: bas eval --run {folder}")
            return folder
        shape = clip_shape(stacker.head, settings.finetune.clip_rows, settings.extract)
        require_clips_fit(train_videos, shape, settings)
        model = ClipModel(stacker, shape, settings.finetune)
        memory = _require_memory(model, settings, distributed, device)
        with _open_shared_run(folder, settings, distributed) as run, stop_on_signals(signal.SIGINT) as stop:
            if distributed.is_main:
                write_json(folder / VIDEOS_FILE, samples)
            trainer = FinetuneTrainer(
                model,
                build_loader(shape, train_videos, dataset, settings, workspace, distributed),
                _validation(valid_videos, dataset, settings, workspace, run),
                settings=settings,
                run=run,
                distributed=distributed,
                device=device,
            )
            console.info(
                f"{counted(len(train_videos), 'training video')} and "
                f"{counted(len(valid_videos), 'validation video')} in {workspace.data}; starting from "
                f"{start}; run {folder}; device {workspace.device}, "
                f"{counted(distributed.world_size, 'process')}.",
            )
            console.info(_step_description(model, settings, memory))
            best = trainer.train(stop)
            tuning = trainer.tune(stop)
            if distributed.is_main:
                show_tuning(tuning)
                _write_run(run, trainer.averaged, best, tuning, start, train_videos, valid_videos)
    console.info(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _require_memory(
    model: ClipModel, settings: Pipeline, distributed: DistributedContext, device: torch.device
) -> str:
    """Refuse a training step that is too large for the device; its precision and expected memory in words."""
    precision = compute_precision(settings.finetune, device)
    expected = expected_bytes(
        model, settings.finetune, world_size=distributed.world_size, half_precision=precision != "fp32"
    )
    require_memory(expected, settings.finetune, device)
    return f"{precision} | about {expected / 2**30:.1f} GiB per process, excluding framework overhead"


def _validation(
    videos: Sequence[AnnotatedTimeline], dataset: Dataset, settings: Pipeline, workspace: Workspace, run: Run
) -> Validation[[Stacker, DistributedContext, StopFlag]]:
    games = tuple({video.game.id: video.game for video in videos}.values())
    scorer = OnlineScorer(videos, settings, workspace.decoder, run.folder)
    return Validation(scorer, labels_of_games(games), dataset.classes, settings)


def _step_description(model: ClipModel, settings: Pipeline, memory: str) -> str:
    """One line on the size of a training step and the memory it needs."""
    shape, parameters = model.shape, list(model.stacker.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return (
        f"batch: {counted(settings.finetune.batch, 'clip')} of {shape.num_rows} rows "
        f"({float(shape.num_rows / settings.extract.row_rate):.1f} s), {shape.first_occurrence.sum()} target rows each | "
        f"{trainable:,} of {sum(p.numel() for p in parameters):,} parameters trainable | {memory}"
    )


def _write_run(
    run: Run,
    model: Stacker,
    best: Checkpoint,
    tuning: Tuning,
    start: Path,
    train_videos: Sequence[AnnotatedTimeline],
    valid_videos: Sequence[AnnotatedTimeline],
) -> None:
    """Write the model, and mark the run as finished."""
    trained_on, validated_on = (
        {video.game.id for video in videos} for videos in (train_videos, valid_videos)
    )
    write_model(
        run.folder,
        model,
        metrics={"validation mAP@1": best.history[-1]["mAP@1"], "epoch": best.history[-1]["epoch"]},
        data={
            "started from": start.name,
            "training matches": len(trained_on),
            "validation matches": len(validated_on),
        },
        trained_on=trained_on | training_games(start),
        tuning=tuning,
    )
    run.set_state("done")


def _digest(
    settings: Pipeline,
    stacker: Stacker,
    train_videos: Sequence[AnnotatedTimeline],
    valid_videos: Sequence[AnnotatedTimeline],
    start: Path,
) -> str:
    """SHA-256 in hex of settings, labels, names and sizes of videos, and all files that the settings refer to."""
    data = [
        [
            video.game.id,
            sha256_of(video.game.labels) if video.game.labels else "",
            video.video.path.name,
            video.video.path.stat().st_size,
        ]
        for video in (*train_videos, *valid_videos)
    ]
    files = [model_file(start)]
    if settings.fit.out_of_fold:
        folds = Path(settings.fit.out_of_fold)
        files += [out_of_fold_file(folds, video.game) for video in train_videos]
    stored = as_in_run_names(settings.model_dump(mode="json"))
    identity = [stored, stacker.classes, data, [sha256_of(file) for file in files]]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


@contextmanager
def _open_shared_run(folder: Path, settings: Pipeline, distributed: DistributedContext) -> Iterator[Run]:
    """The run, shared by all processes: the main process holds its lock, the others record it if they lose that one."""
    with ExitStack() as stack:
        run = Run(folder)
        if distributed.is_main:
            run = stack.enter_context(open_run(folder, settings_yaml=to_yaml(settings)))
        distributed.gather(None)  # no other process may read the run before the main one has created it
        try:
            with distributed.report_failures():
                yield run
        except RunFailedError as error:  # the lost process may be the main one, which then records nothing
            if not distributed.is_main and run.state == "running":
                run.set_state("failed", reason=str(error), code=error.exit_code)
            raise
