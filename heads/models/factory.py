"""Factory of heads: settings in, untrained head out."""

from __future__ import annotations

from fractions import Fraction
from typing import assert_never

from bas.config import (
    Blocks3DSettings,
    GRUSettings,
    HeadSettings,
    LinearSettings,
    NetVLADSettings,
    SGPSettings,
)
from bas.errors import SettingsError
from bas.heads.models.base import Head
from bas.heads.models.blocks3d import STACK_SECONDS, Blocks3D
from bas.heads.models.gru import GRU
from bas.heads.models.linear import Linear
from bas.heads.models.netvlad import TemporalPooling
from bas.heads.models.outputs import Task
from bas.heads.models.sgp import SGP


def build_head(
    settings: HeadSettings, row_shape: tuple[int, int, int], task: Task, *, row_rate: Fraction
) -> Head:
    """Build a randomly initialized head.

    Args:
        settings: kind and sizes.
        row_shape: channels, height and width of a feature row.
        task: outputs required of the head.
        row_rate: rows per second, to convert seconds to rows.

    Raises:
        SettingsError: the head cannot read such rows, or lacks the required outputs.
    """
    if task.team and not isinstance(settings, SGPSettings):
        raise SettingsError(
            f"The head {settings.kind} has no team output. Use fit.teams=classes, which every head supports, "
            "or the head sgp."
        )
    match settings:
        case NetVLADSettings():
            window = 2 * max(1, round(settings.window_seconds * row_rate / 2))
            return TemporalPooling(row_shape, task, settings, window=window)
        case Blocks3DSettings():
            return Blocks3D(row_shape, task, settings, spacing=_spacing(row_rate))
        case SGPSettings():
            return SGP(row_shape, task, settings)
        case GRUSettings():
            return GRU(row_shape, task, settings)
        case LinearSettings():
            return Linear(row_shape, task, settings)
        case _:
            assert_never(settings)


def _spacing(row_rate: Fraction) -> int:
    """Rows between neighboring stacks of a `blocks3d` window."""
    spacing = STACK_SECONDS * row_rate
    if spacing.denominator != 1:
        raise SettingsError(
            f"The head blocks3d reads rows {float(STACK_SECONDS)} s apart, which a cache of {float(row_rate):g} "
            "rows per second does not have. At 25 frames per second use extract.hop=1, 2, 3 or 6."
        )
    return int(spacing)
