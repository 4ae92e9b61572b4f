"""Video files: opened safely, and timed without decoding a picture."""

from bas.dataset.video.containers import open_video, packets
from bas.dataset.video.formats import VIDEO_SUFFIXES
from bas.dataset.video.probe import VideoTimes, declared_fps, length_ms, probe
from bas.dataset.video.problems import Problem, ProblemKind

__all__ = [
    "VIDEO_SUFFIXES",
    "Problem",
    "ProblemKind",
    "VideoTimes",
    "declared_fps",
    "length_ms",
    "open_video",
    "packets",
    "probe",
]
