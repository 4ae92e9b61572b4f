"""Stage 2: fit a head on cached rows, and keep the epoch with the best mAP@1 on the validation matches."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from bas import console
from bas.config import FitSettings
from bas.heads.head import Head, Rows
from bas.heads.losses import sigmoid_focal
from bas.heads.material import Material
from bas.heads.optim import Optimizer
from bas.heads.sampling import draw
from bas.heads.validation import Validation
from bas.runs import Checkpoint, Run
from bas.signals import StopFlag

_START_ROWS = 4096  # that the initial weights are read off


def fit_head(
    head: Head, material: Material, validation: Validation, *, run: Run, stop: StopFlag, device: torch.device
) -> Checkpoint:
    """Train `head` to its last epoch, from the run's newest checkpoint if there is one.

    An epoch is a function of the settings' seed, its number and the state before it, so that a
    run that was killed gives the same weights as one that was not.

    Returns:
        The best epoch by mAP@1; its averaged weights are in `head`.

    Raises:
        RunFailedError: training diverged.
        StoppedError: a signal came; finished epochs are kept.
    """
    settings = validation.settings.fit
    head.to(device)
    optimizer = Optimizer(head, settings, steps_per_epoch=_steps(settings))
    averaged = optimizer.average.module
    assert isinstance(averaged, Head)
    history: list[dict[str, Any]] = []
    newest = run.newest()
    if newest is None:
        head.start(_spread_rows(material, _START_ROWS), seed=settings.seed)
    else:
        head.load_state_dict(dict(newest.model))
        optimizer.load_state_dict(dict(newest.training))
        history = [dict(record) for record in newest.history]
        console.say(f"{run.folder} goes on after epoch {newest.epoch} of {settings.epochs}.")
    for epoch in range(len(history) + 1, settings.epochs + 1):
        started = time.monotonic()
        loss = _epoch(head, optimizer, material, settings, epoch=epoch, stop=stop, device=device)
        evaluation = validation.score(averaged)
        record = {
            "epoch": epoch,
            "loss": loss,
            "mAP@1": evaluation.mean_ap,
            "learning_rate": optimizer.learning_rate,
            "skipped_steps": optimizer.skipped,
            "seconds": round(time.monotonic() - started, 1),
        }
        history.append(record)
        best = best_epoch(history)
        run.save(Checkpoint(epoch, head.state_dict(), optimizer.state_dict(), history), best_epoch=best)
        _tell(record, settings, best=history[best - 1]["mAP@1"])
    chosen = run.load(best_epoch(history))
    optimizer.load_state_dict(dict(chosen.training))
    head.load_state_dict(averaged.state_dict())
    return chosen


def best_epoch(history: Sequence[dict[str, Any]]) -> int:
    """The first epoch with the highest mAP@1; one that is not a number is the worst."""
    values = [-1.0 if math.isnan(record["mAP@1"]) else record["mAP@1"] for record in history]
    return int(np.argmax(values)) + 1


def _steps(settings: FitSettings) -> int:
    return max(1, settings.samples // settings.batch)


def _epoch(
    head: Head,
    optimizer: Optimizer,
    material: Material,
    settings: FitSettings,
    *,
    epoch: int,
    stop: StopFlag,
    device: torch.device,
) -> float | None:
    """Train one epoch; the mean loss of its sound steps, None without any."""
    torch.manual_seed(settings.seed * 1_000_003 + epoch)  # dropout
    generator = np.random.default_rng([settings.seed, epoch])
    steps = _steps(settings)
    centers = draw(material.weights, steps * settings.batch, generator).reshape(steps, -1)
    head.train()
    losses = []
    with console.progress(f"epoch {epoch}", steps, unit="steps") as advance:
        for windows, targets in _batches(material, centers, head, device=device):
            stop.check()
            loss = sigmoid_focal(
                head(windows), targets, gamma=settings.focal_gamma, alpha=settings.focal_alpha
            )
            if optimizer.step(loss):
                losses.append(loss.detach())
            advance()
    return float(torch.stack(losses).mean()) if losses else None


def _batches(
    material: Material, centers: Int64[np.ndarray, "steps batch"], head: Head, *, device: torch.device
) -> Iterator[tuple[Float[Tensor, "batch window channels height width"], Float[Tensor, "batch outputs"]]]:
    """Windows and targets of each step, gathered one step ahead."""

    def gather(rows: Int64[np.ndarray, "batch"]) -> tuple[Tensor, Tensor]:
        windows = material.bank.windows(rows, head.offsets, device=device)
        return windows, torch.from_numpy(material.targets[rows]).to(device)

    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(gather, centers[0])
        for rows in centers[1:]:
            ready, coming = coming.result(), ahead.submit(gather, rows)
            yield ready
        yield coming.result()


def _spread_rows(material: Material, count: int) -> Rows:
    """Rows spread evenly over all training videos, those with missing pictures left out."""
    usable = np.flatnonzero(material.weights > 0)
    picks = usable[np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(np.int64)]
    return material.bank.rows(picks)


def _tell(record: dict[str, Any], settings: FitSettings, *, best: float) -> None:
    loss = "none" if record["loss"] is None else f"{record['loss']:.4f}"
    console.say(
        f"epoch {record['epoch']}/{settings.epochs}  loss {loss}  mAP@1 {100 * record['mAP@1']:.2f}"
        f"  best {100 * best:.2f}  {record['seconds']:.1f} s"
    )
