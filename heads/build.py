"""A head from its settings."""

from __future__ import annotations

from fractions import Fraction

from bas.config import HeadSettings, NetVLADSettings
from bas.heads.head import Head
from bas.heads.netvlad import NetVLADPlusPlus


def build_head(
    settings: HeadSettings, row_shape: tuple[int, int, int], *, classes: int, row_rate: Fraction
) -> Head:
    """A head with drawn weights.

    Args:
        settings: kind and sizes.
        row_shape: channels, height and width of a cached row.
        classes: number of outputs.
        row_rate: rows a second, which turns the window's seconds into rows.
    """
    match settings:
        case NetVLADSettings():
            return NetVLADPlusPlus(
                row_shape,
                classes=classes,
                dim=settings.dim,
                clusters=settings.clusters,
                side=max(1, round(settings.window_seconds * row_rate / 2)),
                dropout=settings.dropout,
            )
