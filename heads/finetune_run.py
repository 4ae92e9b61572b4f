"""`bas finetune-e2e`: a fitted head and its encoder in, a finished stacker out."""

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
from bas.dataset import Dataset, open_dataset
from bas.errors import RunFailedError
from bas.evaluate.run import labels_of_games
from bas.evaluate.search import show
from bas.extract.stacks import canvas_of
from bas.files import sha256_of
from bas.heads.clip_plan import ClipShape, clip_shape
from bas.heads.clips import slots_of
from bas.heads.film import FilmedVideo, film, supply_of
from bas.heads.finetune import Finetune, joint_precision
from bas.heads.finetune_start import (
    require_footage,
    require_memory,
    require_shares,
    require_unseen,
    starting_stacker,
)
from bas.heads.joint import JointModel
from bas.heads.joint_validation import JointValidation
from bas.heads.lessons import Place
from bas.heads.material import out_of_fold_file
from bas.heads.memory import expected_bytes
from bas.heads.models import learned_games, write_model
from bas.heads.processes import Processes, joined
from bas.heads.stacker import Stacker
from bas.heads.warm import model_file
from bas.runs import Run, open_run, run_state
from bas.signals import stop_on_signals


def finetune(start: Path, settings: Pipeline, place: Place) -> Path:
    """Train a model's encoder and head together on the training matches, and keep the best epoch.

    The run's name follows from the settings, the data and the model to start from: the same call
    continues a run that was stopped, and returns at once from one that is finished. Under torchrun every
    process makes this call.

    Args:
        start: folder of the run or model to start from.
        settings: of the whole pipeline; rows have to be those of `start`, the head may be another.
        place: of data and runs; rows are made anew from the video, so caches are not used.

    Returns:
        The run's folder.

    Raises:
        SettingsError: the settings do not fit the model or the matches.
        MissingError, DataError: the model, a match, its labels or a video is not there, or wrong.
        LockedError: another process is at work in the run.
        RunFailedError: training diverged, memory ran out, or another process was lost.
        StoppedError: a signal came; the same call continues.
    """
    device = torch.device(place.device)
    with joined(device) as processes:
        require_shares(settings, processes)
        dataset = open_dataset(place.data, video=settings.extract.video)
        stacker = starting_stacker(start, settings, dataset)
        learned = film(dataset, dataset.split("train"), settings)
        judged = film(dataset, dataset.split("valid"), settings)
        require_unseen(start, judged)
        digest = _digest(settings, stacker, learned, judged, start)
        processes.require_same(f"{digest} {bas.__version__} {torch.__version__}", what="settings and data")
        folder = place.runs / f"e2e-{digest[:8]}"
        if processes.from_first(lambda: run_state(folder)) == "done":
            console.say(f"{folder} is finished already. Next: bas eval --run {folder}")
            return folder
        shape = clip_shape(stacker.head, settings.finetune.clip_rows)
        require_footage(learned, shape, settings)
        slots, precision = slots_of(shape, settings), joint_precision(settings.finetune, device)
        model = JointModel(stacker, shape, slots, settings.finetune)
        expected = expected_bytes(
            model,
            shape,
            settings.finetune,
            size=canvas_of(settings.extract).padded,
            slots=len(slots.ticks),
            processes=processes.world,
            half=precision != "fp32",
        )
        require_memory(expected, settings.finetune, device)
        with _opened(folder, settings, processes) as run, stop_on_signals(signal.SIGINT) as stop:
            training = _prepare(model, shape, learned, judged, dataset, settings, place, run, processes)
            console.say(
                f"{len(learned)} training and {len(judged)} validation videos of {place.data}; from {start}, the "
                f"run in {folder}, on {place.device}, {processes.world} process{'es' * (processes.world > 1)}.",
            )
            console.say(_told(model, shape, settings, expected=expected, precision=precision))
            best = training.train(stop)
            tuning = training.tune(stop)
            if processes.first:
                show(tuning)
                write_model(
                    folder,
                    training.averaged,
                    metrics={
                        "validation mAP@1": best.history[-1]["mAP@1"],
                        "epoch": best.history[-1]["epoch"],
                    },
                    data={
                        "started from": start.name,
                        "training matches": len({item.game.id for item in learned}),
                        "validation matches": len({item.game.id for item in judged}),
                    },
                    learned={item.game.id for item in learned} | learned_games(start),
                    tuning=tuning,
                )
                run.mark("done")
    console.say(f"{folder} is finished. Next: bas eval --run {folder}")
    return folder


def _prepare(
    model: JointModel,
    shape: ClipShape,
    learned: Sequence[FilmedVideo],
    judged: Sequence[FilmedVideo],
    dataset: Dataset,
    settings: Pipeline,
    place: Place,
    run: Run,
    processes: Processes,
) -> Finetune:
    device = torch.device(place.device)
    supply = supply_of(shape, learned, dataset, settings, place, processes)
    validation = JointValidation(
        judged,
        labels_of_games(tuple({item.game.id: item.game for item in judged}.values())),
        dataset.classes,
        settings,
        place.decoder,
        run.folder,
    )
    return Finetune(
        model,
        supply,
        validation,
        settings=settings,
        run=run,
        processes=processes,
        device=device,
    )


def _told(model: JointModel, shape: ClipShape, settings: Pipeline, *, expected: int, precision: str) -> str:
    """What a step is made of, and what it will take."""
    learned = sum(p.numel() for p in model.stacker.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.stacker.parameters())
    return (
        f"{settings.finetune.batch} clips a step, of {shape.rows} rows "
        f"({float(shape.rows / settings.extract.row_rate):.1f} s) that tell of {shape.first_told.sum()}; "
        f"{learned:,} of {total:,} weights learn, in {precision}; about {expected / 2**30:.1f} GiB a process "
        "expected, beside what the libraries take."
    )


def _digest(
    settings: Pipeline,
    stacker: Stacker,
    learned: Sequence[FilmedVideo],
    judged: Sequence[FilmedVideo],
    start: Path,
) -> str:
    """Of settings, labels, the videos' names and sizes, and all files that the settings name: SHA-256 in hex."""
    data = [
        [
            item.game.id,
            sha256_of(item.game.labels) if item.game.labels else "",
            item.video.path.name,
            item.video.path.stat().st_size,
        ]
        for item in (*learned, *judged)
    ]
    files = [model_file(start)]
    if settings.fit.out_of_fold:
        folds = Path(settings.fit.out_of_fold)
        files += [out_of_fold_file(folds, item.game) for item in learned]
    told = [settings.model_dump(mode="json"), stacker.classes, data, [sha256_of(file) for file in files]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@contextmanager
def _opened(folder: Path, settings: Pipeline, processes: Processes) -> Iterator[Run]:
    """The run; the first process holds its lock, and whoever survives a lost one records it."""
    with ExitStack() as stack:
        run = Run(folder)
        if processes.first:
            run = stack.enter_context(open_run(folder, settings_yaml=to_yaml(settings)))
        processes.gather(None)
        try:
            with processes.watched():
                yield run
        except RunFailedError as error:  # the first process may be the one that is lost
            if not processes.first and run.state == "running":
                run.mark("failed", reason=str(error), code=error.exit_code)
            raise
