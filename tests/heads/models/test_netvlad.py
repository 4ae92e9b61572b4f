"""NetVLAD++ on whole videos and on windows."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from torch.nn import functional

from bas.config import NetVLADSettings, Pooling
from bas.errors import DataError
from bas.heads.models.base import WindowHead
from bas.heads.models.netvlad import NetVLAD, TemporalPooling
from bas.heads.models.outputs import Task


def _head(
    pool: Pooling = "NetVLAD++", *, dim: int = 16, clusters: int = 4, window: int = 10
) -> TemporalPooling:
    torch.manual_seed(0)
    settings = NetVLADSettings(pool=pool, dim=dim, clusters=clusters)
    return TemporalPooling((6, 2, 3), Task(3), settings, window=window).eval()


def _rows(count: int, shape: tuple[int, int, int] = (6, 2, 3)) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float16)


def _windowed(head: WindowHead, rows: np.ndarray) -> torch.Tensor:
    numbers = np.clip(np.arange(len(rows))[:, None] + head.offsets, 0, len(rows) - 1)
    with torch.no_grad():
        logits: torch.Tensor = head(torch.from_numpy(rows[numbers]).float()).logits[:, 0]
    return logits


@pytest.mark.parametrize("pool", get_args(Pooling))
def test_every_pooling_scores_a_video_like_its_windows(pool: Pooling) -> None:
    head, rows = _head(pool, window=7), _rows(50)
    head.init_from_features(_rows(200), seed=0)
    torch.testing.assert_close(head.video_logits(rows), _windowed(head, rows), rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 10, 1024, 2500])
def test_logits_of_a_video_equal_those_of_its_windows(count: int) -> None:
    head, rows = _head(), _rows(count)
    head.init_from_features(_rows(800), seed=0)
    torch.testing.assert_close(head.video_logits(rows), _windowed(head, rows), rtol=0, atol=1e-5)


def test_rows_as_wide_as_the_head_have_no_projection_layer() -> None:
    head = _head(dim=36)
    assert [name for name, _ in head.named_parameters() if "projection" in name] == []
    assert [p.shape for name, p in _head(dim=16).named_parameters() if name == "projection.weight"] == [
        (16, 36)
    ]


def test_half_of_the_window_precedes_its_center_row() -> None:
    head, rows = _head(window=6), _rows(40)
    before = head.video_logits(rows)
    changed = rows.copy()
    changed[20] += 1
    changes = (head.video_logits(changed) - before).abs().amax(dim=1) > 1e-6
    assert torch.nonzero(changes).flatten().tolist() == list(
        range(18, 24)
    )  # for 18..20 it is in the half from the center on, for 21..23 before it


def test_pooling_matches_the_published_formula() -> None:
    """Residuals summed by assignment, L2 per cluster, flattened cluster-fast, L2."""
    torch.manual_seed(1)
    vlad = NetVLAD(5, 3)
    assert vlad.centers is not None
    units = functional.normalize(torch.randn(2, 7, 5), dim=-1)
    expected = torch.zeros(2, 5, 3)
    for b in range(2):
        for t in range(7):
            share = torch.softmax(units[b, t] @ vlad.assignment, dim=0)
            for k in range(3):
                expected[b, :, k] += share[k] * (units[b, t] - vlad.centers[:, k])
    expected = functional.normalize(functional.normalize(expected, dim=1).flatten(1), dim=1)
    torch.testing.assert_close(vlad(units), expected)


def test_clusters_are_initialized_on_the_groups_of_the_rows() -> None:
    torch.manual_seed(0)
    directions = torch.eye(8)[:3]
    units = functional.normalize(directions.repeat_interleave(50, dim=0) + 0.05 * torch.randn(150, 8), dim=1)
    vlad = NetVLAD(8, 3)
    vlad.init_from_features(units, seed=0)
    shares = vlad.assign(units)
    assert shares.amax(dim=1).min() > 0.9
    assert sorted(shares.argmax(dim=1).bincount().tolist()) == [50, 50, 50]


def test_projected_rows_are_initially_centered_and_white() -> None:
    head, rows = _head(dim=10), _rows(2000)
    rows[:, 0] *= 3
    head.init_from_features(rows, seed=0)
    inputs = head.standard(torch.from_numpy(rows).float().flatten(1))
    projected = head.projection(inputs).detach()
    torch.testing.assert_close(projected.mean(dim=0), torch.zeros(10), rtol=0, atol=0.05)
    torch.testing.assert_close(projected.T @ projected / len(rows), torch.eye(10), rtol=0, atol=0.05)


def test_fewer_rows_than_clusters_are_rejected() -> None:
    with pytest.raises(DataError, match="Not enough rows to initialize 4 clusters: got 3.*head.clusters=3"):
        _head(clusters=4).init_from_features(_rows(3), seed=0)


def test_a_constant_channel_keeps_the_initialization_finite() -> None:
    head, rows = _head(), _rows(100)
    rows[:, 2] = 1
    head.init_from_features(rows, seed=0)
    assert all(torch.isfinite(value).all() for value in head.state_dict().values())
    assert math.isfinite(float(head.video_logits(rows).sum()))
