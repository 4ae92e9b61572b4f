"""How far a damaged packet spoils the pictures around it."""

from __future__ import annotations


class Damage:
    """The pictures that cannot be trusted, learned packet by packet in decoding order.

    Pictures are predicted from earlier ones, and FFmpeg marks only those whose own packet is
    broken, a fifth of the wrong ones. So everything that is decoded from a broken packet up to the
    next keyframe counts as damaged. Pictures that follow a keyframe but are shown before it (open
    GOP) may be predicted from before it, and are damaged if that was.
    """

    def __init__(self) -> None:
        self._damaged: set[int | None] = set()
        self._keyframe: int | None = None
        self._broken = False
        self._broken_before = False

    def follow(self, pts: int | None, *, keyframe: bool, broken: bool) -> None:
        """Take in the next packet of the stream: its time, its kind, and whether it is broken."""
        if keyframe:
            self._keyframe, self._broken_before, self._broken = pts, self._broken, False
        leading = None not in (pts, self._keyframe) and pts < self._keyframe  # type: ignore[operator]
        if not leading:
            self._broken |= broken
        if broken or (self._broken_before if leading else self._broken):
            self._damaged.add(pts)

    def __contains__(self, pts: int | None) -> bool:
        return pts in self._damaged
