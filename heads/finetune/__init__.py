"""Joint training of encoder and head on clips of the video (stage 3)."""

from bas.heads.finetune.clip_loader import (
    AnnotatedTimeline,
    ClipSample,
    build_loader,
    open_annotated_videos,
)
from bas.heads.finetune.clip_sampler import ClipShape, clip_shape
from bas.heads.finetune.distributed import DistributedContext, init_distributed
from bas.heads.finetune.memory import expected_bytes
from bas.heads.finetune.model import ClipModel
from bas.heads.finetune.preflight import (
    load_starting_model,
    require_clips_fit,
    require_divisible_batch,
    require_memory,
)
from bas.heads.finetune.trainer import FinetuneTrainer, compute_precision
from bas.heads.finetune.validation import OnlineScorer

__all__ = [
    "AnnotatedTimeline",
    "ClipModel",
    "ClipSample",
    "ClipShape",
    "DistributedContext",
    "FinetuneTrainer",
    "OnlineScorer",
    "build_loader",
    "clip_shape",
    "compute_precision",
    "expected_bytes",
    "init_distributed",
    "load_starting_model",
    "open_annotated_videos",
    "require_clips_fit",
    "require_divisible_batch",
    "require_memory",
]
