"""Model loading, and ensembles: several models in one folder whose scores are averaged.

<folder>/config.json    "reads": "runs"; members with their weights, post-processing, classes
         members/...    a complete model each, so that the folder can be moved or shared
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from bas.config import PeaksSettings, Pipeline, parse
from bas.errors import DataError
from bas.evaluate.scores import Ensemble
from bas.heads.interop.model_folder import base_postprocess, load_single_model, read_config
from bas.heads.models.stacker import FeatureModel, Stacker


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedModel(Ensemble):
    """Ensemble of models that take video."""

    members: tuple[Stacker, ...]
    settings: Pipeline
    """Settings of the member with the fastest clock, with the post-processing of the averaged scores."""
    folder: Path
    base_postprocess: PeaksSettings | None
    """Post-processing before tuning; None if it was never tuned."""

    @property
    def device(self) -> torch.device:
        """Device of the members."""
        return self.members[0].device


VideoModel = Stacker | MergedModel
"""Models that take video."""


def load_model(folder: str | Path, *, device: str = "cpu") -> Stacker | FeatureModel | MergedModel:
    """Load the model in a run or model folder, in eval mode.

    Its `settings` describe the input, its `classes` name the score columns. A `Stacker` is a module that takes
    luma in [0, 1] as (batch, frames, height, width), one picture per entry of its `frame_offsets`. A
    `FeatureModel`, which some imported weights give, takes vectors as (batch, rows, channels). A `MergedModel`
    averages its `members`.

    Raises:
        MissingError: the folder holds no model.
        DataError: its files are damaged or inconsistent.
    """
    folder = Path(folder)
    found = read_config(folder)
    if found["reads"] != "runs":
        return load_single_model(folder, device=device)
    match found:
        case {"members": [*members]} if members:
            return MergedModel(
                members=tuple(load_stacker(folder / member["folder"], device=device) for member in members),
                weights=tuple(float(member["weight"]) for member in members),
                settings=parse(found["settings"], source=f"{folder}/config.json"),
                folder=folder,
                base_postprocess=base_postprocess(found),
            )
        case _:
            raise DataError(f"{folder}/config.json lists no members. Merge the runs again: bas merge.")


def load_video_model(folder: Path, *, device: str) -> VideoModel:
    """Load the model or ensemble in a folder, which must take video.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged or has no encoder.
    """
    model = load_model(folder, device=device)
    if isinstance(model, FeatureModel):
        raise DataError(
            f"The model in {folder} has no encoder: it takes feature vectors of another network, not video. Start a "
            f"head from it (--set fit.init_from={folder}), or use it from Python: bas.load_model."
        )
    return model


def load_stacker(folder: Path, *, device: str) -> Stacker:
    """Load the single model in a folder, which must take video.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, has no encoder, or is an ensemble.
    """
    model = load_video_model(folder, device=device)
    if isinstance(model, MergedModel):
        raise DataError(
            f"{folder} is an ensemble of several models. Use one of its members in {folder}/members."
        )
    return model
