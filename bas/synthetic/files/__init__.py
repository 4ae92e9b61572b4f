"""Files of a synthetic match: H.264 video, labels, folders and names."""

from bas.synthetic.files.encode import encode
from bas.synthetic.files.labels import label_document
from bas.synthetic.files.layouts import (
    LayoutName,
    MatchFiles,
    MatchName,
    match_files,
    match_name,
    split_games,
)

__all__ = [
    "LayoutName",
    "MatchFiles",
    "MatchName",
    "encode",
    "label_document",
    "match_files",
    "match_name",
    "split_games",
]
