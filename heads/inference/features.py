"""Feature rows of videos for a model: one cache for each of its encoders and views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bas.config.base import Decoder
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
    degrade: bool = False,
) -> dict[Path, Any]:
    """What `model.scores` takes for every video that has it, by path of the video; missing rows are extracted first.

    Args:
        model: its encoder computes missing rows on its own device.
        games: games whose videos are read.
        features: folder of the caches.
        decoder: video decoder; auto takes NVDEC if it works.
        degrade: use what a damaged video holds, with a warning, whatever the settings say.

    Raises:
        MissingError, DataError: a video is missing or damaged.
    """
    if isinstance(model, Ensemble):
        each = [
            features_for(member, games, features=features, decoder=decoder, degrade=degrade)
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
    if degrade:
        changes["on_bad_video"] = "degrade"
    settings = own.model_copy(update=changes)
    return cached_features(games, settings, features=features, device=str(stacker.device), decoder=decoder)
