"""Video decoding on NVDEC or the CPU, to the same luma planes with their presentation times."""

from bas.extract.decode.frames import DecodeStats, Frame, read_frames
from bas.extract.decode.seek import open_at, seek_point
from bas.extract.decode.timeline import RowLayout, VideoTimeline, open_timeline, position_origin

__all__ = [
    "DecodeStats",
    "Frame",
    "RowLayout",
    "VideoTimeline",
    "open_at",
    "open_timeline",
    "position_origin",
    "read_frames",
    "seek_point",
]
