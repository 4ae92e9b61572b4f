"""NetVLAD++ on whole matches and on windows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from bas.errors import DataError
from bas.heads.netvlad import NetVLAD, NetVLADPlusPlus


def _head(
    *, dim: int = 16, clusters: int = 4, side: int = 5, shape: tuple[int, int, int] = (6, 2, 3)
) -> NetVLADPlusPlus:
    torch.manual_seed(0)
    return NetVLADPlusPlus(shape, classes=3, dim=dim, clusters=clusters, side=side, dropout=0.4).eval()


def _rows(count: int, shape: tuple[int, int, int] = (6, 2, 3)) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float16)


def _windowed(head: NetVLADPlusPlus, rows: np.ndarray) -> torch.Tensor:
    numbers = np.clip(np.arange(len(rows))[:, None] + head.offsets, 0, len(rows) - 1)
    with torch.no_grad():
        logits: torch.Tensor = head(torch.from_numpy(rows[numbers]).float())
    return logits


@pytest.mark.parametrize("count", [1, 3, 10, 1024, 2500])
def test_a_match_scored_row_by_row_equals_its_windows(count: int) -> None:
    head, rows = _head(), _rows(count)
    head.start(_rows(800), seed=0)
    torch.testing.assert_close(head.match_logits(rows), _windowed(head, rows), rtol=0, atol=1e-5)


def test_rows_that_are_as_wide_as_the_head_pass_no_layer() -> None:
    head = _head(dim=36)
    assert [name for name, _ in head.named_parameters() if "projection" in name] == []
    assert len(_head(dim=16).projection.weight) == 16  # type: ignore[arg-type]


def test_the_window_is_half_before_the_row_and_half_from_it_on() -> None:
    head, rows = _head(side=3), _rows(40)
    before = head.match_logits(rows)
    changed = rows.copy()
    changed[20] += 1
    moved = (head.match_logits(changed) - before).abs().amax(dim=1) > 1e-6
    assert torch.nonzero(moved).flatten().tolist() == list(
        range(18, 24)
    )  # rows 18..20 see it after, 21..23 before


def test_pooling_is_the_published_one() -> None:
    """Residuals summed by assignment, L2 per cluster, flattened cluster-fast, L2."""
    torch.manual_seed(1)
    vlad = NetVLAD(5, 3)
    units = functional.normalize(torch.randn(2, 7, 5), dim=-1)
    expected = torch.zeros(2, 5, 3)
    for b in range(2):
        for t in range(7):
            share = torch.softmax(units[b, t] @ vlad.assignment, dim=0)
            for k in range(3):
                expected[b, :, k] += share[k] * (units[b, t] - vlad.centers[:, k])
    expected = functional.normalize(functional.normalize(expected, dim=1).flatten(1), dim=1)
    torch.testing.assert_close(vlad(units), expected)


def test_clusters_start_on_the_groups_that_rows_fall_into() -> None:
    torch.manual_seed(0)
    directions = torch.eye(8)[:3]
    units = functional.normalize(directions.repeat_interleave(50, dim=0) + 0.05 * torch.randn(150, 8), dim=1)
    vlad = NetVLAD(8, 3)
    vlad.start(units, seed=0)
    shares = vlad.assign(units)
    assert shares.amax(dim=1).min() > 0.9
    assert sorted(shares.argmax(dim=1).bincount().tolist()) == [50, 50, 50]


def test_projected_rows_start_centered_and_white() -> None:
    head, rows = _head(dim=10), _rows(2000)
    rows[:, 0] *= 3
    head.start(rows, seed=0)
    inputs = (torch.from_numpy(rows).float().flatten(1) - head.mean) * head.scale
    projected = head.projection(inputs).detach()
    torch.testing.assert_close(projected.mean(dim=0), torch.zeros(10), rtol=0, atol=0.05)
    torch.testing.assert_close(projected.T @ projected / len(rows), torch.eye(10), rtol=0, atol=0.05)


def test_fewer_rows_than_clusters_are_refused() -> None:
    with pytest.raises(DataError, match="4 clusters cannot start from 3 rows.*head.clusters=3"):
        _head(clusters=4).start(_rows(3), seed=0)


def test_a_constant_channel_does_not_make_the_start_infinite() -> None:
    head, rows = _head(), _rows(100)
    rows[:, 2] = 1
    head.start(rows, seed=0)
    assert all(torch.isfinite(value).all() for value in head.state_dict().values())
    assert math.isfinite(float(head.match_logits(rows).sum()))
