"""Detections as SubRip subtitles, which any player shows over the video."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from bas.clock import position_of
from bas.types import Detection

_SHOWN_MS = 1500


def subtitles(detections: Sequence[Detection], *, fps: Fraction) -> str:
    """SubRip text with one cue per interval of constant content, so that no two cues overlap.

    Args:
        detections: detections of one video.
        fps: frames per second of their clock.
    """
    shown = sorted((position_of(e.frame, fps), e.label, e.team or "", e.score) for e in detections)
    borders = sorted({border for start, *_ in shown for border in (start, start + _SHOWN_MS)})
    cues: list[str] = []
    first = 0  # index of the first detection that may still be on screen
    for start, stop in pairwise(borders):
        while first < len(shown) and shown[first][0] + _SHOWN_MS <= start:
            first += 1
        lines = []
        for position_ms, label, team, score in shown[first:]:
            if position_ms > start:
                break
            lines.append(f"{' '.join(filter(None, (label, team)))}  {100 * score:.0f} %")
        if lines:
            cues.append(f"{len(cues) + 1}\n{_time(start)} --> {_time(stop)}\n" + "\n".join(lines) + "\n")
    return "\n".join(cues)


def _time(position_ms: int) -> str:
    seconds, rest = divmod(position_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{rest:03d}"
