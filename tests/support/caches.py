"""Attributes of cache files, for tests that write such files without a video."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bas.extract.cache.format import FORMAT, CacheAttributes

_DEFAULTS = CacheAttributes(
    format=FORMAT,
    fingerprint="{}",
    clock="25",
    hop=2,
    num_frames=0,
    segment_rows=1,
    video_bytes=0,
    video_sha256="",
    time_base="1/25",
    origin_pts=0,
    expected=0,
    missing=0,
    damaged=0,
    clamped=0,
    decoder="cpu",
    precision="fp32",
    versions="",
    complete=1,
)


def cache_attributes(**changes: Any) -> CacheAttributes:
    """Attributes of a cache at 25 frames per second with a hop of 2, with some values changed."""
    return replace(_DEFAULTS, **changes)
