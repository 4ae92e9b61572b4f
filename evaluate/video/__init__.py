"""Videos for people: highlights and overlays."""

from bas.evaluate.video.highlights import Highlight, cut_highlights
from bas.evaluate.video.overlay import Overlay, render
from bas.evaluate.video.reading import pts_at, read_pictures

__all__ = ["Highlight", "Overlay", "cut_highlights", "pts_at", "read_pictures", "render"]
