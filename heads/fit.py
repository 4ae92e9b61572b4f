"""Stage 2: fit a head on cached rows, and keep the epoch with the best mAP@1 on the validation matches."""

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
from bas.extract.precision import best_precision
from bas.heads.batches import Epoch
from bas.heads.determinism import same_bits
from bas.heads.head import Head, Rows
from bas.heads.losses import head_loss
from bas.heads.material import Material
from bas.heads.optim import Optimizer, group
from bas.heads.validation import Validation
from bas.heads.warm import warm_start
from bas.runs import Checkpoint, Run
from bas.signals import StopFlag

_START_ROWS = 4096  # that the initial weights are read off


def fit_head(
    head: Head,
    materials: Sequence[Material],
    validation: Validation | None,
    *,
    settings: FitSettings,
    run: Run,
    stop: StopFlag,
    device: torch.device,
    classes: Sequence[str],
) -> Checkpoint:
    """Train `head` to its last epoch, from the run's newest checkpoint if there is one.

    An epoch is a function of the settings' seed, its number and the state before it, so that a
    run that was killed gives the same weights as one that was not.

    Args:
        head: to train.
        materials: of the label set, and of the second one if there is one.
        validation: judges every epoch; without one the last epoch is kept.
        settings: of the training.
        run: takes checkpoints.
        stop: is asked before every step.
        device: to train on.
        classes: names of the columns of the head's scores.

    Returns:
        The epoch that is kept; its averaged weights are in `head`.

    Raises:
        RunFailedError: training diverged.
        StoppedError: a signal came; finished epochs are kept.
    """
    head.to(device)
    bf16 = device.type == "cuda" and best_precision(settings.precision, device) == "bf16"
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16 or settings.precision == "bf16")
    optimizer = Optimizer(
        head,
        group(head.parameters(), settings.learning_rate),
        settings,
        steps_per_epoch=max(1, settings.samples // settings.batch),
    )
    averaged = optimizer.average.module
    assert isinstance(averaged, Head)
    history: list[dict[str, Any]] = []
    newest = run.newest()
    if newest is None:
        torch.manual_seed(settings.seed)  # what was extracted before may have drawn numbers
        head.start(_spread_rows(materials[0], _START_ROWS), seed=settings.seed)
        if settings.start_from:
            warm_start(head, Path(settings.start_from), classes=classes)
    else:
        head.load_state_dict(dict(newest.model))
        optimizer.load_state_dict(dict(newest.training))
        history = [dict(record) for record in newest.history]
        console.say(f"{run.folder} goes on after epoch {newest.number} of {settings.epochs}.")
    for number in range(len(history) + 1, settings.epochs + 1):
        started = time.monotonic()
        epoch = Epoch(materials, head, settings, epoch=number, device=device)
        drawn = _drawn(epoch, materials)
        if number == 1:
            _tell_draw(drawn, materials, samples=[epoch.steps * size for size in epoch.sizes])
        with autocast, same_bits(device):
            loss = _train(head, optimizer, epoch, settings, number=number, stop=stop)
        trained_seconds = time.monotonic() - started
        record = {
            "epoch": number,
            "loss": loss,
            "mAP@1": None if validation is None else validation.score(averaged).mean_ap,
            "learning_rate": optimizer.learning_rate,
            "skipped_steps": optimizer.skipped,
            "drawn": drawn,
            "train_seconds": round(trained_seconds, 1),
            "seconds": round(time.monotonic() - started, 1),
        }
        history.append(record)
        best = best_epoch(history)
        run.save(Checkpoint(number, head.state_dict(), optimizer.state_dict(), history), best=best)
        _tell(record, settings, best=history[best - 1]["mAP@1"])
    chosen = run.load(best_epoch(history))
    optimizer.load_state_dict(dict(chosen.training))
    head.load_state_dict(averaged.state_dict())
    return chosen


def best_epoch(history: Sequence[dict[str, Any]]) -> int:
    """The first epoch with the highest mAP@1, one that is not a number being the worst; the last if none has any."""
    values = [record["mAP@1"] or 0.0 for record in history]
    values = [0.0 if math.isnan(value) else value for value in values]
    return int(np.argmax(values)) + 1 if any(values) else len(history)


def _train(
    head: Head, optimizer: Optimizer, epoch: Epoch, settings: FitSettings, *, number: int, stop: StopFlag
) -> float | None:
    """Train one epoch; the mean loss of its sound steps, None without any."""
    torch.manual_seed(settings.seed * 1_000_003 + number)  # dropout
    head.train()
    losses = []
    with console.progress(f"epoch {number}", epoch.steps, unit="steps") as advance:
        for batches in epoch:
            stop.check()
            parts = [
                head_loss(head(batch.windows), batch.truth, scoring=head.scoring, settings=settings) * size
                for batch, size in zip(batches, epoch.sizes, strict=True)
            ]
            loss = torch.stack(parts).sum() / settings.batch
            optimizer.backward(loss)
            if optimizer.step(loss):
                losses.append(loss.detach())
            advance()
    return float(torch.stack(losses).mean()) if losses else None


def _spread_rows(material: Material, count: int) -> Rows:
    """Rows spread evenly over all training videos, those with missing pictures left out."""
    usable = np.flatnonzero(material.weights > 0)
    picks = usable[np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(np.int64)]
    return material.bank.rows(picks)


def _drawn(epoch: Epoch, materials: Sequence[Material]) -> list[dict[str, int]]:
    """Of each label set, by output, how many windows of an epoch hold it."""
    return [
        dict(zip(material.outputs, counts.tolist(), strict=True))
        for material, counts in zip(materials, epoch.drawn(), strict=True)
    ]


def _tell_draw(
    drawn: Sequence[Mapping[str, int]], materials: Sequence[Material], *, samples: Sequence[int]
) -> None:
    """How often each class is drawn, before the first step."""
    total = " + ".join(f"{count:,}" for count in samples)
    rows = console.table(f"{total} windows an epoch", "class", "actions", "windows with it", "share")
    for material, of_set, windows in zip(materials, drawn, samples, strict=True):
        for name, count in of_set.items():
            rows.add_row(name, f"{material.spots[name]:,}", f"{count:,}", f"{100 * count / windows:.1f} %")
    console.show(rows)


def _tell(record: dict[str, Any], settings: FitSettings, *, best: float | None) -> None:
    loss = "none" if record["loss"] is None else f"{record['loss']:.4f}"
    judged = "" if best is None else f"  mAP@1 {100 * record['mAP@1']:.2f}  best {100 * best:.2f}"
    console.say(f"epoch {record['epoch']}/{settings.epochs}  loss {loss}{judged}  {record['seconds']:.1f} s")
