"""Where on the stadium's flat texture every element of a picture looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from bas.synthetic.camera import Projection
from bas.synthetic.pitch import BOARDS_X, BOARDS_Y, HALF_WIDTH

STAND_METRES = 13.0
LEFT_EDGE, NEAR_EDGE = -(BOARDS_X + STAND_METRES), -(HALF_WIDTH + 12.0)
"""Coordinates of the texture's first column and row."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Texture of one stadium; a wall stands on its foot line, folded outward into the plane."""

    planes: tuple[UInt8[np.ndarray, "texels"], UInt8[np.ndarray, "texels"], UInt8[np.ndarray, "texels"]]
    """Luma and chroma, flattened."""
    rows: int
    columns: int
    texels_x: float
    """Texels a metre along the pitch."""
    texels_y: float
    """Across it: fewer, for the camera looks along that axis."""


def texels(
    ground: Ground, camera: Projection, *, width: int, height: int
) -> Int32[np.ndarray, "rows columns"]:
    """For every picture element the index of its texel.

    A camera without roll sees a row of the picture at one distance, so along a row the ground is linear.
    """
    column = ((np.arange(width) + 0.5 - camera.center[0]) / camera.focal).astype(np.float32)
    row = (np.arange(height) + 0.5 - camera.center[1]) / camera.focal
    sink = np.minimum(camera.forward[2] - row * camera.up[2], -1e-3)
    reach = -camera.eye[2] / sink
    along = camera.eye[0] + reach * (camera.forward[0] - row * camera.up[0])
    across = camera.eye[1] + reach * (camera.forward[1] - row * camera.up[1])
    slope_x, slope_y = reach * camera.right[0], reach * camera.right[1]
    x = _grid((along - LEFT_EDGE) * ground.texels_x, slope_x * ground.texels_x, column)
    y = _grid((across - NEAR_EDGE) * ground.texels_y, slope_y * ground.texels_y, column)
    edge = float(np.abs(column).max())
    beyond = (across + edge * np.abs(slope_y) > BOARDS_Y) | (
        np.abs(along) + edge * np.abs(slope_x) > BOARDS_X
    )
    walls = int(np.count_nonzero(beyond))
    if walls:
        _raise_walls(x[:walls], y[:walls], ground, camera, column, row[:walls].astype(np.float32))
    index_x, index_y = x.astype(np.int32), y.astype(np.int32)
    np.clip(index_x, 0, ground.columns - 1, out=index_x)
    np.clip(index_y, 0, ground.rows - 1, out=index_y)
    index_y *= ground.columns
    index_y += index_x
    return index_y


def _grid(
    base: Float[np.ndarray, "rows"], slope: Float[np.ndarray, "rows"], column: Float32[np.ndarray, "columns"]
) -> Float32[np.ndarray, "rows columns"]:
    grid: Float32[np.ndarray, "rows columns"] = slope.astype(np.float32)[:, None] * column
    grid += base.astype(np.float32)[:, None]
    return grid


def _raise_walls(
    x: Float32[np.ndarray, "rows columns"],
    y: Float32[np.ndarray, "rows columns"],
    ground: Ground,
    camera: Projection,
    column: Float32[np.ndarray, "columns"],
    row: Float32[np.ndarray, "rows"],
) -> None:
    """Where a ray would meet the ground behind a wall, let it meet the wall: texel coordinates, in place."""
    eye, forward, right, up = (
        v.astype(np.float32) for v in (camera.eye, camera.forward, camera.right, camera.up)
    )
    ray_x = forward[0] + column * right[0] - row[:, None] * up[0]
    ray_y = forward[1] + column * right[1] - row[:, None] * up[1]
    ray_z = forward[2] - row[:, None] * up[2]
    side = np.where(ray_x > 0, np.float32(1), np.float32(-1))
    far = (np.float32(BOARDS_Y) - eye[1]) / np.maximum(ray_y, np.float32(1e-3))
    end = (np.float32(BOARDS_X) - side * eye[0]) / np.maximum(side * ray_x, np.float32(1e-3))
    beside = end < far
    reach = np.where(beside, end, far)
    height = eye[2] + reach * ray_z
    hit = height > 0
    wall_x = np.where(beside, side * (np.float32(BOARDS_X) + height), eye[0] + reach * ray_x)
    wall_y = np.where(beside, eye[1] + reach * ray_y, np.float32(BOARDS_Y) + height)
    np.copyto(x, (wall_x - np.float32(LEFT_EDGE)) * np.float32(ground.texels_x), where=hit)
    np.copyto(y, (wall_y - np.float32(NEAR_EDGE)) * np.float32(ground.texels_y), where=hit)
