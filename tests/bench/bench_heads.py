"""Training and scoring speed of heads on feature rows of realistic size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch

from bas.config import (
    Blocks3DSettings,
    FitSettings,
    GRUSettings,
    HeadSettings,
    LinearSettings,
    NetVLADSettings,
    SGPSettings,
)
from bas.console import show, table
from bas.heads.models.base import FeatureRows, Head, WindowHead
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Task
from bas.heads.training.batches import Epoch
from bas.heads.training.feature_bank import FeatureBank
from bas.heads.training.losses import head_loss
from bas.heads.training.optimizer import TrainingOptimizer, parameter_groups
from bas.heads.training.targets import Targets
from bas.heads.training.training_set import TrainingSet

_RATE = Fraction(25, 2)
_CHANNELS, _CLASSES = 192, 12
_MATCH_ROWS = 95 * 60 * 25 // 2
_REAL_SECONDS = 95 * 60


@dataclass(frozen=True, slots=True)
class Case:
    """One head on one grid."""

    settings: HeadSettings
    grid: tuple[int, int]
    fit: FitSettings
    steps: int
    """Number of timed steps."""
    scored_rows: int
    """Number of rows scored; fewer than a match where the whole would take minutes."""


_CASES = (
    Case(LinearSettings(), (1, 1), FitSettings(), 93, _MATCH_ROWS),
    Case(NetVLADSettings(), (1, 1), FitSettings(), 93, _MATCH_ROWS),
    Case(NetVLADSettings(), (3, 5), FitSettings(), 93, _MATCH_ROWS),
    Case(GRUSettings(), (1, 1), FitSettings(samples=1000, batch=8), 20, _MATCH_ROWS),
    Case(SGPSettings(), (1, 1), FitSettings(samples=1000, batch=8), 20, _MATCH_ROWS),
    Case(SGPSettings(), (3, 5), FitSettings(samples=1000, batch=8), 20, _MATCH_ROWS),
    Case(Blocks3DSettings(), (3, 5), FitSettings(batch=16), 20, 1000),
    Case(Blocks3DSettings(mode="dense"), (3, 5), FitSettings(batch=16), 20, 5000),
)


def main() -> None:
    """Print the time of a step and an epoch, the share spent waiting for data, and the time to score a match."""
    rows = table(
        f"Heads on rows of {_CHANNELS} channels; a match is 95 minutes at {float(_RATE)} rows per second",
        "head", "grid", "step (ms)", "windows per step", "epoch (s)", "waiting for data", "match (s)", "x real time",
    )  # fmt: skip
    for case in _CASES:
        rows.add_row(*_measured(case))
    show(rows)


def _measured(case: Case) -> Sequence[str]:
    shape = (_CHANNELS, *case.grid)
    match = np.random.default_rng(0).standard_normal((_MATCH_ROWS, *shape), dtype=np.float32)
    training_set = _training_set(match.astype(np.float16))
    torch.manual_seed(0)
    head = build_head(case.settings, shape, Task(_CLASSES), row_rate=_RATE)
    head.init_from_features(training_set.bank.rows(np.arange(4096)), seed=0)
    if isinstance(head, WindowHead) and getattr(case.settings, "mode", "windowed") == "windowed":
        _assert_paths_agree(head, training_set.bank.rows(np.arange(200)))
    step, waiting = _step_seconds(head, training_set, case)
    scored = _score_seconds(head, training_set.bank.rows(np.arange(case.scored_rows)))
    whole = scored * _MATCH_ROWS / case.scored_rows
    mode = getattr(case.settings, "mode", "")
    return (
        f"{case.settings.kind} {mode}".strip(),
        "x".join(map(str, case.grid)),
        f"{1000 * step:.0f}",
        str(case.fit.batch),
        f"{step * case.fit.samples / case.fit.batch:.1f}",
        f"{waiting / step:.1%}",
        f"{whole:.1f}",
        f"{_REAL_SECONDS / whole:.0f}",
    )


def _training_set(match: FeatureRows) -> TrainingSet:
    """Return a match without actions; its cost is that of any other."""
    rows = len(match)
    nothing = np.zeros((rows, _CLASSES), np.float32)
    unknown = np.full(rows, np.nan, np.float32)
    return TrainingSet(
        outputs=tuple(map(str, range(_CLASSES))),
        spot_counts={},
        bank=FeatureBank([match]),
        mirrored=None,
        targets=Targets(nothing, nothing, nothing[:, 0], unknown),
        valid=np.ones(rows, bool),
        probabilities=np.full(rows, 1 / rows),
    )


def _step_seconds(head: Head, training_set: TrainingSet, case: Case) -> tuple[float, float]:
    """Return the seconds of a step, and those spent waiting for its windows."""
    settings = case.fit.model_copy(update={"samples": (case.steps + 2) * case.fit.batch, "epochs": 1})
    groups = parameter_groups(head.parameters(), settings.learning_rate)
    optimizer = TrainingOptimizer(head, groups, settings, steps_per_epoch=case.steps + 2)
    batches = iter(Epoch([training_set], head, settings, epoch=1, device=torch.device("cpu")))
    total = waiting = 0.0
    for number in range(case.steps + 2):
        started = time.perf_counter()
        (batch,) = next(batches)
        ready = time.perf_counter()
        loss = head_loss(head(batch.windows), batch.targets, scoring=head.scoring, settings=settings)
        optimizer.backward(loss)
        optimizer.step(loss)
        if number > 1:  # exclude the first steps, which allocate memory
            total += time.perf_counter() - started
            waiting += ready - started
    return total / case.steps, waiting / case.steps


def _score_seconds(head: Head, rows: FeatureRows) -> float:
    head.eval()
    head.scores(rows[:200])
    started = time.perf_counter()
    head.scores(rows)
    return time.perf_counter() - started


def _assert_paths_agree(head: WindowHead, rows: FeatureRows) -> None:
    numbers = np.clip(np.arange(len(rows))[:, None] + head.offsets, 0, len(rows) - 1)
    head.eval()
    with torch.no_grad():
        windowed = head(torch.from_numpy(rows[numbers]).float()).logits[:, 0]
    torch.testing.assert_close(head.video_logits(rows), windowed, rtol=0, atol=1e-4)
    head.train()


if __name__ == "__main__":
    main()
