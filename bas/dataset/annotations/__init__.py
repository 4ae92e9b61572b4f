"""Annotation files: SoccerNet labels, OSL JSON and E2E-Spot JSON."""

from bas.dataset.annotations.interchange import VideoList, soccernet_documents
from bas.dataset.annotations.soccernet import Labels, labels_of, read_annotations, require_left_right
from bas.dataset.annotations.video_lists import games_of, listed_classes, listed_splits, video_lists_in

__all__ = [
    "Labels",
    "VideoList",
    "games_of",
    "labels_of",
    "listed_classes",
    "listed_splits",
    "read_annotations",
    "require_left_right",
    "soccernet_documents",
    "video_lists_in",
]
