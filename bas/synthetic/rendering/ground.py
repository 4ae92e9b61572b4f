"""Lookup of the stadium texture: the texel that each pixel of a picture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from bas.synthetic.rendering.camera import PinholeCamera
from bas.synthetic.simulation.pitch import BOARDS_X, BOARDS_Y, HALF_WIDTH

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
    column = ((np.arange(width) + 0.5 - camera.center[0]) / camera.focal).astype(np.float32)
    row = (np.arange(height) + 0.5 - camera.center[1]) / camera.focal
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
