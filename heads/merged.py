"""Several models in one folder, whose scores are averaged.

<folder>/config.json    reads "runs": members with their weights, post-processing, classes
         members/...    a whole model each, so that the folder can be moved or shared
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from bas.config import PeaksSettings, Pipeline, parse
from bas.errors import DataError
from bas.evaluate.merge import Ensemble
from bas.heads.models import load_single, read_config, untuned_peaks
from bas.heads.stacker import RowModel, Stacker


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


def load_model(folder: str | Path, *, device: str = "cpu") -> Stacker | RowModel | MergedModel:
    """The model in a run or model folder, ready to predict.

    Its `settings` say what it reads, its `classes` what it says. A `Stacker` is a module that takes luma in
    [0, 1] as (batch, ticks, height, width), ticks being `ticks`; a `RowModel`, which some imported weights
    are, takes vectors as (batch, rows, channels); a `MergedModel` averages its `members`.

    Raises:
        MissingError: the folder holds no model.
        DataError: its files are damaged or do not fit together.
    """
    folder = Path(folder)
    found = read_config(folder)
    if found["reads"] != "runs":
        return load_single(folder, device=device)
    match found:
        case {"members": [*members]} if members:
            return MergedModel(
                members=tuple(load_stacker(folder / member["folder"], device=device) for member in members),
                weights=tuple(float(member["weight"]) for member in members),
                settings=parse(found["settings"], source=f"{folder}/config.json"),
                folder=folder,
                untuned=untuned_peaks(found),
            )
        case _:
            raise DataError(f"{folder}/config.json names no members. Merge the runs again: bas merge.")


def load_spotter(folder: Path, *, device: str) -> Spotter:
    """The model in a folder, or the models, that read videos.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, or has no encoder.
    """
    model = load_model(folder, device=device)
    if isinstance(model, RowModel):
        raise DataError(
            f"The model in {folder} has no encoder: it reads vectors of another network, not videos. Start a head "
            f"from it (--set fit.start_from={folder}), or use it from Python: bas.load_model."
        )
    return model


def load_stacker(folder: Path, *, device: str) -> Stacker:
    """The one model in a folder, one that reads videos.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, has no encoder, or is merged of several.
    """
    model = load_spotter(folder, device=device)
    if isinstance(model, MergedModel):
        raise DataError(f"{folder} is merged of several models. Name one of {folder}/members.")
    return model
