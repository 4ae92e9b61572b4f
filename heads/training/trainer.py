"""Training loop of stage 2: fits a head on cached rows and keeps the epoch with the best validation mAP@1."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bas import console
from bas.config import FitSettings
from bas.extract.encode.device import best_precision
from bas.heads.models.base import FeatureRows, Head
from bas.heads.training.batches import Epoch
from bas.heads.training.losses import head_loss
from bas.heads.training.optimizer import TrainingOptimizer, deterministic_on_cpu, parameter_groups
from bas.heads.training.training_set import TrainingSet
from bas.heads.training.validation import Validation
from bas.heads.training.warm_start import warm_start
from bas.runs import Checkpoint, Run
from bas.signals import StopFlag

_INIT_ROWS = 4096  # rows for data-dependent initialization


def fit_head(
    head: Head,
    training_sets: Sequence[TrainingSet],
    validation: Validation[[Head]] | None,
    *,
    settings: FitSettings,
    run: Run,
    stop: StopFlag,
    device: torch.device,
    classes: Sequence[str],
) -> Checkpoint:
    """Train `head` to its last epoch, resuming from the run's newest checkpoint if there is one.

    An epoch depends only on the seed, its number and the state before it, so an interrupted run
    ends with the same weights as an uninterrupted one.

    Args:
        head: head to train.
        training_sets: rows of the label set, and of the second one if there is one.
        validation: scores every epoch; without it the last epoch is kept.
        settings: training settings.
        run: run folder for checkpoints.
        stop: checked before every step.
        device: device to train on.
        classes: names of the head's score columns.

    Returns:
        Checkpoint of the chosen epoch; `head` holds its averaged weights.

    Raises:
        RunFailedError: training diverged.
        StoppedError: a stop signal arrived; finished epochs are kept.
    """
    head.to(device)
    bf16 = device.type == "cuda" and best_precision(settings.precision, device) == "bf16"
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16 or settings.precision == "bf16")
    optimizer = TrainingOptimizer(
        head,
        parameter_groups(head.parameters(), settings.learning_rate),
        settings,
        steps_per_epoch=max(1, settings.samples // settings.batch),
    )
    averaged = optimizer.average.module
    assert isinstance(averaged, Head)
    history = _start_or_resume(head, optimizer, training_sets[0], settings, run, classes=classes)
    for number in range(len(history) + 1, settings.epochs + 1):
        started = time.monotonic()
        epoch = Epoch(training_sets, head, settings, epoch=number, device=device)
        class_counts = epoch.class_counts()
        if number == 1:
            _print_class_counts(
                class_counts, training_sets, samples=[epoch.steps * size for size in epoch.sizes]
            )
        with autocast, deterministic_on_cpu(device):
            loss = _train(head, optimizer, epoch, settings, number=number, stop=stop)
        trained_seconds = time.monotonic() - started
        record = {
            "epoch": number,
            "loss": loss,
            "mAP@1": None if validation is None else validation.score(averaged),
            "learning_rate": optimizer.learning_rate,
            "skipped_steps": optimizer.skipped,
            "drawn": class_counts,
            "train_seconds": round(trained_seconds, 1),
            "seconds": round(time.monotonic() - started, 1),
        }
        history.append(record)
        best = best_epoch(history)
        run.save(Checkpoint(number, head.state_dict(), optimizer.state_dict(), history), best=best)
        _print_epoch(record, settings, best=history[best - 1]["mAP@1"])
    # Checkpoints hold the raw weights; the averaged ones are restored through the optimizer's state.
    chosen = run.load(best_epoch(history))
    optimizer.load_state_dict(dict(chosen.training))
    head.load_state_dict(averaged.state_dict())
    return chosen


def _start_or_resume(
    head: Head,
    optimizer: TrainingOptimizer,
    training_set: TrainingSet,
    settings: FitSettings,
    run: Run,
    *,
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Load the run's newest checkpoint, or initialize the head; returns the records of the finished epochs."""
    newest = run.newest()
    if newest is None:
        torch.manual_seed(settings.seed)  # earlier extraction may have used random numbers
        head.init_from_features(_evenly_spaced_rows(training_set, _INIT_ROWS), seed=settings.seed)
        if settings.init_from:
            warm_start(head, Path(settings.init_from), classes=classes)
        return []
    head.load_state_dict(dict(newest.model))
    optimizer.load_state_dict(dict(newest.training))
    console.info(f"Resuming {run.folder} from epoch {newest.number} of {settings.epochs}.")
    return [dict(record) for record in newest.history]


def best_epoch(history: Sequence[dict[str, Any]]) -> int:
    """Epoch with the highest mAP@1 (first on ties). NaN counts as 0; if no epoch has a score above 0, the last one."""
    values = [record["mAP@1"] or 0.0 for record in history]
    values = [0.0 if math.isnan(value) else value for value in values]
    return int(np.argmax(values)) + 1 if any(values) else len(history)


def _train(
    head: Head,
    optimizer: TrainingOptimizer,
    epoch: Epoch,
    settings: FitSettings,
    *,
    number: int,
    stop: StopFlag,
) -> float | None:
    """Train one epoch and return the mean loss over its finite steps, or None if there are none."""
    # For dropout and stochastic depth; the factor keeps the epochs of neighboring seeds apart.
    torch.manual_seed(settings.seed * 1_000_003 + number)
    head.train()
    losses = []
    with console.progress(f"epoch {number}", epoch.steps, unit="steps") as advance:
        for batches in epoch:
            stop.check()
            parts = [
                head_loss(head(batch.windows), batch.targets, scoring=head.scoring, settings=settings) * size
                for batch, size in zip(batches, epoch.sizes, strict=True)
            ]
            loss = torch.stack(parts).sum() / settings.batch
            optimizer.backward(loss)
            if optimizer.step(loss):
                losses.append(loss.detach())
            advance()
    return float(torch.stack(losses).mean()) if losses else None


def _evenly_spaced_rows(training_set: TrainingSet, count: int) -> FeatureRows:
    """Rows spread evenly over all training videos, without those that are never sampled."""
    usable = np.flatnonzero(training_set.probabilities > 0)
    picks = usable[np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(np.int64)]
    return training_set.bank.rows(picks)


def _print_class_counts(
    class_counts: Sequence[Mapping[str, int]], training_sets: Sequence[TrainingSet], *, samples: Sequence[int]
) -> None:
    """Print how often each class is sampled."""
    total = " + ".join(f"{count:,}" for count in samples)
    rows = console.table(f"{total} windows per epoch", "class", "actions", "windows", "share")
    for training_set, counts, windows in zip(training_sets, class_counts, samples, strict=True):
        for name, count in counts.items():
            rows.add_row(
                name, f"{training_set.spot_counts[name]:,}", f"{count:,}", f"{100 * count / windows:.1f} %"
            )
    console.show(rows)


def _print_epoch(record: dict[str, Any], settings: FitSettings, *, best: float | None) -> None:
    loss = "none" if record["loss"] is None else f"{record['loss']:.4f}"
    metric = "" if best is None else f"  mAP@1 {100 * record['mAP@1']:.2f}  best {100 * best:.2f}"
    console.info(f"epoch {record['epoch']}/{settings.epochs}  loss {loss}{metric}  {record['seconds']:.1f} s")
