"""Models that take video: a stacker, its mirrored view, or several models averaged.

<folder>/config.json    "reads": "runs"; members with their weights, post-processing, classes
         members/...    a complete model each, so that the folder can be moved or shared
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bas.config import Pipeline, PostprocessSettings, parse
from bas.errors import DataError
from bas.evaluate.averaging import mean_scores, unmirror
from bas.heads.interop.model_folder import base_postprocess, load_single_model, read_config
from bas.heads.models.stacker import FeatureModel, Stacker
from bas.types import Scores, VideoFeatures


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A stacker on the mirror image of every picture, with left and right swapped back in its scores."""

    stacker: Stacker

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the score columns, in order."""
        return self.stacker.classes

    @property
    def stackers(self) -> tuple[Stacker, ...]:
        """The network at work."""
        return (self.stacker,)

    def scores(self, features: VideoFeatures) -> Scores:
        """Scores of the pictures as they are, from rows of their mirror images."""
        return unmirror(self.stacker.scores(features))


@dataclass(slots=True, kw_only=True)
class Ensemble:
    """Models with the same classes whose scores are averaged, on the fastest of their clocks."""

    members: tuple[Stacker | Mirrored | Ensemble, ...]
    weights: tuple[float, ...]
    """Weight of each member in the mean, with sum 1."""
    settings: Pipeline
    """Settings of the member with the fastest clock, with the post-processing of the averaged scores."""
    folder: Path | None
    base_postprocess: PostprocessSettings | None
    """Post-processing before it was tuned; None if it was not tuned."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the score columns, in order."""
        return self.members[0].classes

    @property
    def stackers(self) -> tuple[Stacker, ...]:
        """The networks of all members."""
        return tuple(dict.fromkeys(stacker for member in self.members for stacker in member.stackers))

    def scores(self, features: tuple[Any, ...]) -> Scores:
        """Weighted mean of the members' scores of one video."""
        parts = [member.scores(own) for member, own in zip(self.members, features, strict=True)]
        return mean_scores(parts, self.weights)


VideoModel = Stacker | Ensemble
"""A model from a folder that can be put to work on a video."""


def flip_averaged(model: VideoModel) -> VideoModel:
    """The model with its scores averaged over the pictures and their mirror images, member by member.

    A model that averages both views already stays as it is.
    """
    if isinstance(model, Stacker):
        return _both_views(model)
    if any(isinstance(member, Mirrored | Ensemble) for member in model.members):
        return model
    return replace(model, members=tuple(map(_both_views, model.stackers)))


def _both_views(stacker: Stacker) -> Ensemble:
    return Ensemble(
        members=(stacker, Mirrored(stacker)),
        weights=(0.5, 0.5),
        settings=stacker.settings,
        folder=stacker.folder,
        base_postprocess=stacker.base_postprocess,
    )


def load_model(folder: str | Path, *, device: str = "cpu") -> Stacker | FeatureModel | Ensemble:
    """Load the model in a run or model folder, in eval mode.

    Its `settings` describe the input, its `classes` name the score columns. A `Stacker` is a module that takes
    luma in [0, 1] as (batch, frames, height, width), one picture per entry of its `frame_offsets`. A
    `FeatureModel`, which some imported weights give, takes vectors as (batch, rows, channels). An `Ensemble`
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
            return Ensemble(
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
    return require_video_model(load_model(folder, device=device))


def require_video_model(model: VideoModel | FeatureModel) -> VideoModel:
    """Check that a model takes video.

    Raises:
        DataError: it takes feature vectors of another network.
    """
    if isinstance(model, FeatureModel):
        raise DataError(
            f"The model in {model.folder} has no encoder: it takes feature vectors of another network, not video. Start a "
            f"head from it (bas fit-head netvlad --set fit.init_from={model.folder}), or use it from Python: "
            "bas.load_model."
        )
    return model


def load_stacker(folder: Path, *, device: str) -> Stacker:
    """Load the single model in a folder, which must take video.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is damaged, has no encoder, or is an ensemble.
    """
    model = load_video_model(folder, device=device)
    if isinstance(model, Ensemble):
        raise DataError(
            f"{folder} is an ensemble of several models. Use one of its members in {folder}/members."
        )
    return model
