"""Matches on disk: layouts, splits, classes, labels, and when each picture of a video is shown."""

from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.dataset.containers import open_video, packets
from bas.dataset.dataset import Dataset, open_dataset
from bas.dataset.doctor import Findings, Suspicion, examine
from bas.dataset.findings import conclude, show_findings
from bas.dataset.games import game_id
from bas.dataset.labels import Labels, labels_of, read_labels, require_left_right
from bas.dataset.layouts import Layout, VideoSize
from bas.dataset.manifest import read_manifest, write_manifest
from bas.dataset.problems import Problem, ProblemKind
from bas.dataset.splits import SPLIT_NAMES, split_lists
from bas.dataset.times import VideoTimes, declared_fps, length_ms, probe

__all__ = [
    "BALL_CLASSES",
    "BALL_CLASSES_2023",
    "SOCCERNET_V2_CLASSES",
    "SPLIT_NAMES",
    "Dataset",
    "Findings",
    "Labels",
    "Layout",
    "Problem",
    "ProblemKind",
    "Suspicion",
    "VideoSize",
    "VideoTimes",
    "conclude",
    "declared_fps",
    "examine",
    "game_id",
    "labels_of",
    "length_ms",
    "open_dataset",
    "open_video",
    "packets",
    "probe",
    "read_labels",
    "read_manifest",
    "require_left_right",
    "show_findings",
    "split_lists",
    "write_manifest",
]
