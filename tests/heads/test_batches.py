"""What a training step reads: rows, truth and augmentation, a function of seed and epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bas.config import FitSettings, LinearSettings, SGPSettings
from bas.heads.batches import Batch, Epoch
from bas.heads.head import Head
from bas.heads.linear import Linear
from bas.heads.material import Material
from bas.heads.outputs import Task
from bas.heads.sgp import SGP
from bas.heads.targets import Targets
from bas.heads.windows import RowBank

_LENGTHS = (40, 25)
_NUM = sum(_LENGTHS)
_CPU = torch.device("cpu")


def _material(*, mirrored: bool = False) -> Material:
    """Rows that hold their own number, and in the mirrored view its negative."""
    numbers = np.arange(_NUM, dtype=np.float16)
    parts = np.split(np.broadcast_to(numbers[:, None, None, None], (_NUM, 16, 1, 1)), [_LENGTHS[0]])
    labels = np.zeros((_NUM, 4), np.float32)
    labels[10:13, 0], labels[50:53, 3] = 1, 1
    displacement = np.zeros((_NUM, 4), np.float32)
    displacement[10:13, 0], displacement[50:53, 3] = (-1, 0, 1), (-1, 0, 1)
    team = np.full(_NUM, np.nan, np.float32)
    team[10:13], team[50:53] = 0, 1
    valid = np.ones(_NUM, bool)
    valid[20] = False
    return Material(
        outputs=("PASS-left", "PASS-right", "SHOT-left", "SHOT-right"),
        spots={},
        bank=RowBank(parts),
        mirrored=RowBank([-part for part in parts]) if mirrored else None,
        targets=Targets(labels, displacement, displacement.sum(axis=1), team),
        valid=valid,
        weights=np.full(_NUM, 1 / _NUM),
    )


def _clips() -> Head:
    return SGP((16, 1, 1), Task(4), SGPSettings(dim=16, clip_rows=8))


def _single() -> Head:
    return Linear((16, 1, 1), Task(4), LinearSettings())


def _batches(head: Head, *materials: Material, epoch: int = 1, **settings: Any) -> list[list[Batch]]:
    wanted = FitSettings(samples=96, batch=16, **settings)
    return list(Epoch(materials, head, wanted, epoch=epoch, device=_CPU))


def _numbers(batch: Batch) -> np.ndarray:
    return batch.windows[:, :, 0, 0, 0].numpy()


@pytest.mark.parametrize("head", [_single(), _clips()])
def test_every_told_row_has_the_truth_of_that_row(head: Head) -> None:
    material = _material()
    for (batch,) in _batches(head, material):
        rows = _numbers(batch).astype(int)
        at_end = (rows == np.roll(rows, 1, axis=1)) | (rows == np.roll(rows, -1, axis=1))
        counted = batch.truth.counted.numpy() > 0
        assert (batch.truth.labels.numpy() == material.targets.labels[rows]).all()
        assert (batch.truth.displacement.numpy() == material.targets.displacement[rows]).all()
        assert not counted[rows == 20].any()
        if rows.shape[1] > 1:
            assert counted[~at_end & (rows != 20)].all()
            assert (counted | at_end | (rows == 20)).all()


def test_a_row_that_was_drawn_may_be_any_row_of_its_clip() -> None:
    weights = np.zeros(_NUM)
    weights[52] = 1
    material = _material()
    alone = Material(material.outputs, {}, material.bank, None, material.targets, material.valid, weights)
    places = [
        int(np.flatnonzero(rows == 52)[0])
        for (batch,) in _batches(_clips(), alone)
        for rows in _numbers(batch)
    ]
    assert set(places) == set(range(8))


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    head = _clips()
    one, same, other, seeded = (
        np.concatenate(
            [_numbers(batch) for (batch,) in _batches(head, _material(), epoch=epoch, seed=seed, jitter=0.5)]
        )
        for epoch, seed in ((1, 0), (1, 0), (2, 0), (1, 7))
    )
    assert (one == same).all()
    assert (one != other).any()
    assert (one != seeded).any()


def test_half_of_the_windows_are_mirrored_with_their_teams_swapped() -> None:
    seen = 0
    for (batch,) in _batches(_single(), _material(mirrored=True), flip=True, teams="classes"):
        rows = _numbers(batch)[:, 0]
        for row, labels, team in zip(
            rows, batch.truth.labels[:, 0].tolist(), batch.truth.team[:, 0].tolist(), strict=True
        ):
            seen += row < 0
            if abs(row) in (10, 11, 12):
                assert labels == ([0, 1, 0, 0] if row < 0 else [1, 0, 0, 0])
                assert team == (row < 0)
            if abs(row) in (50, 51, 52):
                assert labels == ([0, 0, 1, 0] if row < 0 else [0, 0, 0, 1])
    assert 0.3 < seen / 96 < 0.7


def test_jitter_moves_rows_by_one_at_most_and_leaves_the_truth() -> None:
    (plain,), (moved,) = (_batches(_clips(), _material(), jitter=jitter)[0] for jitter in (0.0, 1.0))
    moves = _numbers(moved) - _numbers(plain)
    assert set(np.unique(moves)) == {-1, 0, 1}
    assert 0.5 < (moves == 0).mean() < 0.75
    assert torch.equal(plain.truth.labels, moved.truth.labels)


def test_mixup_mixes_rows_and_truth_by_the_same_share() -> None:
    (plain,), (mixed,) = (_batches(_single(), _material(), mixup=alpha)[0] for alpha in (0.0, 1.0))
    rows, blend = _numbers(plain)[:, 0], _numbers(mixed)[:, 0]
    for i in range(len(rows)):
        partners = [
            (share, j)
            for j in range(len(rows))
            if rows[j] != rows[i] and 0 <= (share := (blend[i] - rows[j]) / (rows[i] - rows[j])) <= 1
        ]
        wanted = [
            share * plain.truth.labels[i] + (1 - share) * plain.truth.labels[j] for share, j in partners
        ]
        wanted += [plain.truth.labels[i]]
        assert any(torch.allclose(mixed.truth.labels[i], labels, atol=1e-2) for labels in wanted)
    assert bool(torch.isnan(mixed.truth.team).any())


def test_two_label_sets_share_a_step_and_each_is_told_apart() -> None:
    first, second = _material(), _material()
    for one, other in _batches(_single(), first, second, second_probability=0.25):
        assert (len(one.windows), one.truth.second) == (12, False)
        assert (len(other.windows), other.truth.second) == (4, True)


def test_the_draw_counts_windows_that_hold_a_class() -> None:
    material = _material()
    epoch = Epoch([material], _clips(), FitSettings(samples=96, batch=16), epoch=1, device=_CPU)
    held = torch.stack([(batch.truth.labels.amax(dim=1) > 0).sum(dim=0) for (batch,) in epoch]).sum(dim=0)
    assert epoch.drawn()[0].tolist() == held.tolist()
