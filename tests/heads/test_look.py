"""Changes of look: nothing by default, the same for all pictures of a clip, and what their names say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bas.config.finetune import (
    AugmentSettings,
    Blur,
    Camera,
    Chance,
    Crop,
    MotionBlur,
    Noise,
    Posterize,
    Rotation,
    Sharpness,
    Strength,
)
from bas.heads.look import Look, _line, change, draw_look
from bas.heads.placement import Placement, place

_NOTHING = Look(None, False, None, None, None, None, None, False, None)
_ALL = AugmentSettings(
    camera=Camera(p=1),
    rotation=Rotation(p=1),
    crop=Crop(p=1),
    flip=Chance(p=1),
    sharpness=Sharpness(p=1),
    motion_blur=MotionBlur(p=1),
    blur=Blur(p=1),
    brightness=Strength(p=1),
    contrast=Strength(p=1),
    posterize=Posterize(p=1),
    noise=Noise(p=1),
)


def _clip(slots: int = 4) -> torch.Tensor:
    """The same picture in every slot, smooth enough to be resampled."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(80), indexing="ij")
    picture = 120 + 60 * torch.sin(x / 9) + 40 * torch.cos(y / 7)
    return picture.round().to(torch.uint8).expand(slots, -1, -1).clone()


def test_by_default_a_clip_stays_as_it_is() -> None:
    look = draw_look(AugmentSettings(), np.random.default_rng(0))
    assert look == _NOTHING
    clip = _clip()
    assert change(clip, look, AugmentSettings()) is clip


def test_the_same_draw_gives_the_same_clip() -> None:
    one, same, other = (
        change(_clip(), draw_look(_ALL, np.random.default_rng(seed)), _ALL) for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.dtype == torch.uint8


@pytest.mark.parametrize(
    "name", ["rotation", "crop", "sharpness", "motion_blur", "blur", "brightness", "contrast", "posterize"]
)
def test_every_picture_of_a_clip_is_changed_alike(name: str) -> None:
    only = AugmentSettings(**{name: getattr(_ALL, name)})
    clip = _clip()
    clip[:, 20:24, 30:50] = 255  # an edge to sharpen
    changed = change(clip, draw_look(only, np.random.default_rng(3)), only)
    assert not torch.equal(changed, clip)
    assert (changed == changed[:1]).all()


def test_a_camera_moves_evenly_from_first_to_last() -> None:
    x = (_clip(5) / 255).float()
    moving = place(x, Placement(), Placement(right=0.2))
    for slot, right in enumerate((0.0, 0.05, 0.1, 0.15, 0.2)):
        still = place(x[:1], Placement(right=right), Placement(right=right))
        torch.testing.assert_close(moving[slot], still[0])
    torch.testing.assert_close(moving[4, :, :64], x[0, :, 16:], atol=1e-5, rtol=0)  # 0.2 of 80 columns


def test_a_turned_picture_keeps_its_proportions() -> None:
    x = torch.zeros(1, 40, 80)
    x[0, 20, 50] = 1.0  # ten columns right of the middle
    turn, back = Placement(degrees=-90.0), Placement(degrees=90.0)
    turned = place(x, turn, turn)
    row, column = divmod(int(turned.argmax()), 80)
    assert abs(column - 40) <= 1
    assert abs(abs(row - 20) - 10) <= 1
    row, column = divmod(int(place(turned, back, back).argmax()), 80)
    assert (abs(row - 20), abs(column - 50)) <= (1, 1)


@given(degrees=st.floats(-30, 30), direction=st.floats(-1, 1), kernel=st.sampled_from([3, 7, 11]))
@settings(max_examples=30)
def test_a_blurring_line_keeps_the_brightness(degrees: float, direction: float, kernel: int) -> None:
    line = _line(kernel, degrees, direction)
    assert float(line.sum()) == pytest.approx(1, abs=1e-5)
    assert (line >= 0).all()


def test_flip_mirrors_left_and_right() -> None:
    clip = _clip()
    assert torch.equal(change(clip, replace(_NOTHING, flip=True), _ALL), clip.flip(2))


def test_posterized_pictures_have_few_levels_and_brighter_ones_are_brighter() -> None:
    clip = _clip()
    few = change(clip, replace(_NOTHING, posterize=True), _ALL)
    assert len(set(few.flatten().tolist())) <= 8
    brighter = change(clip, replace(_NOTHING, brightness=1.1), _ALL)
    torch.testing.assert_close(brighter.float(), (clip * 1.1).clamp(max=255), atol=1, rtol=0)
