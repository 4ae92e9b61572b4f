"""Targets, focal loss, learning-rate schedule, and the guard against non-finite steps."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from bas.config import FitSettings
from bas.errors import RunFailedError
from bas.heads.training.losses import sigmoid_focal
from bas.heads.training.optimizer import (
    TrainingOptimizer,
    deterministic_on_cpu,
    parameter_groups,
    warmup_cosine,
)
from bas.heads.training.targets import Targets, near_spots, row_targets
from bas.heads.training.trainer import best_epoch
from bas.types import Spot
from bas.vocabulary import swap_teams, target_classes

_SPOTS = (Spot(400, "PASS", "left"), Spot(440, "DRIVE", "right"), Spot(2000, "PASS", "right"))


def _targets(outputs: tuple[str, ...], *, hop: int, window: int, displacement_window: int = 9) -> Targets:
    return row_targets(
        _SPOTS,
        outputs,
        frames=np.arange(0, 60, hop),
        rate=Fraction(25),
        hop=hop,
        window=window,
        displacement_window=displacement_window,
    )


def test_neighboring_spots_label_the_same_rows_with_both_classes() -> None:
    frames = np.arange(0, 60, 2)
    labels = _targets(("PASS", "DRIVE"), hop=2, window=5).labels
    assert frames[labels[:, 0] == 1].tolist() == [8, 10, 12, 48, 50, 52]
    assert frames[labels[:, 1] == 1].tolist() == [10, 12]
    assert frames[near_spots(_SPOTS, frames=frames, rate=Fraction(25), window=3)].tolist() == [10, 12, 50]


def test_teams_double_the_outputs_left_before_right() -> None:
    outputs = target_classes(("PASS", "DRIVE"), teams=True)
    assert outputs == ("PASS-left", "PASS-right", "DRIVE-left", "DRIVE-right")
    labels = _targets(outputs, hop=1, window=1).labels
    assert np.argwhere(labels).tolist() == [[10, 0], [11, 3], [50, 1]]
    assert np.argwhere(swap_teams(labels)).tolist() == [[10, 1], [11, 2], [50, 0]]


def test_displacement_is_in_rows_from_the_nearest_action_of_the_class_and_of_any_class() -> None:
    targets = _targets(("PASS", "DRIVE"), hop=2, window=1)
    rows = slice(3, 8)  # frames 6, 8, 10, 12, 14; the actions are at 10 (PASS) and 11 (DRIVE)
    assert targets.displacement[rows, 0].tolist() == [-2, -1, 0, 1, 2]
    assert targets.displacement[rows, 1].tolist() == [0, -1.5, -0.5, 0.5, 1.5]
    assert targets.nearest_displacement[rows].tolist() == [-2, -1, 0, 0.5, 1.5]
    assert not targets.nearest_displacement[9:22].any()


def test_the_team_is_that_of_the_nearest_action_and_unknown_elsewhere() -> None:
    team = _targets(("PASS", "DRIVE"), hop=1, window=1).team
    assert (team[8], team[10], team[11], team[50]) == (0, 0, 1, 1)
    assert np.isnan(team[20:45]).all()


def test_focal_loss_with_gamma_0_is_weighted_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(6, 4), (torch.rand(6, 4) > 0.7).float()
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    weight = torch.where(targets == 1, 0.4, 0.6)
    torch.testing.assert_close(sigmoid_focal(logits, targets, gamma=0.0, alpha=0.4), weight * entropy)


def test_focal_loss_by_hand() -> None:
    # p = 0.8 for a positive: 0.25 * 0.2^2 * -ln 0.8
    loss = sigmoid_focal(torch.tensor([[4.0]]).log(), torch.ones(1, 1), gamma=2.0, alpha=0.25)
    torch.testing.assert_close(loss, torch.tensor([[0.25 * 0.04 * 0.2231435513]]))


def test_the_learning_rate_rises_to_its_peak_and_then_only_falls() -> None:
    curve = [warmup_cosine(step, total=100, warmup=10, min_ratio=0.01) for step in range(100)]
    assert curve[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert max(curve) == 1
    assert all(a >= b for a, b in itertools.pairwise(curve[10:]))
    assert curve[-1] == pytest.approx(0.01, abs=2e-3)


def _optimizer(model: nn.Module) -> TrainingOptimizer:
    settings = FitSettings(epochs=4, warmup_epochs=0)
    return TrainingOptimizer(model, parameter_groups(model.parameters(), 0.1), settings, steps_per_epoch=10)


def _step(optimizer: TrainingOptimizer, loss: torch.Tensor) -> bool:
    optimizer.backward(loss)
    return optimizer.step(loss)


@pytest.mark.fault("T05", "P25")
def test_a_non_finite_step_changes_no_weights() -> None:
    model = nn.Linear(3, 2)
    optimizer = _optimizer(model)
    _step(optimizer, model(torch.ones(1, 3)).square().sum())
    before = {k: v.clone() for k, v in (model.state_dict() | optimizer.average.state_dict()).items()}
    assert not _step(optimizer, model(torch.full((1, 3), float("nan"))).sum())
    assert optimizer.skipped == 1
    for key, value in (model.state_dict() | optimizer.average.state_dict()).items():
        assert torch.equal(value, before[key])


@pytest.mark.fault("T05", "P25")
def test_a_non_finite_step_keeps_the_statistics_of_normalizations() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    optimizer = _optimizer(model)
    _step(optimizer, model(torch.randn(8, 3)).square().mean())
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert not _step(optimizer, model(torch.full((8, 3), float("inf"))).sum())
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name]), name
    assert _step(optimizer, model(torch.randn(8, 3)).square().mean())
    assert all(value.isfinite().all() for value in optimizer.average.state_dict().values())


def test_normalization_weights_along_channels_do_not_decay() -> None:
    model = nn.Module()
    model.scale, model.matrix = nn.Parameter(torch.ones(1, 4, 1)), nn.Parameter(torch.ones(2, 3))
    decaying, exempt = parameter_groups(model.parameters(), 0.1)
    assert [p.shape for p in decaying["params"]] == [(2, 3)]
    assert (exempt["weight_decay"], len(exempt["params"])) == (0.0, 1)


@pytest.mark.fault("T05", "P25")
def test_twenty_consecutive_non_finite_steps_end_the_run() -> None:
    model = nn.Linear(3, 2)
    optimizer = _optimizer(model)
    bad = torch.full((1, 3), float("inf"))
    for _ in range(19):
        _step(optimizer, model(bad).sum())
    _step(optimizer, model(torch.ones(1, 3)).sum())  # a finite step resets the count
    for _ in range(19):
        _step(optimizer, model(bad).sum())
    with pytest.raises(RunFailedError, match="20 steps in a row") as caught:
        _step(optimizer, model(bad).sum())
    assert caught.value.exit_code == 70


@pytest.mark.fault("T06", "P26")
def test_the_best_epoch_is_the_first_of_equals_and_never_a_nan() -> None:
    values = [float("nan"), 0.0, 0.3, 0.1, 0.3]
    assert best_epoch([{"mAP@1": value} for value in values]) == 3
    assert best_epoch([{"mAP@1": value} for value in values[:2]]) == 2


def test_cpu_gradients_are_bit_identical_although_threads_race() -> None:
    weights = torch.randn(6000, 1024, generator=torch.Generator().manual_seed(0))

    def gradient() -> torch.Tensor:
        rows = torch.zeros(3, 1024, requires_grad=True)
        (gathered,) = torch.autograd.grad((rows[torch.arange(6000) % 3] * weights).sum(), rows)
        return gathered

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with deterministic_on_cpu(torch.device("cpu")):
            assert len({gradient().numpy().tobytes() for _ in range(20)}) == 1
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(threads)
