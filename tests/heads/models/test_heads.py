"""Scores of heads on whole videos: equal to those of windows and sequences, at the ends too."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bas.config import Blocks3DSettings, GRUSettings, LinearSettings, SGPSettings
from bas.heads.models import blocks3d
from bas.heads.models.base import SequenceHead, WindowHead
from bas.heads.models.blocks3d import Blocks3D
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import Task, class_scores, displace, split_by_team

_SHAPE = (16, 2, 3)
_RATE = Fraction(25, 2)


def _rows(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, *_SHAPE)).astype(np.float16)


def _blocks(mode: str = "windowed", *, frames: int = 15) -> Blocks3D:
    torch.manual_seed(0)
    settings_ = Blocks3DSettings.model_validate(
        {"mode": mode, "frames": frames, "blocks": 2, "projection": 8}
    )
    head = build_head(settings_, _SHAPE, Task(3), row_rate=_RATE)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm3d):
            assert module.running_mean is not None
            assert module.running_var is not None
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    assert isinstance(head, Blocks3D)
    return head.eval()


def _sequence_head(settings: SGPSettings | GRUSettings) -> SequenceHead:
    torch.manual_seed(0)
    head = build_head(settings, _SHAPE, Task(3, team=isinstance(settings, SGPSettings)), row_rate=_RATE)
    assert isinstance(head, SequenceHead)
    return head.eval()


@pytest.mark.parametrize("count", [1, 2, 24, 300])
@pytest.mark.parametrize("frames", [15, 33])
def test_blocks_score_a_video_like_its_windows(count: int, frames: int) -> None:
    _assert_windowed(_blocks(frames=frames), _rows(count))


@pytest.mark.parametrize("count", [1, 50])
def test_linear_scores_a_video_like_its_rows(count: int) -> None:
    head = build_head(LinearSettings(), _SHAPE, Task(3), row_rate=_RATE).eval()
    head.init_from_features(_rows(30), seed=0)
    assert isinstance(head, WindowHead)
    _assert_windowed(head, _rows(count))


def _assert_windowed(head: WindowHead, rows: np.ndarray) -> None:
    numbers = np.clip(np.arange(len(rows))[:, None] + head.offsets, 0, len(rows) - 1)
    with torch.no_grad():
        windowed = head(torch.from_numpy(rows[numbers]).float()).logits[:, 0]
    torch.testing.assert_close(head.video_logits(rows), windowed, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(head.scores(rows), windowed.sigmoid(), rtol=1e-4, atol=1e-4)


def test_windows_of_blocks_have_the_published_frames() -> None:
    assert (2 * _blocks().offsets).tolist() == [-12, -6, 0, 6, 12]
    assert (2 * _blocks(frames=33).offsets).tolist() == list(range(-30, 31, 6))


@pytest.mark.parametrize("count", [1, 2, 40, 200])
def test_a_dense_pass_does_not_depend_on_chunk_boundaries(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, rows = _blocks("dense"), _rows(count)
    whole = head.video_logits(rows)
    assert whole.shape == (count, 3)
    monkeypatch.setattr(blocks3d, "_CHUNK_SLICES", 3)
    torch.testing.assert_close(head.video_logits(rows), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [1, 7, 30])
def test_a_dense_pass_equals_its_definition_slice_by_slice(count: int) -> None:
    """Each phase is one sequence; excitation averages the five slices around each, fewer at the ends."""
    head, rows = _blocks("dense"), torch.from_numpy(_rows(count)).float()
    expected = torch.zeros(count, 3)
    with torch.no_grad():
        for phase in range(min(3, count)):
            numbers = torch.arange(phase - 6, count + 6, 3)
            x = rearrange(head.projection(rows[numbers.clamp(0, count - 1)]), "t c y x -> 1 c t y x")
            for block in head.blocks:
                assert isinstance(block, blocks3d.InvertedResidual3D)
                mixed = block.mix(block.widen(x))
                excited = mixed.clone()
                for t in range(len(numbers)):
                    mean = mixed[:, :, max(0, t - 2) : t + 3].mean(dim=(2, 3, 4), keepdim=True)
                    gate = block.excite.expand(functional.silu(block.excite.reduce(mean))).sigmoid()
                    excited[:, :, t : t + 1] = mixed[:, :, t : t + 1] * gate
                x = x + block.narrow(excited)
            slices = head.narrow(rearrange(x, "1 c t y x -> t c y x"))
            for k in range(2, len(numbers) - 2):
                around = rearrange(slices[k - 2 : k + 3], "t c y x -> (t c) y x")
                expected[numbers[k]] = head.classifier.layer(head.pooling(around))
    torch.testing.assert_close(head.video_logits(rows.half().numpy()), expected, rtol=1e-4, atol=1e-5)


def test_a_dense_pass_without_excitation_and_time_convolution_equals_windows() -> None:
    """The two differ only in squeeze-and-excitation and in the zero padding of windows."""
    settings_ = Blocks3DSettings(blocks=1, projection=8, mode="dense")
    torch.manual_seed(0)
    head = build_head(settings_, _SHAPE, Task(3), row_rate=_RATE).eval()
    assert isinstance(head, Blocks3D)
    block = head.blocks[0]
    assert isinstance(block, blocks3d.InvertedResidual3D)
    torch.nn.init.zeros_(block.excite.expand.weight)
    for conv in block.mix:
        if isinstance(conv, torch.nn.Conv3d):
            conv.weight.data[:, :, 0] = 0  # ignore the slice before
            conv.weight.data[:, :, 2] = 0  # ignore the slice after
    _assert_windowed(head, _rows(60))


@pytest.mark.parametrize("count", [1, 5, 17, 100])
@pytest.mark.parametrize("settings_", [GRUSettings(dim=16, clip_rows=16), SGPSettings(dim=16, clip_rows=16)])
def test_the_score_of_a_row_is_the_mean_of_the_four_sequences_that_contain_it(
    settings_: SGPSettings | GRUSettings, count: int
) -> None:
    head, rows = _sequence_head(settings_), _rows(count)
    with torch.no_grad():
        vectors = head._vectors(torch.from_numpy(rows).float())
        total, support = torch.zeros(count, 3 * (1 + (settings_.kind == "sgp"))), torch.zeros(count, 1)
        for start in range(-12, count, 4):
            indices = torch.arange(start, start + 16)
            (scores,) = head._sequence_scores(vectors[indices.clamp(0, count - 1)][None])
            inside = (indices >= 0) & (indices < count)
            total[indices[inside]] += scores[inside]
            support[indices[inside]] += 1
    assert (support == 4).all()
    torch.testing.assert_close(head.scores(rows), total / support, rtol=1e-4, atol=1e-5)


def test_a_sequence_of_another_length_stretches_the_position_embedding() -> None:
    head = _sequence_head(SGPSettings(dim=16, clip_rows=16))
    with torch.no_grad():
        output = head(torch.randn(2, 40, *_SHAPE))
    assert output.logits.shape == (2, 40, 3)
    assert output.team is not None
    assert output.team.shape == (2, 40)


def test_a_position_embedding_stretched_in_advance_gives_the_same_output() -> None:
    short, long = (_sequence_head(SGPSettings(dim=16, clip_rows=rows)) for rows in (16, 31))
    weights = short.state_dict()
    embedding = weights["position"]
    # Of 31 rows every second is one of the 16; the last value is only padding, cut off below.
    between = torch.cat([(embedding[:-1] + embedding[1:]) / 2, embedding[:1]])
    weights["position"] = rearrange(torch.stack([embedding, between]), "two t c -> (t two) c")[:-1]
    long.load_state_dict(weights)
    rows = torch.from_numpy(_rows(31)).float()[None]
    with torch.no_grad():
        torch.testing.assert_close(short(rows).logits, long(rows).logits, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000))
def test_displacement_moves_every_score_and_keeps_the_highest_of_those_that_collide(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(1, 12, 2, generator=generator)
    displacement = 5 * torch.randn(1, 12, 1, generator=generator)
    moved = displace(scores, displacement)
    expected = torch.zeros(12, 2)
    for row in range(12):
        destination = min(max(row - int(displacement[0, row, 0].round()), 0), 11)
        expected[destination] = torch.maximum(expected[destination], scores[0, row])
    assert torch.equal(moved[0], expected)
    torch.testing.assert_close(moved.amax(dim=1), scores.amax(dim=1))


def test_the_team_probability_splits_the_score_of_an_action() -> None:
    scores = split_by_team(torch.tensor([[[0.8, 0.4]]]), torch.tensor([[0.75]]))
    torch.testing.assert_close(scores, torch.tensor([[[0.2, 0.6, 0.1, 0.3]]]))


def test_scores_exclude_the_background() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    assert torch.equal(class_scores(logits, "sigmoid"), logits.sigmoid())
    assert torch.equal(class_scores(logits, "sigmoid+background"), logits[:, 1:].sigmoid())
    assert torch.equal(class_scores(logits, "softmax"), logits.softmax(dim=1)[:, 1:])
