"""Ball action spotting: every pass, drive and shot of a soccer broadcast, to the frame.

model = bas.load_model("runs/netvlad-1a2b3c4d")   # a module with its settings and classes
cache = bas.open_cache("features/.../720p.h5")    # cached rows of one video
events = bas.predict("match.mp4", model)          # detections, in time
result = bas.score("data", "predictions")         # the official mAP@1, and all beside it
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bas.evaluate.score import score
    from bas.extract.cache import open_cache
    from bas.heads.apply import predict
    from bas.heads.merged import load_model

__version__ = "0.1.0"
__all__ = ["load_model", "open_cache", "predict", "score"]

_HOMES = {
    "load_model": "bas.heads.merged",
    "open_cache": "bas.extract.cache",
    "predict": "bas.heads.apply",
    "score": "bas.evaluate.score",
}


def __getattr__(name: str) -> Any:
    """The four names above, imported when they are first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'bas' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
