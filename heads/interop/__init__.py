"""Model folders, and checkpoints that other projects published."""

from bas.heads.interop.checkpoint_reader import read_checkpoint
from bas.heads.interop.model_folder import (
    FORMAT,
    MODEL_FILES,
    base_postprocess,
    load_classes,
    load_settings,
    load_single_model,
    read_config,
    training_games,
    with_tuning,
    write_config,
    write_model,
)
from bas.heads.interop.published_models import (
    PublishedModel,
    SimplePooling,
    lromul_model,
    netvlad_model,
    tdeed_model,
)

__all__ = [
    "FORMAT",
    "MODEL_FILES",
    "PublishedModel",
    "SimplePooling",
    "base_postprocess",
    "load_classes",
    "load_settings",
    "load_single_model",
    "lromul_model",
    "netvlad_model",
    "read_checkpoint",
    "read_config",
    "tdeed_model",
    "training_games",
    "with_tuning",
    "write_config",
    "write_model",
]
