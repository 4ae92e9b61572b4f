"""One frame of the broadcast: ground, goals, people and ball from far to near, film grain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int16, UInt8, UInt16

from bas.synthetic import goals, sprites
from bas.synthetic.camera import Projection, Views, projection
from bas.synthetic.canvas import Sprite
from bas.synthetic.colors import Kit
from bas.synthetic.figures import Figures, figures
from bas.synthetic.ground import Ground, texels
from bas.synthetic.play import Half
from bas.synthetic.poses import Pose
from bas.synthetic.sprites import BALL_STEPS, HEADINGS, SUN, Look, scale_step

_BALL_RADIUS_METRES = 0.175
"""Drawn larger than life, so that a small picture shows it."""
_SMALLEST_BALL = 4  # in steps of a ball's picture
_REACH_METRES = 2.8
"""From the feet of a figure to the farthest end of its shadow."""
_GRAIN, _GRAIN_SHIFTS = 2.4, 64
_NET_LUMA, _NET_COVER = 225, 90  # cover of 256


class Place(NamedTuple):
    """Where a point is seen."""

    column: float
    row: float
    scale: float
    """Picture elements a metre."""


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture as a video holds it: 4:2:0, limited range."""

    luma: UInt8[np.ndarray, "rows columns"]
    chroma: UInt8[np.ndarray, "two half_rows half_columns"]


class Painter:
    """Paints any frame of one half; the same frame is the same bytes, whatever was painted before."""

    def __init__(
        self,
        half: Half,
        views: Views,
        kits: tuple[Kit, ...],
        ground: Ground,
        *,
        width: int,
        height: int,
        rng: np.random.Generator,
    ) -> None:
        """`kits`: one a person, in the order of `half.people`."""
        assert width % 2 == 0, width
        assert height % 2 == 0, height
        self._half, self._views, self._kits, self._ground = half, views, kits, ground
        self._figures: Figures = figures(half)
        self._width, self._height = width, height
        self._grain: Int16[np.ndarray, "rows columns"] = np.rint(
            rng.normal(0, _GRAIN, (height + _GRAIN_SHIFTS, width + _GRAIN_SHIFTS))
        ).astype(np.int16)

    def __len__(self) -> int:
        return len(self._half)

    def paint(self, frame: int) -> Planes:
        """The picture of one frame."""
        camera = projection(self._views, frame, width=self._width, height=self._height)
        index = texels(self._ground, camera, width=self._width, height=self._height)
        luma, *chroma = self._ground.planes
        small = index[::2, ::2]
        planes = Planes(luma.take(index), np.stack([plane.take(small) for plane in chroma]))
        self._people_and_ball(planes, camera, frame)
        return Planes(self._grained(planes.luma, frame), planes.chroma)

    def _people_and_ball(self, planes: Planes, camera: Projection, frame: int) -> None:
        """Shadows first, then the goals, then bodies and ball from far to near."""
        ball = self._half.ball[frame].astype(np.float64)
        people = self._half.people[frame].astype(np.float64)
        cast = ball[2] * (SUN[0] * camera.right + SUN[1] * camera.forward)
        points = np.zeros((len(people) + 2, 3))
        points[:-2, :2], points[-2, :2], points[-1] = people, ball[:2] + cast[:2], ball
        *feet, ball_shadow, ball_seen = (Place(*place) for place in camera.place(points).tolist())
        looks = self._looks(feet, camera, frame)
        for person, look in looks.items():
            _lay_shadow(planes, sprites.shadow(look), feet[person])
        _lay_shadow(planes, sprites.ball_shadow(_ball_radius(ball_shadow)), ball_shadow)
        for side in (-1, 1):
            if goals.in_view(side, camera, width=self._width, height=self._height):
                _lay_goal(planes, camera, side)
        across = points[:, :2] @ camera.forward[:2]
        for item in sorted((*looks, len(points) - 1), key=lambda item: -across[item]):
            if item in looks:
                _lay(planes, sprites.figure(looks[item], self._kits[item]), feet[item])
            else:
                _lay_ball(planes, ball_seen)

    def _looks(self, feet: Sequence[Place], camera: Projection, frame: int) -> dict[int, Look]:
        """Everybody whose body or shadow may be in the picture."""
        half, bodies = self._half, self._figures
        turn = float(np.arctan2(camera.right[1], camera.right[0]))
        looks = {}
        for i, (column, row, scale) in enumerate(feet):
            margin = _REACH_METRES * scale
            if -margin < column < self._width + margin and -0.3 * margin < row < self._height + margin:
                looks[i] = Look(
                    pose=Pose(int(half.poses[frame, i])),
                    phase=int(half.phases[frame, i]),
                    effort=int(bodies.effort[frame, i]),
                    stride=int(bodies.stride[frame, i]),
                    heading=round((float(bodies.heading[frame, i]) - turn) / (2 * np.pi) * HEADINGS)
                    % HEADINGS,
                    scale=scale_step(scale),
                )
        return looks

    def _grained(
        self, luma: UInt8[np.ndarray, "rows columns"], frame: int
    ) -> UInt8[np.ndarray, "rows columns"]:
        down, right = (frame * 37 + frame // 7 * 11) % _GRAIN_SHIFTS, (frame * 53) % _GRAIN_SHIFTS
        noisy = self._grain[down : down + self._height, right : right + self._width] + luma
        np.clip(noisy, 16, 235, out=noisy)
        grained: UInt8[np.ndarray, "rows columns"] = noisy.astype(np.uint8)
        return grained


def _ball_radius(place: Place) -> int:
    """In steps of a ball's picture."""
    return max(round(_BALL_RADIUS_METRES * place.scale * BALL_STEPS), _SMALLEST_BALL)


def _lay_ball(planes: Planes, place: Place) -> None:
    """The ball keeps its place between elements, so that a slow one glides."""
    column, row = round(place.column * BALL_STEPS), round(place.row * BALL_STEPS)
    block = 2 * BALL_STEPS
    sprite = sprites.ball(_ball_radius(place), column % block, row % block)
    _lay(planes, sprite, Place(2.0 * (column // block), 2.0 * (row // block), place.scale))


def _lay(planes: Planes, sprite: Sprite, place: Place) -> None:
    """Lay a sprite over the picture, its anchor at `place`; its chroma snaps to every other element."""
    left, top = math.floor(place.column) - sprite.left, math.floor(place.row) - sprite.top
    _blend(planes.luma[None], sprite.luma[None], sprite.below, left, top)
    _blend(planes.chroma, sprite.chroma, sprite.chroma_below, left // 2, top // 2)


def _lay_shadow(planes: Planes, sprite: Sprite, place: Place) -> None:
    """Darken the picture; the grass keeps its hue."""
    left, top = math.floor(place.column) - sprite.left, math.floor(place.row) - sprite.top
    _blend(planes.luma[None], sprite.luma[None], sprite.below, left, top)


def _blend(
    planes: UInt8[np.ndarray, "planes height width"],
    colors: UInt16[np.ndarray, "planes rows columns"],
    below: UInt16[np.ndarray, "rows columns"],
    left: int,
    top: int,
) -> None:
    """Lay colors over planes, in place; what lies outside is cut off."""
    _, height, width = planes.shape
    rows, columns = below.shape
    r0, r1, c0, c1 = max(-top, 0), min(rows, height - top), max(-left, 0), min(columns, width - left)
    if r0 < r1 and c0 < c1:
        part = planes[:, top + r0 : top + r1, left + c0 : left + c1]
        part[...] = (part * below[r0:r1, c0:c1] >> 8) + colors[:, r0:r1, c0:c1]


def _lay_goal(planes: Planes, camera: Projection, side: int) -> None:
    """Strings as single elements, the frame as bars."""
    ends = camera.place(goals.frame(side))
    strings = camera.place(goals.strings(side, math.ceil(ends[:, 2].max() / 8) * 12))
    height, width = planes.luma.shape
    columns, rows = np.floor(strings[:, :2]).astype(int).T
    seen = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    element = rows[seen], columns[seen]
    below = planes.luma[element].astype(np.int32)
    planes.luma[element] = below + ((_NET_LUMA - below) * _NET_COVER >> 8)
    corner = ends[:, :2].min(axis=0) // 2 * 2
    sprite = sprites.posts(ends[:, :2] - corner, goals.FRAME_RADIUS * ends[:, 2])
    _lay(planes, sprite, Place(float(corner[0]), float(corner[1]), 1.0))
