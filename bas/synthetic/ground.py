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
    """For every picture element the index of its texel."""
    column = (np.arange(width, dtype=np.float32) + 0.5 - camera.center[0]) / camera.focal
    row = (np.arange(height) + 0.5 - camera.center[1]) / camera.focal
    sink = np.minimum(camera.forward[2] - row * camera.up[2], -1e-3)
    reach = -camera.eye[2] / sink
    along = camera.eye[0] + reach * (camera.forward[0] - row * camera.up[0])
    across = camera.eye[1] + reach * (camera.forward[1] - row * camera.up[1])
    x = _outer(along, reach * camera.right[0], column)
    y = _outer(across, reach * camera.right[1], column)
    walls = int(np.count_nonzero((y.max(axis=1) > BOARDS_Y) | (np.abs(x).max(axis=1) > BOARDS_X)))
    if walls:
        _raise_walls(x[:walls], y[:walls], camera, column, row[:walls].astype(np.float32))
    index_x = ((x - np.float32(LEFT_EDGE)) * np.float32(ground.texels_x)).astype(np.int32)
    index_y = ((y - np.float32(NEAR_EDGE)) * np.float32(ground.texels_y)).astype(np.int32)
    np.clip(index_x, 0, ground.columns - 1, out=index_x)
    np.clip(index_y, 0, ground.rows - 1, out=index_y)
    index_y *= ground.columns
    index_y += index_x
    return index_y


def _outer(
    base: Float[np.ndarray, "rows"], slope: Float[np.ndarray, "rows"], column: Float32[np.ndarray, "columns"]
) -> Float32[np.ndarray, "rows columns"]:
    grid: Float32[np.ndarray, "rows columns"] = slope.astype(np.float32)[:, None] * column
    grid += base.astype(np.float32)[:, None]
    return grid


def _raise_walls(
    x: Float32[np.ndarray, "rows columns"],
    y: Float32[np.ndarray, "rows columns"],
    camera: Projection,
    column: Float32[np.ndarray, "columns"],
    row: Float32[np.ndarray, "rows"],
) -> None:
    """Where a ray would meet the ground behind a wall, let it meet the wall (in place)."""
    eye, forward, right, up = (
        v.astype(np.float32) for v in (camera.eye, camera.forward, camera.right, camera.up)
    )
    ray_x = forward[0] + column * right[0] - row[:, None] * up[0]
    ray_y = forward[1] + column * right[1] - row[:, None] * up[1]
    ray_z = forward[2] - row[:, None] * up[2]
    far = (BOARDS_Y - eye[1]) / np.maximum(ray_y, 1e-3)
    end = np.where(ray_x > 0, BOARDS_X - eye[0], -BOARDS_X - eye[0]) / np.where(
        np.abs(ray_x) < 1e-3, 1e-3, ray_x
    )
    beside = end < far
    reach = np.where(beside, end, far)
    height = eye[2] + reach * ray_z
    hit = height > 0
    side = np.sign(ray_x)
    np.copyto(x, np.where(beside, side * (BOARDS_X + height), eye[0] + reach * ray_x), where=hit)
    np.copyto(y, np.where(beside, eye[1] + reach * ray_y, BOARDS_Y + height), where=hit)
