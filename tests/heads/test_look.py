"""Changes of look: nothing by default, the same for all pictures of a clip, and what their names say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bas.config import load
from bas.config.finetune import (
    AugmentSettings,
    Blur,
    Camera,
    Chance,
    Crop,
    Factor,
    MotionBlur,
    Noise,
    Offset,
    Posterize,
    Rotation,
    Sharpness,
)
from bas.heads.look import Look, _line, change, draw_look
from bas.heads.placement import Placement, place

_ALL = AugmentSettings(
    camera=Camera(p=1),
    rotation=Rotation(p=1),
    crop=Crop(p=1),
    flip=Chance(p=1),
    sharpness=Sharpness(p=1),
    motion_blur=MotionBlur(p=1),
    blur=Blur(p=1),
    offset=Offset(p=1),
    brightness=Factor(p=1),
    contrast=Factor(p=1),
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
    assert look == Look()
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
    "name",
    ["rotation", "crop", "sharpness", "motion_blur", "blur", "offset", "brightness", "contrast", "posterize"],
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
    assert abs(row - 20) <= 1
    assert abs(column - 50) <= 1


@given(degrees=st.floats(-30, 30), direction=st.floats(-1, 1), kernel=st.sampled_from([3, 7, 11]))
@settings(max_examples=30)
def test_a_blurring_line_keeps_the_brightness(degrees: float, direction: float, kernel: int) -> None:
    line = _line(kernel, degrees, direction)
    assert float(line.sum()) == pytest.approx(1, abs=1e-5)
    assert (line >= 0).all()


def test_flip_mirrors_left_and_right() -> None:
    clip = _clip()
    assert torch.equal(change(clip, Look(flip=True), _ALL), clip.flip(2))


_DARK, _LIGHT = 60, 180


@pytest.mark.parametrize(
    ("look", "dark", "light"),
    [
        (Look(offset=0.2), 111, 231),  # 0.2 is 51 of 255
        (Look(offset=-0.3), 0, 104),  # 60 - 76.5 is cut off
        (Look(brightness=1.2), 72, 216),
        (Look(brightness=1.5), 90, 255),
        (Look(contrast=0.5), 90, 150),  # about the mean, which is 120
        (Look(contrast=1.5), 30, 210),
        (Look(bits=3), 32, 160),  # multiples of 32
        (Look(bits=7), 60, 180),
        (Look(offset=0.2, brightness=0.5), 56, 116),  # 55.5 and 115.5, half to even
        (Look(brightness=0.5, contrast=0.5), 45, 75),
    ],
)
def test_light_changes_by_the_numbers(look: Look, dark: int, light: int) -> None:
    clip = torch.full((2, 4, 8), _DARK, dtype=torch.uint8)
    clip[:, :, 4:] = _LIGHT
    changed = change(clip, look, AugmentSettings())
    assert set(changed[:, :, :4].flatten().tolist()) == {dark}
    assert set(changed[:, :, 4:].flatten().tolist()) == {light}


@pytest.mark.parametrize(("sharpness", "middle", "beside"), [(0.0, 50, 10), (0.5, 90, 5), (1.0, 130, 0)])
def test_sharpness_goes_from_a_blurred_picture_to_what_it_is(
    sharpness: float, middle: int, beside: int
) -> None:
    clip = torch.zeros(1, 7, 7, dtype=torch.uint8)
    clip[0, 3, 3] = 130  # the blur gives the middle 5 of 13 shares and each neighbor one
    changed = change(clip, Look(sharpness=sharpness), AugmentSettings())
    assert changed[0, 3, 3] == middle
    assert changed[0, 3, 2] == beside


def test_ranges_are_drawn_from_end_to_end() -> None:
    settings = AugmentSettings(
        sharpness=Sharpness(p=1, range=(0.25, 0.5)),
        offset=Offset(p=1, range=(-0.2, 0.1)),
        brightness=Factor(p=1, range=(0.7, 1.2)),
        posterize=Posterize(p=1, bits=(3, 7)),
    )
    looks = [draw_look(settings, np.random.default_rng(seed)) for seed in range(300)]
    assert {look.bits for look in looks} == {3, 4, 5, 6, 7}
    for name, low, high in (("sharpness", 0.25, 0.5), ("offset", -0.2, 0.1), ("brightness", 0.7, 1.2)):
        drawn = [getattr(look, name) for look in looks]
        assert low <= min(drawn) < low + 0.01
        assert high - 0.01 < max(drawn) <= high


def test_a_range_that_begins_at_its_upper_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="lower end"):
        Factor(range=(1.2, 0.8))


@pytest.mark.parametrize("name", ["lromul_basic", "lromul_transfer", "lromul_long"])
def test_the_winner_of_2023_moves_scales_and_softens(name: str) -> None:
    augment = load("finetune", preset=name).finetune.augment
    assert augment.offset == Offset(p=0.3, range=(-0.2, 0.2))
    assert augment.brightness == Factor(p=0.3, range=(0.8, 1.2))
    assert augment.contrast.p == 0
    assert augment.sharpness == Sharpness(p=0.2, range=(0, 1))
    assert augment.posterize == Posterize(p=0.2, bits=(3, 7))
