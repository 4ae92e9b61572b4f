"""Batches of a training epoch: rows, targets and augmentation, determined by seed and epoch number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bas.config import FitSettings, LinearSettings, SGPSettings
from bas.heads.models.base import Head
from bas.heads.models.linear import Linear
from bas.heads.models.outputs import Task
from bas.heads.models.sgp import SGP
from bas.heads.training.batches import Epoch, WindowBatch
from bas.heads.training.feature_bank import FeatureBank
from bas.heads.training.targets import Targets
from bas.heads.training.training_set import TrainingSet

_LENGTHS = (40, 25)
_NUM = sum(_LENGTHS)
_CPU = torch.device("cpu")


def _training_set(*, mirrored: bool = False) -> TrainingSet:
    """Rows whose values are their own number, and its negative in the mirrored view."""
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
    return TrainingSet(
        outputs=("PASS-left", "PASS-right", "SHOT-left", "SHOT-right"),
        spot_counts={},
        bank=FeatureBank(parts),
        mirrored=FeatureBank([-part for part in parts]) if mirrored else None,
        targets=Targets(labels, displacement, displacement.sum(axis=1), team),
        valid=valid,
        probabilities=np.full(_NUM, 1 / _NUM),
    )


def _sequence_head() -> Head:
    return SGP((16, 1, 1), Task(4), SGPSettings(dim=16, clip_rows=8))


def _window_head() -> Head:
    return Linear((16, 1, 1), Task(4), LinearSettings())


def _batches(
    head: Head, *training_sets: TrainingSet, epoch: int = 1, **settings: Any
) -> list[list[WindowBatch]]:
    fit_settings = FitSettings(samples=96, batch=16, **settings)
    return list(Epoch(training_sets, head, fit_settings, epoch=epoch, device=_CPU))


def _numbers(batch: WindowBatch) -> np.ndarray:
    return batch.windows[:, :, 0, 0, 0].numpy()


@pytest.mark.parametrize("head", [_window_head(), _sequence_head()])
def test_every_target_row_has_the_targets_of_that_row(head: Head) -> None:
    training_set = _training_set()
    for (batch,) in _batches(head, training_set):
        rows = _numbers(batch).astype(int)
        at_end = (rows == np.roll(rows, 1, axis=1)) | (rows == np.roll(rows, -1, axis=1))
        mask = batch.targets.mask.numpy() > 0
        assert (batch.targets.labels.numpy() == training_set.targets.labels[rows]).all()
        assert (batch.targets.displacement.numpy() == training_set.targets.displacement[rows]).all()
        assert not mask[rows == 20].any()
        if rows.shape[1] > 1:
            assert mask[~at_end & (rows != 20)].all()
            assert (mask | at_end | (rows == 20)).all()


def test_a_sampled_row_may_be_any_row_of_its_sequence() -> None:
    weights = np.zeros(_NUM)
    weights[52] = 1
    training_set = _training_set()
    alone = TrainingSet(
        training_set.outputs, {}, training_set.bank, None, training_set.targets, training_set.valid, weights
    )
    positions = [
        int(np.flatnonzero(rows == 52)[0])
        for (batch,) in _batches(_sequence_head(), alone)
        for rows in _numbers(batch)
    ]
    assert set(positions) == set(range(8))


def test_an_epoch_is_determined_by_seed_and_number() -> None:
    head = _sequence_head()
    one, same, other, seeded = (
        np.concatenate(
            [
                _numbers(batch)
                for (batch,) in _batches(head, _training_set(), epoch=epoch, seed=seed, jitter=0.5)
            ]
        )
        for epoch, seed in ((1, 0), (1, 0), (2, 0), (1, 7))
    )
    assert (one == same).all()
    assert (one != other).any()
    assert (one != seeded).any()


def test_half_of_the_windows_are_mirrored_with_their_teams_swapped() -> None:
    num_mirrored = 0
    for (batch,) in _batches(_window_head(), _training_set(mirrored=True), flip=True, teams="classes"):
        rows = _numbers(batch)[:, 0]
        for row, labels, team in zip(
            rows, batch.targets.labels[:, 0].tolist(), batch.targets.team[:, 0].tolist(), strict=True
        ):
            num_mirrored += row < 0
            if abs(row) in (10, 11, 12):
                assert labels == ([0, 1, 0, 0] if row < 0 else [1, 0, 0, 0])
                assert team == (row < 0)
            if abs(row) in (50, 51, 52):
                assert labels == ([0, 0, 1, 0] if row < 0 else [0, 0, 0, 1])
    assert 0.3 < num_mirrored / 96 < 0.7


def test_jitter_moves_rows_by_one_at_most_and_keeps_the_targets() -> None:
    (plain,), (jittered,) = (
        _batches(_sequence_head(), _training_set(), jitter=jitter)[0] for jitter in (0.0, 1.0)
    )
    moves = _numbers(jittered) - _numbers(plain)
    assert set(np.unique(moves)) == {-1, 0, 1}
    assert 0.5 < (moves == 0).mean() < 0.75
    assert torch.equal(plain.targets.labels, jittered.targets.labels)


def test_mixup_mixes_rows_and_targets_by_the_same_share() -> None:
    (plain,), (mixed,) = (_batches(_window_head(), _training_set(), mixup=alpha)[0] for alpha in (0.0, 1.0))
    rows, blend = _numbers(plain)[:, 0], _numbers(mixed)[:, 0]
    for i in range(len(rows)):
        partners = [
            (share, j)
            for j in range(len(rows))
            if rows[j] != rows[i] and 0 <= (share := (blend[i] - rows[j]) / (rows[i] - rows[j])) <= 1
        ]
        expected = [
            share * plain.targets.labels[i] + (1 - share) * plain.targets.labels[j] for share, j in partners
        ]
        expected += [plain.targets.labels[i]]
        assert any(torch.allclose(mixed.targets.labels[i], labels, atol=1e-2) for labels in expected)
    assert bool(torch.isnan(mixed.targets.team).any())


def test_two_label_sets_share_a_step_in_separate_batches() -> None:
    first, second = _training_set(), _training_set()
    for one, other in _batches(_window_head(), first, second, second_probability=0.25):
        assert (len(one.windows), one.targets.is_second_label_set) == (12, False)
        assert (len(other.windows), other.targets.is_second_label_set) == (4, True)


def test_class_counts_are_the_windows_that_contain_a_class() -> None:
    training_set = _training_set()
    epoch = Epoch([training_set], _sequence_head(), FitSettings(samples=96, batch=16), epoch=1, device=_CPU)
    expected = torch.stack([(batch.targets.labels.amax(dim=1) > 0).sum(dim=0) for (batch,) in epoch]).sum(
        dim=0
    )
    assert list(epoch.class_counts()[0].values()) == expected.tolist()
