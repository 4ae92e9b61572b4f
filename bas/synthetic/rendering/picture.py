"""Painting of one broadcast frame: ground, goals, people and ball from far to near, grain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int16, UInt8, UInt16

from bas.synthetic.rendering import goals, sprites
from bas.synthetic.rendering.camera import CameraTrack, PinholeCamera, camera_at
from bas.synthetic.rendering.canvas import Sprite
from bas.synthetic.rendering.colors import Kit
from bas.synthetic.rendering.figures import Postures, postures
from bas.synthetic.rendering.sprites import BALL_STEPS, NUM_HEADINGS, SUN, FigureKey, scale_step
from bas.synthetic.rendering.stadium import StadiumTexture, texel_indices
from bas.synthetic.simulation.people import Pose
from bas.synthetic.simulation.play import Half

_BALL_RADIUS_METRES = 0.175
"""Radius of the ball, drawn larger than life to be visible in a small picture."""
_MIN_BALL_RADIUS = 4  # in units of 1 / BALL_STEPS pixel
_FIGURE_EXTENT_METRES = 2.8
"""Distance from the feet of a figure to the far end of its shadow."""
_GRAIN, _GRAIN_SHIFTS = 2.4, 64
_NET_LUMA, _NET_ALPHA = 225, 90  # alpha out of 256


class ScreenPoint(NamedTuple):
    """Projection of a point into the picture."""

    column: float
    row: float
    scale: float
    """Pixels per metre."""


@dataclass(frozen=True, slots=True)
class YUVPicture:
    """A YUV 4:2:0 picture in limited range."""

    luma: UInt8[np.ndarray, "rows columns"]
    chroma: UInt8[np.ndarray, "two half_rows half_columns"]


class Painter:
    """Painter of the frames of one half, in any order: a frame's bytes do not depend on those painted before."""

    def __init__(
        self,
        half: Half,
        camera_track: CameraTrack,
        kits: tuple[Kit, ...],
        texture: StadiumTexture,
        *,
        width: int,
        height: int,
        rng: np.random.Generator,
    ) -> None:
        """Prepare a half; `kits` has one kit per person, in the order of `half.people`."""
        assert width % 2 == 0, width
        assert height % 2 == 0, height
        self._half, self._camera_track, self._kits, self._texture = half, camera_track, kits, texture
        self._postures: Postures = postures(half)
        self._width, self._height = width, height
        self._grain: Int16[np.ndarray, "rows columns"] = np.rint(
            rng.normal(0, _GRAIN, (height + _GRAIN_SHIFTS, width + _GRAIN_SHIFTS))
        ).astype(np.int16)

    def __len__(self) -> int:
        return len(self._half)

    def paint(self, frame: int) -> YUVPicture:
        """Paint one frame."""
        camera = camera_at(self._camera_track, frame, width=self._width, height=self._height)
        index = texel_indices(self._texture, camera, width=self._width, height=self._height)
        luma, *chroma = self._texture.planes
        chroma_index = index[::2, ::2]
        picture = YUVPicture(luma.take(index), np.stack([plane.take(chroma_index) for plane in chroma]))
        self._composite_scene(picture, camera, frame)
        return YUVPicture(self._add_grain(picture.luma, frame), picture.chroma)

    def _composite_scene(self, picture: YUVPicture, camera: PinholeCamera, frame: int) -> None:
        """Composite shadows, then goals, then bodies and ball from far to near."""
        ball = self._half.ball[frame].astype(np.float64)
        people = self._half.people[frame].astype(np.float64)
        # Offset of the ball's shadow: SUN metres per metre of height, along the picture's axes on the ground.
        cast = ball[2] * (SUN[0] * camera.right + SUN[1] * camera.forward)
        points = np.zeros((len(people) + 2, 3))
        points[:-2, :2], points[-2, :2], points[-1] = people, ball[:2] + cast[:2], ball
        *feet, ball_shadow, ball_point = (ScreenPoint(*point) for point in camera.project(points).tolist())
        keys = self._figure_keys(feet, camera, frame)
        for person, key in keys.items():
            _composite_shadow(picture, sprites.shadow(key), feet[person])
        _composite_shadow(picture, sprites.ball_shadow(_ball_radius(ball_shadow)), ball_shadow)
        for side in (-1, 1):
            if goals.in_view(side, camera, width=self._width, height=self._height):
                _composite_goal(picture, camera, side)
        # Grows with the distance from the camera along the ground: the farthest is painted first.
        across = points[:, :2] @ camera.forward[:2]
        for item in sorted((*keys, len(points) - 1), key=lambda item: -across[item]):
            if item in keys:
                _composite(picture, sprites.figure(keys[item], self._kits[item]), feet[item])
            else:
                _composite_ball(picture, ball_point)

    def _figure_keys(
        self, feet: Sequence[ScreenPoint], camera: PinholeCamera, frame: int
    ) -> dict[int, FigureKey]:
        """Return the sprite keys of all people whose body or shadow may be in the picture."""
        half, body = self._half, self._postures
        turn = float(np.arctan2(camera.right[1], camera.right[0]))
        keys = {}
        for i, (column, row, scale) in enumerate(feet):
            margin = _FIGURE_EXTENT_METRES * scale
            if -margin < column < self._width + margin and -0.3 * margin < row < self._height + margin:
                keys[i] = FigureKey(
                    pose=Pose(int(half.poses[frame, i])),
                    phase=int(half.phases[frame, i]),
                    gait=int(body.gait[frame, i]),
                    stride_phase=int(body.stride_phase[frame, i]),
                    heading=round((float(body.heading[frame, i]) - turn) / (2 * np.pi) * NUM_HEADINGS)
                    % NUM_HEADINGS,
                    scale=scale_step(scale),
                )
        return keys

    def _add_grain(
        self, luma: UInt8[np.ndarray, "rows columns"], frame: int
    ) -> UInt8[np.ndarray, "rows columns"]:
        # Shifting one fixed noise field by frame number keeps frames independent of each other and of their order.
        down, right = (frame * 37 + frame // 7 * 11) % _GRAIN_SHIFTS, (frame * 53) % _GRAIN_SHIFTS
        noisy = self._grain[down : down + self._height, right : right + self._width] + luma
        np.clip(noisy, 16, 235, out=noisy)
        grained: UInt8[np.ndarray, "rows columns"] = noisy.astype(np.uint8)
        return grained


def _ball_radius(center: ScreenPoint) -> int:
    """Return the ball's radius in units of 1 / BALL_STEPS pixel."""
    return max(round(_BALL_RADIUS_METRES * center.scale * BALL_STEPS), _MIN_BALL_RADIUS)


def _composite_ball(picture: YUVPicture, center: ScreenPoint) -> None:
    """Composite the ball at subpixel precision, so that a slow ball moves smoothly."""
    column, row = round(center.column * BALL_STEPS), round(center.row * BALL_STEPS)
    block = (
        2 * BALL_STEPS
    )  # a chroma sample covers 2 x 2 pixels: the sprite contains the offset within that block
    sprite = sprites.ball(_ball_radius(center), column % block, row % block)
    _composite(picture, sprite, ScreenPoint(2.0 * (column // block), 2.0 * (row // block), center.scale))


def _composite(picture: YUVPicture, sprite: Sprite, anchor: ScreenPoint) -> None:
    """Composite a sprite with its anchor at `anchor`, rounded to whole pixels of luma and of chroma."""
    left, top = math.floor(anchor.column) - sprite.left, math.floor(anchor.row) - sprite.top
    _blend(picture.luma[None], sprite.luma[None], sprite.transparency, left, top)
    _blend(picture.chroma, sprite.chroma, sprite.chroma_transparency, left // 2, top // 2)


def _composite_shadow(picture: YUVPicture, sprite: Sprite, anchor: ScreenPoint) -> None:
    """Darken the luma only, so that the grass keeps its hue."""
    left, top = math.floor(anchor.column) - sprite.left, math.floor(anchor.row) - sprite.top
    _blend(picture.luma[None], sprite.luma[None], sprite.transparency, left, top)


def _blend(
    planes: UInt8[np.ndarray, "planes height width"],
    colors: UInt16[np.ndarray, "planes rows columns"],
    transparency: UInt16[np.ndarray, "rows columns"],
    left: int,
    top: int,
) -> None:
    """Blend premultiplied colors over planes, in place, clipped to the picture."""
    _, height, width = planes.shape
    rows, columns = transparency.shape
    r0, r1, c0, c1 = max(-top, 0), min(rows, height - top), max(-left, 0), min(columns, width - left)
    if r0 < r1 and c0 < c1:
        part = planes[:, top + r0 : top + r1, left + c0 : left + c1]
        # uint8 * uint16 needs 16 bits: at most 255 * 256, so nothing overflows.
        part[...] = (part * transparency[r0:r1, c0:c1] >> 8) + colors[:, r0:r1, c0:c1]


def _composite_goal(picture: YUVPicture, camera: PinholeCamera, side: int) -> None:
    """Composite the net as single pixels, the posts and the crossbar as strokes."""
    ends = camera.project(goals.frame_ends(side))
    # At least 1.5 points per pixel, in steps that keep the cached nets few.
    net = camera.project(goals.net_points(side, math.ceil(ends[:, 2].max() / 8) * 12))
    height, width = picture.luma.shape
    columns, rows = np.floor(net[:, :2]).astype(int).T
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    pixels = rows[inside], columns[inside]
    background = picture.luma[pixels].astype(np.int32)
    picture.luma[pixels] = background + ((_NET_LUMA - background) * _NET_ALPHA >> 8)
    # Sprites anchor at an even pixel, where luma and chroma coincide.
    corner = ends[:, :2].min(axis=0) // 2 * 2
    sprite = sprites.posts(ends[:, :2] - corner, goals.POST_RADIUS * ends[:, 2])
    _composite(picture, sprite, ScreenPoint(float(corner[0]), float(corner[1]), 1.0))
