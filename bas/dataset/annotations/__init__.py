"""Annotation files: SoccerNet labels, OSL JSON and E2E-Spot JSON."""

from bas.dataset.annotations.osl_and_e2e_spot import VideoList, soccernet_documents
from bas.dataset.annotations.soccernet import Labels, labels_of, read_annotations, require_left_right
from bas.dataset.annotations.video_lists import declared_classes, games_of, listed_splits, video_lists_in

__all__ = [
    "Labels",
    "VideoList",
    "declared_classes",
    "games_of",
    "labels_of",
    "listed_splits",
    "read_annotations",
    "require_left_right",
    "soccernet_documents",
    "video_lists_in",
]
