"""Matches on disk: layouts, splits, classes, labels, and presentation times of videos."""

from bas.dataset.annotations.soccernet import Labels, labels_of, read_annotations, require_left_right
from bas.dataset.checks import Finding, FolderReport, examine
from bas.dataset.classes import BALL_CLASSES, BALL_CLASSES_2023, SOCCERNET_V2_CLASSES
from bas.dataset.dataset import Dataset, open_dataset
from bas.dataset.games import game_id
from bas.dataset.layouts import Layout, VideoSize
from bas.dataset.manifest import read_manifest, write_manifest
from bas.dataset.splits import SPLIT_NAMES, split_lists
from bas.dataset.video.containers import open_video, packets
from bas.dataset.video.probe import VideoTimes, declared_fps, length_ms, probe
from bas.dataset.video.problems import Problem, ProblemKind

__all__ = [
    "BALL_CLASSES",
    "BALL_CLASSES_2023",
    "SOCCERNET_V2_CLASSES",
    "SPLIT_NAMES",
    "Dataset",
    "Finding",
    "FolderReport",
    "Labels",
    "Layout",
    "Problem",
    "ProblemKind",
    "VideoSize",
    "VideoTimes",
    "declared_fps",
    "examine",
    "game_id",
    "labels_of",
    "length_ms",
    "open_dataset",
    "open_video",
    "packets",
    "probe",
    "read_annotations",
    "read_manifest",
    "require_left_right",
    "split_lists",
    "write_manifest",
]
