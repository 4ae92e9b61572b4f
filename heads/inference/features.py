"""Feature rows of videos for a model: one cache for each of its encoders and views."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from bas.config import ExtractSettings
from bas.config.base import Decoder
from bas.dataset.video.display import lead_ms, read_display
from bas.extract.extract import cached_features
from bas.heads.inference.ensemble import Ensemble, Mirrored
from bas.heads.models.stacker import Stacker
from bas.types import Game


def features_for(
    model: Stacker | Mirrored | Ensemble,
    games: Sequence[Game],
    *,
    features: Path,
    decoder: Decoder = "auto",
    lone: bool = False,
) -> dict[Path, Any]:
    """What `model.scores` takes for every video that has it, by path of the video; missing rows are extracted first.

    Args:
        model: its encoder computes missing rows on its own device.
        games: games whose videos are read.
        features: folder of the caches.
        decoder: video decoder; auto takes NVDEC if it works.
        lone: a video without labels of its own: use what a damaged one holds, with a warning, whatever the
            settings say, and count from its first picture, however late that comes.

    Raises:
        MissingError, DataError: a video is missing or damaged.
    """
    if isinstance(model, Ensemble):
        each = [
            features_for(member, games, features=features, decoder=decoder, lone=lone)
            for member in model.members
        ]
        complete = [path for path in each[0] if all(path in rows for rows in each)]
        return {path: tuple(rows[path] for rows in each) for path in complete}
    (stacker,) = model.stackers
    assert stacker.folder is not None, "a model that was never saved has no encoder to extract with"
    own = stacker.settings.extract
    # A model trained on mirrored pictures has the pictures as they are for its mirrored view.
    changes: dict[str, Any] = {
        "weights": str(stacker.folder),
        "flip": own.flip != isinstance(model, Mirrored),
    }
    settings = (lone_settings(own) if lone else own).model_copy(update=changes)
    return cached_features(games, settings, features=features, device=str(stacker.device), decoder=decoder)


def lone_settings(settings: ExtractSettings) -> ExtractSettings:
    """Settings for one video outside a dataset, where no label says what is right."""
    origin = "start" if settings.time_origin == "auto" else settings.time_origin
    return settings.model_copy(update={"on_bad_video": "degrade", "time_origin": origin})


def lead_ms_of(video: Path, rows: Any) -> int:
    """Milliseconds that a player shows at position 0 of a video with these rows, as `features_for` returns them."""
    while isinstance(rows, tuple):  # of the members of an ensemble, which share one clock
        rows = rows[0]
    attributes = rows.header.attributes
    origin = attributes.origin_pts * Fraction(attributes.time_base)
    return lead_ms(origin, read_display(video).player_zero)
