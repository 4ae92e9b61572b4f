"""Losses that a head minimizes: only rows that count, only the truth's own label set."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from bas.config import FitSettings, Scoring
from bas.heads.losses import head_loss, weighted_cross_entropy
from bas.heads.outputs import Output
from bas.heads.truth import Truth

_SETTINGS = FitSettings()


def _truth(**changes: Any) -> Truth:
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "labels": (torch.rand(3, 5, 2) > 0.6).float(),
        "displacement": torch.randn(3, 5, 2),
        "nearest": torch.randn(3, 5),
        "team": (torch.rand(3, 5) > 0.5).float(),
        "counted": torch.ones(3, 5),
        "second": False,
    }
    return Truth(**values | changes)


def _output(columns: int = 2, **changes: Any) -> Output:
    torch.manual_seed(1)
    return Output(torch.randn(3, 5, columns))._replace(**changes)


@pytest.mark.parametrize(("scoring", "columns"), [("sigmoid", 2), ("sigmoid+background", 3), ("softmax", 3)])
def test_rows_that_do_not_count_change_nothing(scoring: Scoring, columns: int) -> None:
    counted = torch.ones(3, 5)
    counted[:, 2:] = 0
    output = _output(columns, displacement=torch.randn(3, 5, 1), team=torch.randn(3, 5))
    truth = _truth(counted=counted)
    loss = head_loss(output, truth, scoring=scoring, settings=_SETTINGS)
    assert output.displacement is not None
    assert output.team is not None
    wild = Output(output.logits.clone(), None, output.displacement.clone(), output.team.clone())
    for part in (wild.logits, wild.displacement, wild.team):
        assert part is not None
        part[:, 2:] += 100
    torch.testing.assert_close(head_loss(wild, truth, scoring=scoring, settings=_SETTINGS), loss)


def test_cross_entropy_of_one_class_a_row_is_the_library_s() -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(40, 5), torch.randint(5, (40,))
    ours = weighted_cross_entropy(logits, functional.one_hot(classes, 5).float(), foreground_weight=5.0)
    weight = torch.tensor([1.0, 5, 5, 5, 5])
    torch.testing.assert_close(ours, functional.cross_entropy(logits, classes, weight, reduction="none"))


def test_classes_that_hold_together_share_the_row() -> None:
    logits = torch.zeros(1, 1, 3)
    one = torch.zeros(1, 1)
    both = Truth(torch.ones(1, 1, 2), torch.zeros(1, 1, 2), one, one, one + 1, second=False)
    loss = head_loss(Output(logits), both, scoring="softmax", settings=_SETTINGS)
    torch.testing.assert_close(loss, torch.tensor(5.0) * torch.tensor(3.0).log())


def test_the_team_is_learned_where_it_is_known() -> None:
    team = torch.full((3, 5), torch.nan)
    output = _output(team=torch.randn(3, 5))
    plain = head_loss(_output(), _truth(), scoring="sigmoid", settings=_SETTINGS)
    unknown = head_loss(output, _truth(team=team), scoring="sigmoid", settings=_SETTINGS)
    torch.testing.assert_close(unknown, plain)
    team[0, 0] = 1.0
    known = head_loss(output, _truth(team=team), scoring="sigmoid", settings=_SETTINGS)
    assert output.team is not None
    expected = plain - 2 * output.team[0, 0].sigmoid().log()
    torch.testing.assert_close(known, expected)


def test_displacement_of_all_classes_or_of_each_is_a_mean_square() -> None:
    truth = _truth()
    plain = head_loss(_output(), truth, scoring="sigmoid", settings=_SETTINGS)
    for wanted in (truth.nearest[..., None], truth.displacement):
        output = _output(displacement=torch.zeros_like(wanted))
        loss = head_loss(output, truth, scoring="sigmoid", settings=_SETTINGS)
        torch.testing.assert_close(loss - plain, wanted.square().mean())


def test_a_clip_counts_on_the_outputs_of_its_own_label_set() -> None:
    first, second = torch.randn(3, 5, 2), torch.randn(3, 5, 4)
    labels = (torch.rand(3, 5, 4) > 0.5).float()
    of_second = _truth(labels=labels, displacement=torch.zeros_like(labels), second=True)
    loss = head_loss(Output(first, second), of_second, scoring="sigmoid", settings=_SETTINGS)
    moved = head_loss(Output(first + 9, second), of_second, scoring="sigmoid", settings=_SETTINGS)
    assert torch.equal(loss, moved)
