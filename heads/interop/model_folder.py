"""Model folders: model.safetensors, config.json and a model card, enough to predict on any video."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import save as save_tensors

import bas
from bas.config import Pipeline, PostprocessSettings, parse, upgrade
from bas.errors import DataError, MissingError
from bas.evaluate.postprocess.search import Tuning, describe_settings
from bas.extract.encode.encoder import bare_encoder
from bas.files import atomic_write, read_json, write_json
from bas.guarded.tensors import load_tensors
from bas.heads.interop.config_schema import is_model_config
from bas.heads.models.factory import build_head
from bas.heads.models.outputs import task_of
from bas.heads.models.stacker import FeatureModel, Stacker
from bas.messages import counted
from bas.runs import run_state

FORMAT = 2

"""Format of config.json; format 1 stores some settings under their former names."""

MODEL_FILES = "model.safetensors", "config.json", "README.md"

"""Files of a model folder."""


def write_model(
    folder: Path,
    model: Stacker | FeatureModel,
    *,
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    trained_on: Iterable[str] = (),
    tuning: Tuning | None = None,
) -> None:
    """Write a model folder.

    Args:
        folder: folder to write to; existing files of a model are replaced.
        model: encoder and head, or a head without encoder.
        metrics: validation results, for the card.
        data: description of the training data, for the card.
        trained_on: ids of the training games, so that none of them evaluates the model later.
        tuning: tuned post-processing, which replaces that of the settings.
    """
    # Written before config.json, which marks a folder as a model.
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    content = save_tensors(tensors)
    atomic_write(folder / "model.safetensors", content)
    config = {
        "format": FORMAT,
        "bas": bas.__version__,
        "sha256": hashlib.sha256(content).hexdigest(),
        "reads": "luma" if isinstance(model, Stacker) else "rows",
        "row_shape": list(model.head.row_shape),
        "classes": list(model.classes),
        "settings": model.settings.model_dump(mode="json"),
        "metrics": dict(metrics),
        "data": dict(data),
        "learned": sorted(trained_on),
    }
    write_config(folder, config if tuning is None else with_tuning(config, tuning))


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config.json of a model or an ensemble, in the present format.

    Raises:
        MissingError: the folder holds no model.
        DataError: config.json is damaged or has an unknown format.
    """
    source = folder / "config.json"
    if not source.is_file():
        raise MissingError(_no_model(folder))
    config: dict[str, Any] = {}
    match read_json(source):
        case {"format": found} as recorded if found == FORMAT:
            config = dict(recorded)
        case {"format": 1, "settings": dict()} as recorded:
            config = _upgraded(recorded)
    if not is_model_config(config):
        raise DataError(
            f"{source} does not describe a model in format {FORMAT}. Update bas, or copy the folder again."
        )
    return config


def load_settings(folder: str | Path) -> Pipeline:
    """Read the settings of the model in a folder, with the post-processing that it had before tuning.

    The weights are not read. Raises as `read_config`.
    """
    config = read_config(Path(folder))
    settings = parse(config["settings"], source=f"{folder}/config.json")
    base = base_postprocess(config)
    return settings if base is None else settings.model_copy(update={"peaks": base})


def training_games(folder: Path) -> frozenset[str]:
    """Ids of the games that the model in a folder was trained on, as far as known; raises as `read_config`."""
    return frozenset(map(str, read_config(folder).get("learned", ())))


def load_classes(folder: str | Path) -> tuple[str, ...]:
    """Read the names of the score columns of the model in a folder; raises as `read_config`."""
    return tuple(map(str, read_config(Path(folder))["classes"]))


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write config.json and the card; each replaces an existing file atomically."""
    write_json(folder / "config.json", dict(config))
    atomic_write(folder / "README.md", model_card(config).encode())


def with_tuning(config: Mapping[str, Any], tuning: Tuning) -> dict[str, Any]:
    """Copy a config with tuned post-processing, the post-processing before it, and the gain in mAP@1."""
    return {
        **config,
        "settings": {**config["settings"], "peaks": tuning.after.model_dump(mode="json")},
        "tuning": {
            "games": list(tuning.games),
            "mAP@1 before": tuning.mean_before,
            "mAP@1 tuned": tuning.mean_tuned,
            "mAP@1": tuning.mean_after,
            "before": tuning.before.model_dump(mode="json"),
        },
    }


def base_postprocess(config: Mapping[str, Any]) -> PostprocessSettings | None:
    """Post-processing of a config before tuning; None if it was never tuned.

    Raises:
        SettingsError: it is invalid.
    """
    tuning = config.get("tuning")
    return (
        None
        if tuning is None
        else parse({"peaks": tuning["before"]}, source="the tuning of config.json").peaks
    )


def load_single_model(folder: Path, *, device: str) -> Stacker | FeatureModel:
    """Load the model in a folder that holds a single one, not an ensemble.

    Raises:
        MissingError: the folder holds no model.
        DataError: its files are damaged or inconsistent.
    """
    if not (folder / "model.safetensors").is_file():
        raise MissingError(
            f"Missing model.safetensors in {folder}: not a model folder, or its run is not finished. Use the folder of "
            "a finished run."
        )
    config = read_config(folder)
    model = _build_model(config, source=str(folder / "config.json"))
    tensors = load_tensors(folder / "model.safetensors")
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(f"{folder}/model.safetensors does not match its config.json: {error}.") from error
    model.folder = folder
    model.base_postprocess = base_postprocess(config)
    return model.to(device).eval()


def _upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a config of format 1 to the present format."""
    upgraded = {**config, "format": FORMAT, "settings": upgrade(config["settings"])}
    match config:
        case {"tuning": {"before": dict(before)} as tuning}:
            upgraded["tuning"] = {**tuning, "before": upgrade(before, section=("peaks",))}
    return upgraded


def _no_model(folder: Path) -> str:
    """Message that explains why a folder is not a model, and suggests another."""
    runs = folder if folder.is_dir() else Path(os.environ.get("BAS_RUNS", "runs"))
    models = sorted(path.parent for path in runs.glob("*/config.json"))
    if not folder.is_dir():
        near = difflib.get_close_matches(folder.name, [model.name for model in models], 1)
        hint = f" Did you mean {runs / near[0]}?" if near else _available_models(models)
        return f"{folder} does not exist.{hint}"
    if run_state(folder) is not None:
        return f"{folder} is a run that is not finished. Repeat the command that started it."
    return f"{folder} is not a model folder: config.json is missing. Name the folder of a finished run or of a model.{_available_models(models)}"


def _available_models(models: Sequence[Path]) -> str:
    return f" Available models: {', '.join(map(str, models[:5]))}." if models else ""


def _build_model(config: Mapping[str, Any], *, source: str) -> Stacker | FeatureModel:
    """Build the model that a config describes, with random weights."""
    match config:
        case {"reads": "luma" | "rows" as reads, "row_shape": [int(channels), int(height), int(width)]}:
            settings = parse(config["settings"], source=source)
            classes = tuple(map(str, config["classes"]))
        case _:
            raise DataError(
                f"{source} does not describe a single model. Update bas, or copy the folder again."
            )
    actions = len(classes) if settings.fit.teams == "none" else len(classes) // 2
    head = build_head(
        settings.head,
        (channels, height, width),
        task_of(settings, actions=actions),
        row_rate=settings.extract.row_rate,
    )
    if reads == "rows":
        return FeatureModel(head, settings=settings, classes=classes)
    return Stacker(bare_encoder(settings.extract), head, settings=settings, classes=classes)


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
    postprocess = PostprocessSettings.model_validate(config["settings"]["peaks"])
    lines = [f"- **Post-processing**: {describe_settings(postprocess)}"]
    lines += [f"  - {action}: {describe_settings(own)}" for action, own in postprocess.classes.items()]
    if postprocess.confidences:
        lines.append(f"  - calibrated confidences: {', '.join(postprocess.confidences)}")
    if postprocess.thresholds:
        shown = ", ".join(f"{action} {threshold:g}" for action, threshold in postprocess.thresholds.items())
        lines.append(f"  - display thresholds: {shown}")
    tuning = config.get("tuning")
    if tuning is not None:
        lines.append(
            f"  - tuned on {counted(len(tuning['games']), 'validation match')}: mAP@1 from "
            f"{tuning['mAP@1 before']:.4f} to {tuning['mAP@1']:.4f}"
        )
    return lines
