"""A tiny encoder, tiny matches, and settings that fit them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import media
import pytest
import torch
from safetensors.torch import save_file

from bas.config.settings import ExtractSettings
from bas.extract.encoder import Encoder
from bas.extract.weights import measure_normalizations
from bas.types import Game, Video

MakeGame = Callable[..., Game]


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """A tiny network whose normalizations know what they normalize."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Encoder("test_efficientnet")
        stacks = torch.randint(0, 256, (16, 3, 64, 64), dtype=torch.uint8)
        measure_normalizations(encoder.body, iter(stacks))
    return encoder


@pytest.fixture(scope="session")
def settings(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> ExtractSettings:
    """Rows of 64 x 2 x 2 from pictures of 64 x 96, 12 rows a segment."""
    weights = tmp_path_factory.mktemp("weights") / "encoder.safetensors"
    save_file(encoder.state_dict(), weights)
    return ExtractSettings(
        encoder="test_efficientnet",
        weights=str(weights),
        height=64,
        width=96,
        grid=(2, 2),
        segment_seconds=1,
        batch=5,
        precision="fp32",
    )


@pytest.fixture
def make_game(tmp_path: Path) -> MakeGame:
    """A game of one video of pictures that carry their numbers."""

    def make(name: str = "game", pictures: int = 80, **options: object) -> Game:
        path = media.write_video(tmp_path / "data" / name / "1_720p.mkv", pictures, size=(96, 64), **options)  # type: ignore[arg-type]
        return Game(name, (Video(path, 1),), None)

    return make
