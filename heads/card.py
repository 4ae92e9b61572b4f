"""The card of a model: what it reads, what it tells, how well, and how events come out of its scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bas.config import PeaksSettings
from bas.evaluate.search import described

_PREDICT = "Predict on any video: `bas predict match.mp4 --model THIS_FOLDER`."


def card(config: Mapping[str, Any]) -> str:
    """README.md of a model folder, from its config.json."""
    use, lines = _several(config) if config["reads"] == "runs" else _one(config)
    return "\n".join(
        [
            "# A ball action spotting model",
            "",
            f"Made with bas {config['bas']}. {use}",
            "",
            *lines,
            f"- **Classes**: {', '.join(config['classes'])}",
            *_post_processing(config),
            *(f"- **{key}**: {value}" for key, value in {**config["data"], **config["metrics"]}.items()),
            "",
            "```json",
            json.dumps(config["settings"], indent=1),
            "```",
            "",
        ]
    )


def _one(config: Mapping[str, Any]) -> tuple[str, list[str]]:
    extract = config["settings"]["extract"]
    channels, height, width = config["row_shape"]
    if config["reads"] == "luma":
        use = _PREDICT
        encoder = (
            f"{extract['encoder']}, pictures of {extract['width']} x {extract['height']}, a row every "
            f"{extract['hop']} ticks at {extract['clock']} a second, grid {height}x{width}"
        )
    else:
        use = "It reads vectors of another network: `bas.load_model(THIS_FOLDER)`, then (batch, rows, channels)."
        encoder = f"none; {channels} values a row, a row every {extract['hop']} ticks at {extract['clock']} a second"
    return use, [f"- **Encoder**: {encoder}", f"- **Head**: {config['settings']['head']['kind']}"]


def _several(config: Mapping[str, Any]) -> tuple[str, list[str]]:
    members = [f"{member['folder']} ({member['weight']:.2f})" for member in config["members"]]
    use = "Its scores are the mean of those of the models in `members`. " + _PREDICT
    return use, [f"- **Members and weights**: {', '.join(members)}"]


def _post_processing(config: Mapping[str, Any]) -> list[str]:
    peaks = PeaksSettings.model_validate(config["settings"]["peaks"])
    lines = [f"- **Post-processing**: {described(peaks)}"]
    lines += [f"  - {action}: {described(own)}" for action, own in peaks.classes.items()]
    if peaks.confidences:
        lines.append(f"  - confidences spread over [0, 1]: {', '.join(peaks.confidences)}")
    if peaks.thresholds:
        shown = ", ".join(f"{action} {least:g}" for action, least in peaks.thresholds.items())
        lines.append(f"  - sure enough to be shown: {shown}")
    tuning = config.get("tuning")
    if tuning is not None:
        lines.append(
            f"  - found on {len(tuning['games'])} validation matches, whose mAP@1 it took from "
            f"{tuning['mAP@1 before']:.4f} to {tuning['mAP@1']:.4f}"
        )
    return lines
