"""Encoders: luma stacks in, feature rows out."""

from bas.extract.encode.device import best_precision, choose_device
from bas.extract.encode.encoder import Encoder, FrozenEncoder, bare_encoder, rows_per_call
from bas.extract.encode.stacks import Canvas, canvas_of, stack_batches
from bas.extract.encode.weights import build_encoder, random_weights_path, weights_digest

__all__ = [
    "Canvas",
    "Encoder",
    "FrozenEncoder",
    "bare_encoder",
    "best_precision",
    "build_encoder",
    "canvas_of",
    "choose_device",
    "random_weights_path",
    "rows_per_call",
    "stack_batches",
    "weights_digest",
]
