"""Names of tensors in published checkpoints, each with that of bas.

A name that ends in a dot stands for all that begin with it.
"""

from __future__ import annotations

from collections.abc import Mapping

Names = Mapping[str, str]


def renamed(key: str, names: Names) -> str:
    """The other name of a tensor; its own where `names` has none."""
    for one, other in names.items():
        if key == one or (one.endswith(".") and key.startswith(one)):
            return other + key.removeprefix(one)
    return key


def lromul_names(*, blocks: int) -> dict[str, str]:
    """Of the stacker."""
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
    """Of the temporal module and its output layers; of a joint training the first label set."""
    places = [f"down.{i}" for i in range(levels)] + ["bottom"] + [f"up.{i}" for i in range(levels)]
    return (
        {
            "temp_enc": "head.position",
            "_pred_fine._fc1._fc_out." if joint else "_pred_fine._fc_out.": "head.classifier.layer.",
            "_pred_displ._fc_out.": "head.displacement.",
            "_pred_team._fc_out.": "head.team.",
        }
        | {
            f"_temp_fine._sgp.{i}.{theirs}.": f"head.network.{place}.{ours}."
            for i, place in enumerate(places)  # numbered in the order of use
            for theirs, ours in (_PERCEPTRON | _GATES).items()
        }
        | {
            f"_temp_fine._sgpMixer.{i}.{theirs}.": f"head.network.mixers.{i}.{ours}."
            for i in range(levels)
            for theirs, ours in _MIXER.items()
        }
    )


def netvlad_names(*, apart: bool) -> dict[str, str]:
    """Of the pooling head; `apart` where it pools before and after."""
    layers = ("pool_layer_before", "pool_layer_after") if apart else ("pool_layer",)
    return {"feature_extractor.": "head.projection.", "fc.": "head.classifier.layer."} | {
        f"{layer}.{theirs}": f"head.pools.{i}.{ours}"
        for i, layer in enumerate(layers)
        for theirs, ours in (("clusters", "assignment"), ("clusters2", "centers"))
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
