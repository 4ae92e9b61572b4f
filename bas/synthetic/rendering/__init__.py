"""Rendering of a simulated half to pictures."""

from bas.synthetic.rendering.camera import camera_track
from bas.synthetic.rendering.colors import match_kits
from bas.synthetic.rendering.picture import Painter
from bas.synthetic.rendering.stadium import StadiumTexture, paint_stadium

__all__ = ["Painter", "StadiumTexture", "camera_track", "match_kits", "paint_stadium"]
