"""Augmentation: none by default, the same for all pictures of a clip, and each transform does what it is named for."""

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
    Crop,
    Factor,
    MotionBlur,
    Noise,
    Offset,
    Posterize,
    RandomTransform,
    Rotation,
    Sharpness,
)
from bas.heads.finetune.augment import (
    Augmentation,
    View,
    _motion_kernel,
    apply_augmentation,
    draw_augmentation,
    warp,
)

_ALL = AugmentSettings(
    camera=Camera(p=1),
    rotation=Rotation(p=1),
    crop=Crop(p=1),
    flip=RandomTransform(p=1),
    sharpness=Sharpness(p=1),
    motion_blur=MotionBlur(p=1),
    blur=Blur(p=1),
    offset=Offset(p=1),
    brightness=Factor(p=1),
    contrast=Factor(p=1),
    posterize=Posterize(p=1),
    noise=Noise(p=1),
)


def _clip(count: int = 4) -> torch.Tensor:
    """A clip that repeats one picture, smooth enough to be resampled."""
    y, x = torch.meshgrid(torch.arange(48), torch.arange(80), indexing="ij")
    picture = 120 + 60 * torch.sin(x / 9) + 40 * torch.cos(y / 7)
    return picture.round().to(torch.uint8).expand(count, -1, -1).clone()


def test_by_default_a_clip_is_not_augmented() -> None:
    augmentation = draw_augmentation(AugmentSettings(), np.random.default_rng(0))
    assert augmentation == Augmentation()
    clip = _clip()
    assert apply_augmentation(clip, augmentation, AugmentSettings()) is clip


def test_the_same_seed_gives_the_same_clip() -> None:
    one, same, other = (
        apply_augmentation(_clip(), draw_augmentation(_ALL, np.random.default_rng(seed)), _ALL)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.dtype == torch.uint8


@pytest.mark.parametrize(
    "name",
    ["rotation", "crop", "sharpness", "motion_blur", "blur", "offset", "brightness", "contrast", "posterize"],
)
def test_every_picture_of_a_clip_is_transformed_alike(name: str) -> None:
    only = AugmentSettings(**{name: getattr(_ALL, name)})
    clip = _clip()
    clip[:, 20:24, 30:50] = 255  # an edge to sharpen
    augmented = apply_augmentation(clip, draw_augmentation(only, np.random.default_rng(3)), only)
    assert not torch.equal(augmented, clip)
    assert (augmented == augmented[:1]).all()


def test_a_camera_moves_evenly_from_first_to_last() -> None:
    x = (_clip(5) / 255).float()
    moving = warp(x, View(), View(right=0.2))
    for index, right in enumerate((0.0, 0.05, 0.1, 0.15, 0.2)):
        still = warp(x[:1], View(right=right), View(right=right))
        torch.testing.assert_close(moving[index], still[0])
    torch.testing.assert_close(moving[4, :, :64], x[0, :, 16:], atol=1e-5, rtol=0)  # 0.2 of 80 columns


def test_a_rotated_picture_keeps_its_proportions() -> None:
    x = torch.zeros(1, 40, 80)
    x[0, 20, 50] = 1.0  # ten columns right of the middle
    rotation, inverse = View(degrees=-90.0), View(degrees=90.0)
    rotated = warp(x, rotation, rotation)
    row, column = divmod(int(rotated.argmax()), 80)
    assert abs(column - 40) <= 1
    assert abs(abs(row - 20) - 10) <= 1
    row, column = divmod(int(warp(rotated, inverse, inverse).argmax()), 80)
    assert abs(row - 20) <= 1
    assert abs(column - 50) <= 1


@given(degrees=st.floats(-30, 30), direction=st.floats(-1, 1), kernel=st.sampled_from([3, 7, 11]))
@settings(max_examples=30)
def test_motion_blur_keeps_the_brightness(degrees: float, direction: float, kernel: int) -> None:
    line = _motion_kernel(kernel, degrees, direction)
    assert float(line.sum()) == pytest.approx(1, abs=1e-5)
    assert (line >= 0).all()


def test_flip_mirrors_left_and_right() -> None:
    clip = _clip()
    assert torch.equal(apply_augmentation(clip, Augmentation(flip=True), _ALL), clip.flip(2))


_DARK, _BRIGHT = 60, 180


@pytest.mark.parametrize(
    ("augmentation", "dark", "bright"),
    [
        (Augmentation(offset=0.2), 111, 231),  # 0.2 is 51 of 255
        (Augmentation(offset=-0.3), 0, 104),  # 60 - 76.5 is cut off
        (Augmentation(brightness=1.2), 72, 216),
        (Augmentation(brightness=1.5), 90, 255),
        (Augmentation(contrast=0.5), 90, 150),  # about the mean, which is 120
        (Augmentation(contrast=1.5), 30, 210),
        (Augmentation(bits=3), 32, 160),  # multiples of 32
        (Augmentation(bits=7), 60, 180),
        (Augmentation(offset=0.2, brightness=0.5), 56, 116),  # 55.5 and 115.5, half to even
        (Augmentation(brightness=0.5, contrast=0.5), 45, 75),
    ],
)
def test_photometric_transforms_compute_the_documented_values(
    augmentation: Augmentation, dark: int, bright: int
) -> None:
    clip = torch.full((2, 4, 8), _DARK, dtype=torch.uint8)
    clip[:, :, 4:] = _BRIGHT
    augmented = apply_augmentation(clip, augmentation, AugmentSettings())
    assert set(augmented[:, :, :4].flatten().tolist()) == {dark}
    assert set(augmented[:, :, 4:].flatten().tolist()) == {bright}


@pytest.mark.parametrize(("sharpness", "middle", "beside"), [(0.0, 50, 10), (0.5, 90, 5), (1.0, 130, 0)])
def test_sharpness_goes_from_a_blurred_picture_to_the_original(
    sharpness: float, middle: int, beside: int
) -> None:
    clip = torch.zeros(1, 7, 7, dtype=torch.uint8)
    clip[0, 3, 3] = 130  # the blur weighs the middle 5/13 and each neighbor 1/13
    augmented = apply_augmentation(clip, Augmentation(sharpness=sharpness), AugmentSettings())
    assert augmented[0, 3, 3] == middle
    assert augmented[0, 3, 2] == beside


def test_values_are_sampled_from_the_whole_range() -> None:
    settings = AugmentSettings(
        sharpness=Sharpness(p=1, range=(0.25, 0.5)),
        offset=Offset(p=1, range=(-0.2, 0.1)),
        brightness=Factor(p=1, range=(0.7, 1.2)),
        posterize=Posterize(p=1, bits=(3, 7)),
    )
    augmentations = [draw_augmentation(settings, np.random.default_rng(seed)) for seed in range(300)]
    assert {augmentation.bits for augmentation in augmentations} == {3, 4, 5, 6, 7}
    for name, low, high in (("sharpness", 0.25, 0.5), ("offset", -0.2, 0.1), ("brightness", 0.7, 1.2)):
        sampled = [getattr(augmentation, name) for augmentation in augmentations]
        assert low <= min(sampled) < low + 0.01
        assert high - 0.01 < max(sampled) <= high


def test_a_range_with_its_ends_swapped_is_refused() -> None:
    with pytest.raises(ValidationError, match="lower end"):
        Factor(range=(1.2, 0.8))


@pytest.mark.parametrize("name", ["lromul_basic", "lromul_transfer", "lromul_long"])
def test_the_recipes_of_the_2023_winner_have_its_augmentation(name: str) -> None:
    augment = load("finetune", preset=name).finetune.augment
    assert augment.offset == Offset(p=0.3, range=(-0.2, 0.2))
    assert augment.brightness == Factor(p=0.3, range=(0.8, 1.2))
    assert augment.contrast.p == 0
    assert augment.sharpness == Sharpness(p=0.2, range=(0, 1))
    assert augment.posterize == Posterize(p=0.2, bits=(3, 7))
