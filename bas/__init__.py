"""Ball action spotting: find every pass, drive and shot in soccer video, to the frame.

model = bas.load_model("runs/netvlad-1a2b3c4d")   # PyTorch module with its settings and classes
cache = bas.open_cache("features/.../720p.h5")    # cached features of one video
detections = bas.predict("match.mp4", model)      # detections in order of time
result = bas.score("labels", "predictions")       # official mAP@1 and more; any results_spotting.json
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bas.evaluate.scoring.score import score
    from bas.extract.cache.reader import open_cache
    from bas.heads.inference.ensemble import load_model
    from bas.heads.inference.predictor import predict

__version__ = "0.1.0"
__all__ = ["load_model", "open_cache", "predict", "score"]

_MODULES = {
    "load_model": "bas.heads.inference.ensemble",
    "open_cache": "bas.extract.cache.reader",
    "predict": "bas.heads.inference.predictor",
    "score": "bas.evaluate.scoring.score",
}


def __getattr__(name: str) -> Any:
    """Import the four public names on first use, so that `import bas` loads no torch."""
    if name not in _MODULES:
        raise AttributeError(f"module 'bas' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
