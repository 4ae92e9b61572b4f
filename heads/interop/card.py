"""Model card: README.md with a model's input, classes, validation results and post-processing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bas.config import PeaksSettings
from bas.evaluate.postprocess.search import describe_settings

_PREDICT = "Predict on any video: `bas predict match.mp4 --model THIS_FOLDER`."


def model_card(config: Mapping[str, Any]) -> str:
    """Render README.md of a model folder from its config."""
    use, lines = _ensemble_lines(config) if config["reads"] == "runs" else _single_model_lines(config)
    return "\n".join(
        [
            "# A ball action spotting model",
            "",
            f"Made with bas {config['bas']}. {use}",
            "",
            *lines,
            f"- **Classes**: {', '.join(config['classes'])}",
            *_post_processing_lines(config),
            *(f"- **{key}**: {value}" for key, value in {**config["data"], **config["metrics"]}.items()),
            "",
            "```json",
            json.dumps(config["settings"], indent=1),
            "```",
            "",
        ]
    )


def _single_model_lines(config: Mapping[str, Any]) -> tuple[str, list[str]]:
    extract = config["settings"]["extract"]
    channels, height, width = config["row_shape"]
    if config["reads"] == "luma":
        use = _PREDICT
        encoder = (
            f"{extract['encoder']}, pictures of {extract['width']}x{extract['height']}, a row every "
            f"{extract['hop']} frames at {extract['clock']} fps, grid {height}x{width}"
        )
    else:
        use = "It takes feature vectors of another network as (batch, rows, channels): `bas.load_model(THIS_FOLDER)`."
        encoder = (
            f"none; {channels} values per row, a row every {extract['hop']} frames at {extract['clock']} fps"
        )
    return use, [f"- **Encoder**: {encoder}", f"- **Head**: {config['settings']['head']['kind']}"]


def _ensemble_lines(config: Mapping[str, Any]) -> tuple[str, list[str]]:
    members = [f"{member['folder']} ({member['weight']:.2f})" for member in config["members"]]
    use = "Its scores are the weighted mean of those of the models in `members`. " + _PREDICT
    return use, [f"- **Members and weights**: {', '.join(members)}"]


def _post_processing_lines(config: Mapping[str, Any]) -> list[str]:
    peaks = PeaksSettings.model_validate(config["settings"]["peaks"])
    lines = [f"- **Post-processing**: {describe_settings(peaks)}"]
    lines += [f"  - {action}: {describe_settings(own)}" for action, own in peaks.classes.items()]
    if peaks.confidences:
        lines.append(f"  - calibrated confidences: {', '.join(peaks.confidences)}")
    if peaks.thresholds:
        shown = ", ".join(f"{action} {threshold:g}" for action, threshold in peaks.thresholds.items())
        lines.append(f"  - display thresholds: {shown}")
    tuning = config.get("tuning")
    if tuning is not None:
        lines.append(
            f"  - tuned on {len(tuning['games'])} validation matches: mAP@1 from "
            f"{tuning['mAP@1 before']:.4f} to {tuning['mAP@1']:.4f}"
        )
    return lines
