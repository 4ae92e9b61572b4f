"""Published checkpoints by their names: the sizes that their shapes tell, and the names of bas.

lRomul/ball-action-spotting (2023), arturxe2/T-DEED (2024) with SoccerNet/sn-teamspotting (2025), and the
temporally-aware pooling of SoccerNet/sn-spotting (2021).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from bas.config import (
    Blocks3DSettings,
    ExtractSettings,
    FitSettings,
    NetVLADSettings,
    PeaksSettings,
    Pipeline,
    SGPSettings,
)
from bas.errors import DataError
from bas.extract.encoder import Encoder
from bas.heads.build import build_head
from bas.heads.stacker import RowModel, Stacker
from bas.heads.targets import target_classes, task_of

_ENCODER = "tf_efficientnetv2_b0.in1k"
_MAP_720P = (23, 40)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A checkpoint with the names and sizes of bas."""

    what: str
    """In words."""
    settings: Pipeline
    row_shape: tuple[int, int, int]
    actions: int
    """Classes without background and teams."""
    tensors: dict[str, Tensor]
    """By the names of the model's state dict."""
    names: Mapping[str, str]
    """Published name of each."""
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
        """The name in the checkpoint of a tensor, or of bas where the checkpoint has none."""
        return self.names.get(name, name)


def lromul(state: Mapping[str, Tensor]) -> Foreign:
    """The stacker: 2D encoder, 3D blocks, pooling and linear layer.

    Raises:
        DataError: a tensor that tells a size is missing.
    """
    classes, width = _shape(state, "classifier.weight", 2)
    projection, channels = _shape(state, "conv3d_projection.0.weight", 4)[:2]
    expanded = _shape(state, "conv3d_encoder.0.conv_pw.weight", 5)[0]
    frames = 3 * width // projection
    if frames not in (15, 33):
        raise DataError(
            f"classifier.weight reads {width} values, {projection} a stack: {frames} frames, and known are 15 and 33."
        )
    head = Blocks3DSettings(
        frames=15 if frames == 15 else 33,
        blocks=_count(state, r"conv3d_encoder\.(\d+)\."),
        expansion=expanded // channels,
        projection=projection,
    )
    peaks = PeaksSettings(sigma=3, height=0.2, distance=15)
    settings = Pipeline(extract=ExtractSettings(encoder=_ENCODER, grid=_MAP_720P), head=head, peaks=peaks)
    tensors, names = _renamed(state, _of_lromul)
    what = f"a stacker of {frames} frames"
    return Foreign(what, settings, (channels, *_MAP_720P), classes, tensors, names)


def tdeed(state: Mapping[str, Tensor]) -> Foreign:
    """The temporal module with its output layers; of two label sets the first.

    Raises:
        DataError: a tensor that tells a size is missing.
    """
    joint = "_pred_fine._fc1._fc_out.weight" in state
    last = "_pred_fine._fc1._fc_out" if joint else "_pred_fine._fc_out"
    clip_rows, dim = _shape(state, "temp_enc", 2)
    kernel = _shape(state, "_temp_fine._sgp.0.psi.weight", 3)[2]
    long = _shape(state, "_temp_fine._sgp.0.convkw.weight", 3)[2]
    head = SGPSettings(
        scoring="softmax",
        pool="average",
        dim=dim,
        clip_rows=clip_rows,
        levels=_count(state, r"_temp_fine\._sgpMixer\.(\d+)\."),
        kernel=kernel,
        k=long // (kernel + 1),
        displacement="shared" if "_pred_displ._fc_out.weight" in state else "none",
    )
    fit = FitSettings(teams="output" if "_pred_team._fc_out.weight" in state else "none")
    left_out = Counter(part for key in state if (part := _part(key)))
    kept = {key.replace("_fc1._fc_out", "_fc_out"): value for key, value in state.items() if not _part(key)}
    tensors, names = _renamed(kept, lambda key: _of_tdeed(key, levels=head.levels))
    return Foreign(
        f"the temporal module of T-DEED for rows of {dim} values, clips of {clip_rows} rows",
        Pipeline(head=head, fit=fit),
        (dim, 1, 1),
        _shape(state, f"{last}.weight", 2)[0] - 1,
        tensors,
        names,
        left_out,
    )


def netvlad(state: Mapping[str, Tensor], *, window_seconds: float) -> Foreign:
    """The pooling head; max and mean pooling have no weights and cannot be told apart: they are refused.

    Raises:
        DataError: a tensor that tells a size is missing.
    """
    apart = any(key.startswith("pool_layer_before.") for key in state)
    layer = "pool_layer_before" if apart else "pool_layer"
    dim, clusters = _shape(state, f"{layer}.clusters", 2)
    residual = f"{layer}.clusters2" in state
    width = _shape(state, "feature_extractor.weight", 2)[1] if "feature_extractor.weight" in state else dim
    pool = f"{'NetVLAD' if residual else 'NetRVLAD'}{'++' if apart else ''}"
    head = NetVLADSettings.model_validate(
        {
            "pool": pool,
            "dim": dim,
            "clusters": clusters,
            "window_seconds": window_seconds,
            "scoring": "sigmoid+background",
        }
    )
    settings = Pipeline(extract=ExtractSettings(clock="2", hop=1), head=head)
    squeezed = {
        key: value.squeeze(0) if key.endswith(".clusters2") else value for key, value in state.items()
    }
    tensors, names = _renamed(squeezed, _of_netvlad)
    return Foreign(
        f"{pool} for rows of {width} values, 2 a second, in windows of {window_seconds:g} s",
        settings,
        (width, 1, 1),
        _shape(state, "fc.weight", 2)[0] - 1,
        tensors,
        names,
    )


def _shape(state: Mapping[str, Tensor], key: str, dimensions: int) -> tuple[int, ...]:
    if key not in state or state[key].ndim != dimensions:
        found = f"has the shape {tuple(state[key].shape)}" if key in state else "is missing"
        raise DataError(
            f"{key} {found}, and its {dimensions} dimensions tell the model's size: this is another checkpoint. "
            f"It has {', '.join(sorted(state)[:6])} ..."
        )
    return tuple(state[key].shape)


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    return len({match[1] for key in state if (match := re.match(pattern, key))})


def _renamed(
    state: Mapping[str, Tensor], name: Callable[[str], str]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by the names of bas, and the published names by them."""
    names = {name(key): key for key in state}
    return {ours: state[theirs] for ours, theirs in names.items()}, names


def _of_lromul(key: str) -> str:
    return _replaced(
        key,
        {
            r"^conv2d_encoder\.": "encoder.body.",
            r"^conv2d_projection\.": "head.projection.",
            r"^conv3d_projection\.": "head.narrow.",
            r"^global_pool\.p$": "head.pooling.power",
            r"^classifier\.": "head.classifier.layer.",
            r"^conv3d_encoder\.(\d+)\.conv_pw\.": r"head.blocks.\1.widen.0.",
            r"^conv3d_encoder\.(\d+)\.bn1\.bn3d\.": r"head.blocks.\1.widen.1.",
            r"^conv3d_encoder\.(\d+)\.conv_dw\.": r"head.blocks.\1.mix.0.",
            r"^conv3d_encoder\.(\d+)\.bn2\.bn3d\.": r"head.blocks.\1.mix.1.",
            r"^conv3d_encoder\.(\d+)\.se\.conv_reduce\.": r"head.blocks.\1.excite.reduce.",
            r"^conv3d_encoder\.(\d+)\.se\.conv_expand\.": r"head.blocks.\1.excite.expand.",
            r"^conv3d_encoder\.(\d+)\.conv_pwl\.": r"head.blocks.\1.narrow.0.",
            r"^conv3d_encoder\.(\d+)\.bn3\.bn3d\.": r"head.blocks.\1.narrow.1.",
        },
    )


def _of_tdeed(key: str, *, levels: int) -> str:
    """Layers are numbered in the order of use: down, bottom, up."""
    if match := re.match(r"_temp_fine\._sgp\.(\d+)\.(.+)", key):
        number = int(match[1])
        place = "bottom" if number == levels else f"down.{number}"
        if number > levels:
            place = f"up.{number - levels - 1}"
        return f"head.network.{place}.{_replaced(match[2], _LAYER)}"
    if match := re.match(r"_temp_fine\._sgpMixer\.(\d+)\.(.+)", key):
        return f"head.network.mixers.{match[1]}.{_replaced(match[2], _MIXER)}"
    return _replaced(
        key,
        {
            r"^temp_enc$": "head.position",
            r"^_pred_fine\._fc_out\.": "head.classifier.layer.",
            r"^_pred_displ\._fc_out\.": "head.displacement.",
            r"^_pred_team\._fc_out\.": "head.team.",
        },
    )


_PERCEPTRON = {r"^gn\.": "perceptron.norm.", r"^mlp\.": "perceptron.layers."}
_LAYER = {
    **_PERCEPTRON,
    r"^ln\.": "norm.",
    r"^psi\.": "windows.gate.",
    r"^convw\.": "windows.short.",
    r"^convkw\.": "windows.long.",
    r"^fc\.": "instant.row.",
    r"^global_fc\.": "instant.mean.",
}
_SIDES = (("1", "skip"), ("2", "lower"))
_MIXER = {**_PERCEPTRON, r"^concat_fc\.": "mix."} | {
    rf"^{theirs}{number}\.": f"{side}_{ours}."
    for number, side in _SIDES
    for theirs, ours in (
        ("ln", "norm"),
        ("psi", "windows.gate"),
        ("convw", "windows.short"),
        ("convkw", "windows.long"),
        ("fc", "instant.row"),
        ("global_fc", "instant.mean"),
    )
}


def _part(key: str) -> str | None:
    """The part of a T-DEED checkpoint that bas has no place for, in words."""
    if key.startswith("_features."):
        return "the 2D network with its shift modules"
    if key.startswith("_pred_fine._fc2."):
        return "the output layer of the second label set"
    return None


def _of_netvlad(key: str) -> str:
    return _replaced(
        key,
        {
            r"^feature_extractor\.": "head.projection.",
            r"^pool_layer(_before)?\.clusters$": "head.pools.0.assignment",
            r"^pool_layer(_before)?\.clusters2$": "head.pools.0.centers",
            r"^pool_layer_after\.clusters$": "head.pools.1.assignment",
            r"^pool_layer_after\.clusters2$": "head.pools.1.centers",
            r"^fc\.": "head.classifier.layer.",
        },
    )


def _replaced(key: str, patterns: Mapping[str, str]) -> str:
    """The key with the first pattern that matches replaced; without one, as it is."""
    for pattern, replacement in patterns.items():
        renamed, count = re.subn(pattern, replacement, key)
        if count:
            return renamed
    return key
