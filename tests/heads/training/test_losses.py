"""Losses of heads: only rows inside the mask count, and only outputs of the batch's own label set."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from bas.config import FitSettings, Scoring
from bas.heads.models.outputs import Output
from bas.heads.training.losses import head_loss, weighted_cross_entropy
from bas.heads.training.targets import TargetBatch

_SETTINGS = FitSettings()


def _target_batch(**changes: Any) -> TargetBatch:
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "labels": (torch.rand(3, 5, 2) > 0.6).float(),
        "displacement": torch.randn(3, 5, 2),
        "nearest_displacement": torch.randn(3, 5),
        "team": (torch.rand(3, 5) > 0.5).float(),
        "mask": torch.ones(3, 5),
        "is_second_label_set": False,
    }
    return TargetBatch(**values | changes)


def _output(columns: int = 2, **changes: Any) -> Output:
    torch.manual_seed(1)
    return Output(torch.randn(3, 5, columns))._replace(**changes)


@pytest.mark.parametrize(("scoring", "columns"), [("sigmoid", 2), ("sigmoid+background", 3), ("softmax", 3)])
def test_rows_outside_the_mask_do_not_change_the_loss(scoring: Scoring, columns: int) -> None:
    mask = torch.ones(3, 5)
    mask[:, 2:] = 0
    output = _output(columns, displacement=torch.randn(3, 5, 1), team=torch.randn(3, 5))
    targets = _target_batch(mask=mask)
    loss = head_loss(output, targets, scoring=scoring, settings=_SETTINGS)
    assert output.displacement is not None
    assert output.team is not None
    altered = Output(output.logits.clone(), None, output.displacement.clone(), output.team.clone())
    for part in (altered.logits, altered.displacement, altered.team):
        assert part is not None
        part[:, 2:] += 100
    torch.testing.assert_close(head_loss(altered, targets, scoring=scoring, settings=_SETTINGS), loss)


def test_cross_entropy_of_one_class_per_row_equals_that_of_torch() -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(40, 5), torch.randint(5, (40,))
    ours = weighted_cross_entropy(logits, functional.one_hot(classes, 5).float(), foreground_weight=5.0)
    weight = torch.tensor([1.0, 5, 5, 5, 5])
    torch.testing.assert_close(ours, functional.cross_entropy(logits, classes, weight, reduction="none"))


def test_classes_of_the_same_row_share_its_distribution() -> None:
    logits = torch.zeros(1, 1, 3)
    one = torch.zeros(1, 1)
    both = TargetBatch(
        torch.ones(1, 1, 2), torch.zeros(1, 1, 2), one, one, one + 1, is_second_label_set=False
    )
    loss = head_loss(Output(logits), both, scoring="softmax", settings=_SETTINGS)
    torch.testing.assert_close(loss, torch.tensor(5.0) * torch.tensor(3.0).log())


def test_the_team_loss_counts_only_rows_with_a_known_team() -> None:
    team = torch.full((3, 5), torch.nan)
    output = _output(team=torch.randn(3, 5))
    plain = head_loss(_output(), _target_batch(), scoring="sigmoid", settings=_SETTINGS)
    unknown = head_loss(output, _target_batch(team=team), scoring="sigmoid", settings=_SETTINGS)
    torch.testing.assert_close(unknown, plain)
    team[0, 0] = 1.0
    known = head_loss(output, _target_batch(team=team), scoring="sigmoid", settings=_SETTINGS)
    assert output.team is not None
    expected = plain - 2 * output.team[0, 0].sigmoid().log()
    torch.testing.assert_close(known, expected)


def test_shared_and_per_class_displacement_losses_are_mean_squares() -> None:
    targets = _target_batch()
    plain = head_loss(_output(), targets, scoring="sigmoid", settings=_SETTINGS)
    for expected in (targets.nearest_displacement[..., None], targets.displacement):
        output = _output(displacement=torch.zeros_like(expected))
        loss = head_loss(output, targets, scoring="sigmoid", settings=_SETTINGS)
        torch.testing.assert_close(loss - plain, expected.square().mean())


def test_a_batch_uses_the_outputs_of_its_own_label_set() -> None:
    first, second = torch.randn(3, 5, 2), torch.randn(3, 5, 4)
    labels = (torch.rand(3, 5, 4) > 0.5).float()
    second_targets = _target_batch(
        labels=labels, displacement=torch.zeros_like(labels), is_second_label_set=True
    )
    loss = head_loss(Output(first, second), second_targets, scoring="sigmoid", settings=_SETTINGS)
    changed = head_loss(Output(first + 9, second), second_targets, scoring="sigmoid", settings=_SETTINGS)
    assert torch.equal(loss, changed)
