"""A tiny encoder, tiny matches and matching settings, for tests of extraction."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from bas.config.extract import ExtractSettings
from bas.extract.encode.encoder import Encoder
from bas.extract.encode.weights import measure_norm_statistics
from bas.types import Game, Video
from support import media


@cache
def tiny_encoder() -> Encoder:
    """A tiny network with measured normalization statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Encoder("test_efficientnet")
        stacks = torch.randint(0, 256, (16, 3, 64, 64), dtype=torch.uint8)
        measure_norm_statistics(encoder, iter(stacks))
    return encoder


def tiny_settings(folder: Path, **changes: Any) -> ExtractSettings:
    """Settings for 64 x 2 x 2 rows from 64 x 96 pictures, 12 rows per segment; weights are saved in `folder`."""
    weights = folder / "encoder.safetensors"
    if not weights.exists():
        save_file(tiny_encoder().state_dict(), weights)
    values = {
        "encoder": "test_efficientnet",
        "weights": str(weights),
        "height": 64,
        "width": 96,
        "grid": (2, 2),
        "segment_seconds": 1,
        "batch": 12,
        "precision": "fp32",
    }
    return ExtractSettings.model_validate(values | changes)


def make_game(folder: Path, name: str = "game", pictures: int = 80, **options: Any) -> Game:
    """Write a game of one video whose pictures encode their numbers; options as for `media.write_video`."""
    path = media.write_video(folder / name / "1_720p.mkv", pictures, **({"size": (96, 64)} | options))
    return Game(name, (Video(path, 1),), None)
