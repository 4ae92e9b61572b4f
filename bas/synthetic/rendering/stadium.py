"""Stadium texture: grass and lines, surrounded by boards and stands folded outward into the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, UInt8

from bas.synthetic.rendering.camera import PinholeCamera
from bas.synthetic.rendering.colors import to_yuv
from bas.synthetic.simulation.pitch import BOARDS_X, BOARDS_Y, GOAL_HALF_WIDTH, HALF_LENGTH, HALF_WIDTH

_LINE_METRES = 0.17

_STRIPE_METRES = 5.25

_BOARD_METRES = 1.1

_GRASS = np.array([74, 140, 52], np.float32)

_TRACK = np.array([84, 92, 84], np.float32)

_SEATS = np.array([52, 58, 84], np.float32)


def paint_stadium(*, texels_x: float, rng: np.random.Generator) -> StadiumTexture:
    """Paint a stadium with `texels_x` texels per metre along the pitch."""
    texels_y = 0.4 * texels_x
    columns = int(2 * -LEFT_EDGE * texels_x)
    rows = int((BOARDS_Y + STAND_METRES - NEAR_EDGE) * texels_y)
    # Coordinates of texel centers.
    x = ((np.arange(columns) + 0.5) / texels_x + LEFT_EDGE).astype(np.float32)
    y = ((np.arange(rows) + 0.5) / texels_y + NEAR_EDGE).astype(np.float32)
    rgb = _grass(x, y, rng)
    rgb += _lines(x, y, texels_x, texels_y)[..., None] * (np.array([236, 240, 232], np.float32) - rgb)
    _build_stands(rgb, x, y, rng)
    yuv = to_yuv(rgb.clip(0, 255))
    planes = [np.rint(yuv[..., i]).astype(np.uint8).ravel() for i in range(3)]
    return StadiumTexture((planes[0], planes[1], planes[2]), rows, columns, texels_x, texels_y)


def _grass(
    x: Float32[np.ndarray, "columns"], y: Float32[np.ndarray, "rows"], rng: np.random.Generator
) -> Float32[np.ndarray, "rows columns 3"]:
    """Paint mown stripes, worn patches and fine noise."""
    stripe = np.where(np.floor((x + HALF_LENGTH) / _STRIPE_METRES) % 2 == 0, 1.0, 0.88)
    light = stripe[None, :] * np.ones((len(y), 1), np.float32)
    coarse = rng.normal(0, 1, (12, 18)).astype(np.float32)
    rows = np.linspace(0, 10.99, len(y))
    columns = np.linspace(0, 16.99, len(x))
    light += 0.035 * _interpolate(coarse, rows, columns)
    light += rng.normal(0, 0.028, light.shape)
    return (light[..., None] * _GRASS).astype(np.float32)


def _interpolate(
    grid: Float32[np.ndarray, "h w"], rows: Float[np.ndarray, "rows"], columns: Float[np.ndarray, "columns"]
) -> Float[np.ndarray, "rows columns"]:
    i, j = rows.astype(int), columns.astype(int)
    down, across = (rows - i)[:, None], columns - j
    top = grid[i][:, j] * (1 - across) + grid[i][:, j + 1] * across
    bottom = grid[i + 1][:, j] * (1 - across) + grid[i + 1][:, j + 1] * across
    values: Float[np.ndarray, "rows columns"] = top * (1 - down) + bottom * down
    return values


def _lines(
    x: Float32[np.ndarray, "columns"], y: Float32[np.ndarray, "rows"], texels_x: float, texels_y: float
) -> Float32[np.ndarray, "rows columns"]:
    """Return the white share of every texel: all markings that the Laws of the Game require."""
    cover = np.zeros((len(y), len(x)), np.float32)
    half_line = _LINE_METRES / 2

    def band(
        values: Float32[np.ndarray, "n"], start: float, stop: float, texels_per_metre: float
    ) -> Float32[np.ndarray, "n"]:
        # Share of each texel inside [start, stop): antialiased, and dimmed where the line is thinner than it.
        lower = np.clip((values - start) * texels_per_metre + 0.5, 0, 1)
        return np.minimum(lower, np.clip((stop - values) * texels_per_metre + 0.5, 0, 1)) * min(
            1.0, (stop - start) * texels_per_metre
        )

    def line(x0: float, x1: float, y0: float, y1: float) -> None:
        across = band(y, y0 - half_line, y1 + half_line, texels_y)
        np.maximum(cover, across[:, None] * band(x, x0 - half_line, x1 + half_line, texels_x), out=cover)

    def box(depth: float, half_width: float, side: int) -> None:
        front = side * (HALF_LENGTH - depth)
        inner, outer = sorted((side * HALF_LENGTH, front))
        line(front, front, -half_width, half_width)
        for across in (-half_width, half_width):
            line(inner, outer, across, across)

    def ring(
        center_x: float,
        center_y: float,
        radius: float,
        half_width: float,
        keep: Bool[np.ndarray, "columns"] | Literal[True] = True,
    ) -> None:
        rows = np.flatnonzero((np.abs(y - center_y) < radius + 1) & (np.abs(y) < HALF_WIDTH + 0.1))
        columns = np.flatnonzero((np.abs(x - center_x) < radius + 1) & keep)
        window = np.ix_(rows, columns)
        distance = np.hypot(x[columns] - center_x, (y[rows] - center_y)[:, None])
        white = np.clip((half_width - np.abs(distance - radius)) * texels_x * 0.7 + 0.5, 0, 1)
        # Markings overlap; the maximum keeps their crossings at full white, where a sum would exceed it.
        cover[window] = np.maximum(cover[window], white)

    for along in (-HALF_LENGTH, 0.0, HALF_LENGTH):
        line(along, along, -HALF_WIDTH, HALF_WIDTH)
    for across in (-HALF_WIDTH, HALF_WIDTH):
        line(-HALF_LENGTH, HALF_LENGTH, across, across)
    for side in (-1, 1):
        box(16.5, 20.16, side)
        box(5.5, GOAL_HALF_WIDTH + 5.5, side)
        spot = side * (HALF_LENGTH - 11)
        ring(spot, 0.0, 0.0, 0.2)
        ring(spot, 0.0, 9.15, half_line, keep=side * x < HALF_LENGTH - 16.5)
        for corner in (-1, 1):
            ring(side * HALF_LENGTH, corner * HALF_WIDTH, 1.0, half_line, keep=np.abs(x) < HALF_LENGTH)
    ring(0.0, 0.0, 9.15, half_line)
    ring(0.0, 0.0, 0.0, 0.2)
    return cover


def _build_stands(
    rgb: Float32[np.ndarray, "rows columns 3"],
    x: Float32[np.ndarray, "columns"],
    y: Float32[np.ndarray, "rows"],
    rng: np.random.Generator,
) -> None:
    """Paint, in place, boards and crowd on the far side and behind both goals."""
    # Beyond the boards the plane is a folded wall: the distance from its base line is height, and the other
    # axis runs along it.
    height = np.maximum(np.abs(x)[None, :] - BOARDS_X, y[:, None] - BOARDS_Y)
    along = np.where((y[:, None] - BOARDS_Y) > (np.abs(x)[None, :] - BOARDS_X), x[None, :], y[:, None])
    track = (np.maximum(np.abs(x)[None, :] - 55.8, np.abs(y)[:, None] - 36.8) > 0) & (height <= 0)
    rgb[track] = rgb[track] * 0.25 + _TRACK
    board = (height > 0) & (height < _BOARD_METRES)
    rgb[board] = _boards(along[board], height[board], rng)
    stand = height >= _BOARD_METRES
    rgb[stand] = _crowd(along[stand], height[stand], rng)


def _boards(
    along: Float32[np.ndarray, "texels"], height: Float32[np.ndarray, "texels"], rng: np.random.Generator
) -> Float32[np.ndarray, "texels 3"]:
    """Paint panels of seven metres with blocks that look like letters."""
    panel = np.floor(along / 7 + 50).astype(int)
    palette = np.array(
        [[22, 40, 130], [230, 230, 230], [190, 20, 26], [12, 12, 14], [240, 200, 20]], np.float32
    )
    background = rng.integers(0, len(palette), 101)
    foreground = (background + rng.integers(1, len(palette), 101)) % len(palette)
    cell = np.floor(along * 2.2).astype(int)  # 2.2 letters per metre; offsets below keep all indices positive
    pattern = rng.integers(0, 4, (600, 3))
    level = ((height / _BOARD_METRES - 0.2) * 5).astype(int).clip(0, 2)
    inside = (np.mod(along + 350, 7) > 0.8) & (np.mod(along + 350, 7) < 6.2)
    letter = (pattern[cell + 300, level] > 0) & inside & (np.abs(height / _BOARD_METRES - 0.5) < 0.3)
    letter &= np.mod(along * 2.2, 1) > 0.25
    colors: Float32[np.ndarray, "texels 3"] = np.where(
        letter[:, None], palette[foreground[panel]], palette[background[panel]]
    )
    return colors


def _crowd(
    along: Float32[np.ndarray, "texels"], height: Float32[np.ndarray, "texels"], rng: np.random.Generator
) -> Float32[np.ndarray, "texels 3"]:
    """Paint rows of people on dark seats, each a dot for the head above a block for the body."""
    # A seat is 0.55 m wide and its row 0.75 m high.
    seat = np.floor(along / 0.55 + 200).astype(int)
    row = np.floor((height - _BOARD_METRES) / 0.75).astype(int)
    shirts = (rng.uniform(50, 190, (420, 24, 1)) + rng.normal(0, 26, (420, 24, 3))).astype(np.float32)
    shirts[rng.random((420, 24)) < 0.2] = _SEATS
    body: Float32[np.ndarray, "texels 3"] = shirts[seat, row] * np.float32(0.8)
    level = np.mod((height - _BOARD_METRES) / 0.75, 1)
    head = (level > 0.55) & (np.abs(np.mod(along / 0.55, 1) - 0.5) < 0.28)
    body[head] = np.array([186, 142, 116], np.float32) * (0.7 + 0.3 * body[head, :1] / 150)
    body[(level > 0.84) | ((level > 0.55) & ~head)] = _SEATS * 0.6
    fade = 0.95 - 0.03 * (height - _BOARD_METRES)
    body *= fade[:, None]
    return body


STAND_METRES = 13.0

LEFT_EDGE, NEAR_EDGE = -(BOARDS_X + STAND_METRES), -(HALF_WIDTH + 12.0)

"""Pitch coordinates of the texture's first column and row."""


@dataclass(frozen=True, slots=True)
class StadiumTexture:
    """Flat texture of one stadium.

    Walls (boards and stands) are folded outward into the ground plane along their base lines.
    """

    planes: tuple[UInt8[np.ndarray, "texels"], UInt8[np.ndarray, "texels"], UInt8[np.ndarray, "texels"]]
    """Luma and the two chroma planes, at full resolution and flattened."""
    rows: int
    columns: int
    texels_x: float
    """Texels per metre along the pitch."""
    texels_y: float
    """Texels per metre across the pitch: fewer, because the cameras look along that axis."""


def texel_indices(
    texture: StadiumTexture, camera: PinholeCamera, *, width: int, height: int
) -> Int32[np.ndarray, "rows columns"]:
    """Return the flat texel index of every pixel.

    Without roll, all pixels of a row lie at the same depth, so texture coordinates are linear along a row.
    """
    # Pixel centers as slopes of their rays: right and down per metre of depth.
    column = ((np.arange(width) + 0.5 - camera.center[0]) / camera.focal).astype(np.float32)
    row = (np.arange(height) + 0.5 - camera.center[1]) / camera.focal
    # A ray eye + distance * (forward + column * right - row * up) meets the ground where its height is 0.
    # Rays above the horizon, which never do, are taken as almost level, and end far outside.
    descent = np.minimum(camera.forward[2] - row * camera.up[2], -1e-3)
    distance = -camera.eye[2] / descent
    along = camera.eye[0] + distance * (camera.forward[0] - row * camera.up[0])
    across = camera.eye[1] + distance * (camera.forward[1] - row * camera.up[1])
    slope_x, slope_y = distance * camera.right[0], distance * camera.right[1]
    x = _linear_grid((along - LEFT_EDGE) * texture.texels_x, slope_x * texture.texels_x, column)
    y = _linear_grid((across - NEAR_EDGE) * texture.texels_y, slope_y * texture.texels_y, column)
    edge = float(np.abs(column).max())
    # Walls are at the top of the picture, so that the rows that may see one come first.
    sees_wall = (across + edge * np.abs(slope_y) > BOARDS_Y) | (
        np.abs(along) + edge * np.abs(slope_x) > BOARDS_X
    )
    num_wall_rows = int(np.count_nonzero(sees_wall))
    if num_wall_rows:
        _project_walls(
            x[:num_wall_rows],
            y[:num_wall_rows],
            texture,
            camera,
            column,
            row[:num_wall_rows].astype(np.float32),
        )
    index_x, index_y = x.astype(np.int32), y.astype(np.int32)
    np.clip(index_x, 0, texture.columns - 1, out=index_x)
    np.clip(index_y, 0, texture.rows - 1, out=index_y)
    # y * columns + x, in place: these arrays are the largest of a frame.
    index_y *= texture.columns
    index_y += index_x
    return index_y


def _linear_grid(
    base: Float[np.ndarray, "rows"], slope: Float[np.ndarray, "rows"], column: Float32[np.ndarray, "columns"]
) -> Float32[np.ndarray, "rows columns"]:
    grid: Float32[np.ndarray, "rows columns"] = slope.astype(np.float32)[:, None] * column
    grid += base.astype(np.float32)[:, None]
    return grid


def _project_walls(
    x: Float32[np.ndarray, "rows columns"],
    y: Float32[np.ndarray, "rows columns"],
    texture: StadiumTexture,
    camera: PinholeCamera,
    column: Float32[np.ndarray, "columns"],
    row: Float32[np.ndarray, "rows"],
) -> None:
    """Replace, in place, the texel coordinates of rays that hit a wall before the ground."""
    eye, forward, right, up = (
        v.astype(np.float32) for v in (camera.eye, camera.forward, camera.right, camera.up)
    )
    ray_x = forward[0] + column * right[0] - row[:, None] * up[0]
    ray_y = forward[1] + column * right[1] - row[:, None] * up[1]
    ray_z = forward[2] - row[:, None] * up[2]
    side = np.where(ray_x > 0, np.float32(1), np.float32(-1))
    far_distance = (np.float32(BOARDS_Y) - eye[1]) / np.maximum(ray_y, np.float32(1e-3))
    end_distance = (np.float32(BOARDS_X) - side * eye[0]) / np.maximum(side * ray_x, np.float32(1e-3))
    # The far boards and the boards behind a goal: a ray meets the nearer of the two planes.
    hits_end = end_distance < far_distance
    distance = np.where(hits_end, end_distance, far_distance)
    height = eye[2] + distance * ray_z
    hits_wall = height > 0
    wall_x = np.where(hits_end, side * (np.float32(BOARDS_X) + height), eye[0] + distance * ray_x)
    wall_y = np.where(hits_end, eye[1] + distance * ray_y, np.float32(BOARDS_Y) + height)
    np.copyto(x, (wall_x - np.float32(LEFT_EDGE)) * np.float32(texture.texels_x), where=hits_wall)
    np.copyto(y, (wall_y - np.float32(NEAR_EDGE)) * np.float32(texture.texels_y), where=hits_wall)
