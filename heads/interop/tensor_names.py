"""Translation of tensor names between published checkpoints and bas.

A name that ends in a dot is a prefix: it translates all names that begin with it.
"""

from __future__ import annotations

from collections.abc import Mapping

Names = Mapping[str, str]


def rename_key(key: str, names: Names) -> str:
    """Translate a tensor's name; without an entry in `names` it stays as it is."""
    for old, new in names.items():
        if key == old or (old.endswith(".") and key.startswith(old)):
            return new + key.removeprefix(old)
    return key


def lromul_names(*, blocks: int) -> dict[str, str]:
    """Names of lRomul's stacker, from published to bas."""
    return {
        "conv2d_encoder.": "encoder.body.",
        "conv2d_projection.": "head.projection.",
        "conv3d_projection.": "head.narrow.",
        "global_pool.p": "head.pooling.power",
        "classifier.": "head.classifier.layer.",
    } | {
        f"conv3d_encoder.{i}.{theirs}.": f"head.blocks.{i}.{ours}."
        for i in range(blocks)
        for theirs, ours in _BLOCK.items()
    }


def tdeed_names(*, levels: int, joint: bool) -> dict[str, str]:
    """Names of T-DEED's temporal module and output layers; for `joint`, trained on two label sets, the first set."""
    # T-DEED numbers all its blocks in the order of use.
    blocks = [f"down.{i}" for i in range(levels)] + ["bottom"] + [f"up.{i}" for i in range(levels)]
    return (
        {
            "temp_enc": "head.position",
            "_pred_fine._fc1._fc_out." if joint else "_pred_fine._fc_out.": "head.classifier.layer.",
            "_pred_displ._fc_out.": "head.displacement.",
            "_pred_team._fc_out.": "head.team.",
        }
        | {
            f"_temp_fine._sgp.{i}.{theirs}.": f"head.network.{block}.{ours}."
            for i, block in enumerate(blocks)
            for theirs, ours in (_PERCEPTRON | _GATES).items()
        }
        | {
            f"_temp_fine._sgpMixer.{i}.{theirs}.": f"head.network.mixers.{i}.{ours}."
            for i in range(levels)
            for theirs, ours in _MIXER.items()
        }
    )


def netvlad_names(*, halves: bool, image_style: bool = False) -> dict[str, str]:
    """Names of the pooling head.

    Args:
        halves: whether it pools before and after the center separately.
        image_style: whether it is the earlier one, whose clusters are a 1 x 1 convolution.
    """
    layers = ("pool_layer_before", "pool_layer_after") if halves else ("pool_layer",)
    clusters = ("conv.weight", "centroids") if image_style else ("clusters", "clusters2")
    return {"feature_extractor.": "head.projection.", "fc.": "head.classifier.layer."} | {
        f"{layer}.{theirs}": f"head.pools.{i}.{ours}"
        for i, layer in enumerate(layers)
        for theirs, ours in zip(clusters, ("assignment", "centers"), strict=True)
    }


_BLOCK = {
    "conv_pw": "widen.0",
    "bn1.bn3d": "widen.1",
    "conv_dw": "mix.0",
    "bn2.bn3d": "mix.1",
    "se.conv_reduce": "excite.reduce",
    "se.conv_expand": "excite.expand",
    "conv_pwl": "narrow.0",
    "bn3.bn3d": "narrow.1",
}
_PERCEPTRON = {"gn": "perceptron.norm", "mlp": "perceptron.layers"}
_GATES = {
    "ln": "norm",
    "psi": "windows.gate",
    "convw": "windows.short",
    "convkw": "windows.long",
    "fc": "instant.row",
    "global_fc": "instant.mean",
}
_MIXER = (
    _PERCEPTRON
    | {"concat_fc": "mix"}
    | {f"{theirs}1": f"skip_{ours}" for theirs, ours in _GATES.items()}
    | {f"{theirs}2": f"lower_{ours}" for theirs, ours in _GATES.items()}
)
