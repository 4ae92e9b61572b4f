"""Several models in one folder, whose scores are averaged.

<folder>/config.json    reads "runs": members with their weights, post-processing, classes
         members/...    a whole model each, so that the folder can be moved or shared
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from bas.config import Pipeline, parse
from bas.config.settings import PeaksSettings
from bas.errors import DataError
from bas.evaluate.merge import Ensemble
from bas.heads.models import load_model, read_config, untuned_peaks
from bas.heads.stacker import Stacker


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedModel(Ensemble):
    """Models that read videos, averaged."""

    members: tuple[Stacker, ...]
    settings: Pipeline
    """Of the member with the fastest clock, but for the post-processing, which is that of the mean."""
    folder: Path
    untuned: PeaksSettings | None

    @property
    def device(self) -> torch.device:
        """Where the members compute."""
        return self.members[0].device


Spotter = Stacker | MergedModel
"""What can be put to work on videos."""


def load_spotter(folder: Path, *, device: str) -> Spotter:
    """The model in a folder, or the models, that read videos.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, or has no encoder.
    """
    config = folder / "config.json"
    if not config.is_file() or read_config(folder)["reads"] != "runs":
        return load_stacker(folder, device=device)
    found = read_config(folder)
    match found:
        case {"members": [*members]} if members:
            pass
        case _:
            raise DataError(f"{config} names no members. Merge the runs again: bas merge.")
    return MergedModel(
        members=tuple(load_stacker(folder / member["folder"], device=device) for member in members),
        weights=tuple(float(member["weight"]) for member in members),
        settings=parse(found["settings"], source=str(config)),
        folder=folder,
        untuned=untuned_peaks(found),
    )


def load_stacker(folder: Path, *, device: str) -> Stacker:
    """The model in a folder, one that reads videos.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, or has no encoder.
    """
    model = load_model(folder, device=device)
    if not isinstance(model, Stacker):
        raise DataError(
            f"The model in {folder} has no encoder: it reads vectors of another network, not videos. Start a head "
            f"from it (--set fit.start_from={folder}), or use it from Python: bas.load_model."
        )
    return model
