"""Stages 2 and 3: temporal heads on cached rows, joint training with the encoder, and prediction.

models      heads, and the stacker that joins one to its encoder
interop     model folders, and checkpoints that other projects published
inference   the one predictor
training    a head on cached feature rows (stage 2)
finetune    encoder and head together on clips of the video (stage 3)
"""

__all__ = ["finetune", "inference", "interop", "models", "training"]
