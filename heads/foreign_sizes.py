"""What the shapes of a published checkpoint tell: the settings of bas that build the same model.

lRomul/ball-action-spotting (2023), arturxe2/T-DEED (2024) with SoccerNet/sn-teamspotting (2025), and the
temporally-aware pooling of SoccerNet/sn-spotting (2021).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from bas.config import Pipeline, parse
from bas.errors import DataError
from bas.extract.encoder import Encoder
from bas.heads.build import build_head
from bas.heads.foreign_file import Checkpoint
from bas.heads.foreign_names import Names, lromul_names, netvlad_names, renamed, tdeed_names
from bas.heads.stacker import RowModel, Stacker
from bas.heads.targets import target_classes, task_of

Extreme = Literal["MAX", "MAX++", "AVG", "AVG++"]

_ENCODER = "tf_efficientnetv2_b0.in1k"
_MAP_720P = (23, 40)
_WINDOW_SECONDS = 15.0  # as published


@dataclass(frozen=True, slots=True)
class Foreign:
    """A checkpoint with the names and sizes of bas."""

    what: str
    """In words."""
    settings: Pipeline
    row_shape: tuple[int, int, int]
    actions: int
    """Classes without background and teams."""
    tensors: Mapping[str, Tensor]
    """By the names of the model's state dict."""
    names: Names
    """Of the checkpoint, each with that of bas."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Parts of the checkpoint that bas has no place for, and their number of tensors."""

    def build(self, classes: tuple[str, ...]) -> Stacker | RowModel:
        """The model with drawn weights."""
        head = build_head(
            self.settings.head,
            self.row_shape,
            task_of(self.settings, actions=self.actions),
            row_rate=self.settings.extract.row_rate,
        )
        columns = target_classes(classes, teams=self.settings.fit.teams != "none")
        if self.row_shape[1:] == (1, 1):
            return RowModel(head, settings=self.settings, classes=columns)
        return Stacker(Encoder(self.settings.extract.encoder), head, settings=self.settings, classes=columns)

    def published(self, name: str) -> str:
        """The name in the checkpoint of a tensor of bas."""
        return renamed(name, {ours: theirs for theirs, ours in self.names.items()})


def lromul(checkpoint: Checkpoint) -> Foreign:
    """The stacker: 2D encoder, 3D blocks, pooling and linear layer.

    Raises:
        DataError: a tensor that tells a size is missing.
        SettingsError: bas has no model of such sizes.
    """
    classes, width = checkpoint.shape("classifier.weight", 2)
    projection, channels = checkpoint.shape("conv3d_projection.0.weight", 4)[:2]
    expanded = checkpoint.shape("conv3d_encoder.0.conv_pw.weight", 5)[0]
    blocks = checkpoint.count(r"conv3d_encoder\.(\d+)\.")
    head = {
        "kind": "blocks3d",
        "frames": 3 * width // projection,  # three of them a slice
        "blocks": blocks,
        "expansion": expanded // channels,
        "projection": projection,
    }
    return Foreign(
        f"a stacker of {head['frames']} frames",
        _settings(
            checkpoint,
            extract={"encoder": _ENCODER, "grid": _MAP_720P},
            head=head,
            peaks={"sigma": 3, "height": 0.2, "distance": 15},
        ),
        (channels, *_MAP_720P),
        classes,
        *_named(checkpoint.tensors, lromul_names(blocks=blocks)),
    )


def tdeed(checkpoint: Checkpoint) -> Foreign:
    """The temporal module with its output layers; of two label sets the first.

    Raises:
        DataError: a tensor that tells a size is missing.
        SettingsError: bas has no model of such sizes.
    """
    joint = "_pred_fine._fc1._fc_out.weight" in checkpoint.tensors
    clip_rows, dim = checkpoint.shape("temp_enc", 2)
    kernel = checkpoint.shape("_temp_fine._sgp.0.psi.weight", 3)[2]
    long = checkpoint.shape("_temp_fine._sgp.0.convkw.weight", 3)[2]
    columns = checkpoint.shape(f"_pred_fine.{'_fc1.' if joint else ''}_fc_out.weight", 2)[0]
    levels = checkpoint.count(r"_temp_fine\._sgpMixer\.(\d+)\.")
    head = {
        "kind": "sgp",
        "scoring": "softmax",
        "pool": "average",
        "dim": dim,
        "clip_rows": clip_rows,
        "levels": levels,
        "kernel": kernel,
        "k": long // (kernel + 1),
        "displacement": "shared" if "_pred_displ._fc_out.weight" in checkpoint.tensors else "none",
    }
    teams = "output" if "_pred_team._fc_out.weight" in checkpoint.tensors else "none"
    kept = {key: value for key, value in checkpoint.tensors.items() if not _part(key)}
    return Foreign(
        f"the temporal module of T-DEED for rows of {dim} values, clips of {clip_rows} rows",
        _settings(checkpoint, head=head, fit={"teams": teams}),
        (dim, 1, 1),
        columns - 1,
        *_named(kept, tdeed_names(levels=levels, joint=joint)),
        Counter(part for key in checkpoint.tensors if (part := _part(key))),
    )


def netvlad(checkpoint: Checkpoint, *, extreme: Extreme | None, window_seconds: float | None) -> Foreign:
    """The pooling head.

    Args:
        checkpoint: published.
        extreme: of a checkpoint without clusters, its pooling, which its weights do not tell.
        window_seconds: which no weights tell; 15 as published where it is None.

    Raises:
        DataError: a tensor that tells a size is missing; or what the weights cannot tell is not given.
        SettingsError: bas has no model of such sizes.
    """
    apart = "pool_layer_before.clusters" in checkpoint.tensors
    layer = "pool_layer_before" if apart else "pool_layer"
    columns, pooled = checkpoint.shape("fc.weight", 2)
    if f"{layer}.clusters" in checkpoint.tensors:
        dim, clusters = checkpoint.shape(f"{layer}.clusters", 2)
        residual = f"{layer}.clusters2" in checkpoint.tensors
        pool = f"{'NetVLAD' if residual else 'NetRVLAD'}{'++' if apart else ''}"
        if extreme is not None:
            raise DataError(f"{checkpoint.file} pools by {pool}, as its clusters tell: leave out --pool.")
    elif extreme is None:
        raise DataError(
            f"{checkpoint.file} has no clusters: its pooling has no weights that tell it. Say which it is: --pool "
            "MAX, MAX++, AVG or AVG++."
        )
    else:
        dim, clusters, pool = pooled // (2 if extreme.endswith("++") else 1), 1, extreme
    projected = "feature_extractor.weight" in checkpoint.tensors
    width = checkpoint.shape("feature_extractor.weight", 2)[1] if projected else dim
    head = {
        "kind": "netvlad",
        "scoring": "sigmoid+background",
        "pool": pool,
        "dim": dim,
        "clusters": clusters,
        "window_seconds": _WINDOW_SECONDS if window_seconds is None else window_seconds,
    }
    tensors = {
        key: value.squeeze(0) if key.endswith(".clusters2") else value
        for key, value in checkpoint.tensors.items()
    }
    return Foreign(
        f"{pool} for rows of {width} values, 2 a second, in windows of {head['window_seconds']:g} s",
        _settings(checkpoint, extract={"clock": "2", "hop": 1}, head=head),
        (width, 1, 1),
        columns - 1,
        *_named(tensors, netvlad_names(apart=apart)),
    )


def _settings(checkpoint: Checkpoint, **parts: Mapping[str, Any]) -> Pipeline:
    return parse(parts, source=str(checkpoint.file))


def _named(tensors: Mapping[str, Tensor], names: Names) -> tuple[dict[str, Tensor], Names]:
    """Tensors by the names of bas, and the names."""
    return {renamed(key, names): value for key, value in tensors.items()}, names


def _part(key: str) -> str | None:
    """The part of a T-DEED checkpoint that bas has no place for, in words."""
    if key.startswith("_features."):
        return "the 2D network with its shift modules"
    if key.startswith("_pred_fine._fc2."):
        return "the output layer of the second label set"
    return None
