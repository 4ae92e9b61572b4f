"""Training and scoring of heads on cached rows of the size of real ones."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import torch

from bas.config import FitSettings, NetVLADSettings
from bas.console import show, table
from bas.heads.build import build_head
from bas.heads.head import Head, Rows
from bas.heads.losses import sigmoid_focal
from bas.heads.optim import Optimizer
from bas.heads.windows import RowBank

_RATE = Fraction(25, 2)
_MATCH_ROWS = 95 * 60 * 25 // 2
_SAMPLES, _BATCH, _CLASSES = 6000, 64, 12


def main() -> None:
    """Print seconds an epoch and seconds a match."""
    rows = table(
        f"NetVLAD++, 8 + 8 clusters, 192 wide: an epoch of {_SAMPLES:,} windows, a match of 95 minutes",
        "grid",
        "s an epoch",
        "of it gathering",
        "s a match",
    )
    for grid in ((1, 1), (3, 5)):
        rows.add_row("x".join(map(str, grid)), *_measured((192, *grid)))
    show(rows)


def _measured(shape: tuple[int, int, int]) -> tuple[str, str, str]:
    generator = np.random.default_rng(0)
    match = generator.standard_normal((_MATCH_ROWS, *shape), dtype=np.float32).astype(np.float16)
    head = build_head(NetVLADSettings(), shape, classes=_CLASSES, row_rate=_RATE)
    head.start(match[:4096], seed=0)
    _assert_paths_agree(head, match[:500])
    epoch, gathering = _epoch(head, match, generator)
    head.eval()
    started = time.perf_counter()
    head.match_logits(match)
    return f"{epoch:.1f}", f"{gathering / epoch:.1%}", f"{time.perf_counter() - started:.1f}"


def _epoch(head: Head, match: Rows, generator: np.random.Generator) -> tuple[float, float]:
    settings = FitSettings(samples=_SAMPLES, batch=_BATCH, epochs=1)
    bank = RowBank([match])
    optimizer = Optimizer(head, settings, steps_per_epoch=_SAMPLES // _BATCH)
    targets = torch.zeros(_BATCH, _CLASSES)
    gathering, started = 0.0, time.perf_counter()
    for _ in range(_SAMPLES // _BATCH):
        before = time.perf_counter()
        windows = bank.windows(
            generator.integers(len(bank), size=_BATCH), head.offsets, device=torch.device("cpu")
        )
        gathering += time.perf_counter() - before
        optimizer.step(sigmoid_focal(head(windows), targets, gamma=1.2, alpha=0.4))
    return time.perf_counter() - started, gathering


def _assert_paths_agree(head: Head, rows: Rows) -> None:
    numbers = np.clip(np.arange(len(rows))[:, None] + head.offsets, 0, len(rows) - 1)
    head.eval()
    with torch.no_grad():
        windowed = head(torch.from_numpy(rows[numbers]).float())
    torch.testing.assert_close(head.match_logits(rows), windowed, rtol=0, atol=1e-5)
    head.train()


if __name__ == "__main__":
    main()
