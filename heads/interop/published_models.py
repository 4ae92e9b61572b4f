"""Settings that build the same model as a published checkpoint, derived from the shapes of its tensors.

Supported are lRomul/ball-action-spotting (2023), arturxe2/T-DEED (2024) with SoccerNet/sn-teamspotting (2025),
and both pooling benchmarks of SoccerNet/sn-spotting (2021): the temporally-aware one, and the earlier one with
NetVLAD in image style or MAX.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from einops import rearrange
from torch import Tensor

from bas.config import Pipeline, parse
from bas.errors import DataError
from bas.extract.encode.encoder import bare_encoder
from bas.heads.interop.checkpoint_reader import PublishedCheckpoint
from bas.heads.interop.tensor_names import Names, lromul_names, netvlad_names, rename_key, tdeed_names
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import task_of
from bas.heads.models.stacker import FeatureModel, Stacker
from bas.vocabulary import target_classes

SimplePooling = Literal["MAX", "MAX++", "AVG", "AVG++"]
"""Pooling methods without weights."""

_ENCODER = "tf_efficientnetv2_b0.in1k"
_MAP_720P = (23, 40)
_WINDOW_SECONDS, _EARLIER_WINDOW_SECONDS = (
    15.0,
    20.0,
)  # as published, with NetVLAD++ and in the earlier benchmark
_ROWS_PER_SECOND = "2"


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A published checkpoint translated to the names and settings of bas."""

    description: str
    """The model in words, for messages."""
    settings: Pipeline
    row_shape: tuple[int, int, int]
    actions: int
    """Number of classes, without background and teams."""
    tensors: Mapping[str, Tensor]
    """Tensors by their names in the state dict of the bas model."""
    names: Names
    """Names in the checkpoint, each with that of bas."""
    unused_parts: Mapping[str, int] = field(default_factory=dict)
    """Parts of the checkpoint that are not imported, with their number of tensors."""

    def build(self, classes: tuple[str, ...]) -> Stacker | FeatureModel:
        """Build the model with random weights."""
        head = build_head(
            self.settings.head,
            self.row_shape,
            task_of(self.settings, actions=self.actions),
            row_rate=self.settings.extract.row_rate,
        )
        columns = target_classes(classes, teams=self.settings.fit.teams != "none")
        if self.row_shape[1:] == (1, 1):
            return FeatureModel(head, settings=self.settings, classes=columns)
        return Stacker(bare_encoder(self.settings.extract), head, settings=self.settings, classes=columns)

    def published_name(self, name: str) -> str:
        """Translate the name of a tensor of bas to that in the checkpoint."""
        return rename_key(name, {ours: theirs for theirs, ours in self.names.items()})


def lromul_model(checkpoint: PublishedCheckpoint) -> PublishedModel:
    """lRomul's stacker: 2D encoder, 3D blocks, pooling and linear layer.

    Raises:
        DataError: a tensor that determines a size is missing.
        SettingsError: no model of bas has these sizes.
    """
    classes, width = checkpoint.shape("classifier.weight", 2)
    projection, channels = checkpoint.shape("conv3d_projection.0.weight", 4)[:2]
    expanded = checkpoint.shape("conv3d_encoder.0.conv_pw.weight", 5)[0]
    blocks = checkpoint.count(r"conv3d_encoder\.(\d+)\.")
    head = {
        "kind": "blocks3d",
        "frames": 3 * width // projection,  # the linear layer sees `projection` channels per stack of three
        "blocks": blocks,
        "expansion": expanded // channels,
        "projection": projection,
    }
    return PublishedModel(
        f"a stacker of {head['frames']} frames",
        _settings(
            checkpoint,
            extract={"encoder": _ENCODER, "grid": _MAP_720P},
            head=head,
            peaks={"sigma": 3, "min_score": 0.2, "min_distance": 15},
        ),
        (channels, *_MAP_720P),
        classes,
        *_rename_tensors(checkpoint.tensors, lromul_names(blocks=blocks)),
    )


def tdeed_model(checkpoint: PublishedCheckpoint) -> PublishedModel:
    """T-DEED's temporal module with its output layers; of a model for two label sets, the first set.

    Raises:
        DataError: a tensor that determines a size is missing.
        SettingsError: no model of bas has these sizes.
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
        "k": long // (kernel + 1),  # T-DEED's long kernel has (kernel + 1) * k rows, or 1 more to be odd
        "displacement": "shared" if "_pred_displ._fc_out.weight" in checkpoint.tensors else "none",
    }
    teams = "output" if "_pred_team._fc_out.weight" in checkpoint.tensors else "none"
    kept = {key: value for key, value in checkpoint.tensors.items() if not _unused_part(key)}
    return PublishedModel(
        f"the temporal module of T-DEED for rows of {dim} values, clips of {clip_rows} rows",
        _settings(checkpoint, head=head, fit={"teams": teams}),
        (dim, 1, 1),
        columns - 1,  # without background
        *_rename_tensors(kept, tdeed_names(levels=levels, joint=joint)),
        Counter(part for key in checkpoint.tensors if (part := _unused_part(key))),
    )


def netvlad_model(
    checkpoint: PublishedCheckpoint,
    *,
    simple_pooling: SimplePooling | None,
    window_seconds: float | None,
    rate: str | None,
) -> PublishedModel:
    """NetVLAD's pooling head, or one of its variants.

    Args:
        checkpoint: checkpoint as published.
        simple_pooling: pooling of a checkpoint without clusters, which its weights do not determine.
        window_seconds: window length, which no weights determine; None means as published: 20 for MAX and for
            NetVLAD in image style, otherwise 15.
        rate: feature rows per second, which no weights determine either; None means 2, as published.

    Raises:
        DataError: a tensor that determines a size is missing, or `simple_pooling` is missing or not needed.
        SettingsError: no model of bas has these sizes.
    """
    image_style = "pool_layer.centroids" in checkpoint.tensors
    halves = "pool_layer_before.clusters" in checkpoint.tensors
    layer = "pool_layer_before" if halves else "pool_layer"
    columns, pooled = checkpoint.shape("fc.weight", 2)
    if image_style:
        clusters, dim = checkpoint.shape("pool_layer.centroids", 2)
        pool = "NetVLAD"
    elif f"{layer}.clusters" in checkpoint.tensors:
        dim, clusters = checkpoint.shape(f"{layer}.clusters", 2)
        residual = f"{layer}.clusters2" in checkpoint.tensors
        pool = f"{'NetVLAD' if residual else 'NetRVLAD'}{'++' if halves else ''}"
    elif simple_pooling is None:
        raise DataError(
            f"Unknown pooling: {checkpoint.file} has no clusters, so its weights do not determine it. Use --pool MAX, "
            "MAX++, AVG or AVG++."
        )
    else:
        # The ++ variants concatenate what they pool before and after the center.
        dim, clusters, pool = pooled // (2 if simple_pooling.endswith("++") else 1), 1, simple_pooling
    if simple_pooling not in (None, pool):
        raise DataError(f"{checkpoint.file} has clusters, so its pooling is {pool}. Leave out --pool.")
    projected = "feature_extractor.weight" in checkpoint.tensors
    width = checkpoint.shape("feature_extractor.weight", 2)[1] if projected else dim
    if window_seconds is None:
        window_seconds = _EARLIER_WINDOW_SECONDS if image_style or pool == "MAX" else _WINDOW_SECONDS
    head = {
        "kind": "netvlad",
        "scoring": "sigmoid+background",
        "pool": pool,
        "dim": dim,
        "clusters": clusters,
        "window_seconds": window_seconds,
    }
    settings = _settings(checkpoint, extract={"clock": rate or _ROWS_PER_SECOND, "hop": 1}, head=head)
    return PublishedModel(
        f"a {pool} head for rows of {width} values at {settings.extract.clock} rows/s, in windows of {window_seconds:g} s",
        settings,
        (width, 1, 1),
        columns - 1,
        *_rename_tensors(
            _in_present_shapes(checkpoint.tensors, clusters=clusters),
            netvlad_names(halves=halves, image_style=image_style),
        ),
    )


def _in_present_shapes(tensors: Mapping[str, Tensor], *, clusters: int) -> dict[str, Tensor]:
    """Tensors of a pooling head with clusters in columns; shapes that nobody published are left to be reported."""
    image_style = "pool_layer.centroids" in tensors
    shaped = {}
    for key, value in tensors.items():
        if key.endswith(".clusters2") and value.shape[:1] == (1,):
            value = value.squeeze(0)
        elif key == "pool_layer.conv.weight" and value.shape[2:] == (1, 1):  # a convolution over single rows
            value = value[:, :, 0, 0].T
        elif key == "pool_layer.centroids":
            value = value.T
        elif key == "fc.weight" and image_style and value.shape[1] % clusters == 0:
            value = rearrange(value, "columns (clusters dim) -> columns (dim clusters)", clusters=clusters)
        shaped[key] = value
    return shaped


def _settings(checkpoint: PublishedCheckpoint, **parts: Mapping[str, Any]) -> Pipeline:
    return parse(parts, source=str(checkpoint.file))


def _rename_tensors(tensors: Mapping[str, Tensor], names: Names) -> tuple[dict[str, Tensor], Names]:
    """Rename tensors to those of bas, and return them with the names."""
    return {rename_key(key, names): value for key, value in tensors.items()}, names


def _unused_part(key: str) -> str | None:
    """Description of the part of a T-DEED checkpoint that is not imported; None for what is."""
    if key.startswith("_features."):
        return "the 2D network with its shift modules"
    if key.startswith("_pred_fine._fc2."):
        return "the output layer of the second label set"
    return None
