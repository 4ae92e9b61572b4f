"""A model as it is shared: model.safetensors, config.json and a card, enough to predict on any video."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

import bas
from bas.config import PeaksSettings, Pipeline, parse
from bas.errors import DataError, MissingError
from bas.extract.encoder import Encoder
from bas.files import atomic_write, read_json, write_json
from bas.heads.build import build_head
from bas.heads.stacker import RowModel, Stacker
from bas.heads.targets import task_of

_FORMAT = 1


def write_model(
    folder: Path, model: Stacker | RowModel, *, metrics: Mapping[str, Any], data: Mapping[str, Any]
) -> None:
    """Write a model folder.

    Args:
        folder: to write to; files of those names are replaced.
        model: encoder and head, or a head alone.
        metrics: how well it did on the validation matches, for the card.
        data: what it was trained on, for the card.
    """
    atomic_write(folder / "model.safetensors", save_tensors(_tensors(model)))
    config = {
        "format": _FORMAT,
        "bas": bas.__version__,
        "reads": "luma" if isinstance(model, Stacker) else "rows",
        "row_shape": list(model.head.row_shape),
        "classes": list(model.classes),
        "settings": model.settings.model_dump(mode="json"),
        "metrics": dict(metrics),
        "data": dict(data),
    }
    write_json(folder / "config.json", config)
    atomic_write(folder / "README.md", _card(config).encode())


def load_model(folder: str | Path, *, device: str = "cpu") -> Stacker | RowModel:
    """The model in a run or model folder, ready to predict.

    Its `settings` say what it reads, its `classes` what it says; it is a `SpottingModel`, and a
    module. A `Stacker` takes luma in [0, 1] as (batch, ticks, height, width), ticks being `ticks`; a
    `RowModel`, which some imported weights are, takes vectors as (batch, rows, channels).

    Raises:
        MissingError: the folder holds no model.
        DataError: its files are damaged or do not fit together.
    """
    folder = Path(folder)
    if not (folder / "model.safetensors").is_file():
        raise MissingError(
            f"{folder} holds no model.safetensors: it is no model, or its run is not finished. Give the folder "
            "of a finished run."
        )
    model = _empty_model(folder)
    try:
        model.load_state_dict(load_tensors((folder / "model.safetensors").read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise DataError(f"{folder}/model.safetensors does not fit its config.json: {error}.") from error
    model.folder = folder
    return model.to(device).eval()


def keep_peaks(folder: Path, peaks: PeaksSettings, *, gained: float) -> None:
    """Change the post-processing of a model, in its config.json and its card.

    Args:
        folder: of the model.
        peaks: of every later use.
        gained: mAP@1 on the validation matches, for the card.
    """
    settings = settings_of(folder).model_copy(update={"peaks": peaks})
    config = read_json(folder / "config.json")
    config["settings"] = settings.model_dump(mode="json")
    config["metrics"]["gained by post-processing on validation"] = gained
    write_json(folder / "config.json", config)
    atomic_write(folder / "README.md", _card(config).encode())


def settings_of(folder: str | Path) -> Pipeline:
    """Settings of the model in a folder; its weights are not read.

    Raises:
        MissingError: the folder holds no model.
        DataError: its config.json is of another format.
    """
    return _described(Path(folder) / "config.json").settings


def classes_of(folder: str | Path) -> tuple[str, ...]:
    """Names of the scores of the model in a folder; raises as `settings_of`."""
    return _described(Path(folder) / "config.json").classes


@dataclass(frozen=True, slots=True)
class _Description:
    """What config.json says."""

    settings: Pipeline
    classes: tuple[str, ...]
    reads: Literal["luma", "rows"]
    row_shape: tuple[int, int, int]


def _described(source: Path) -> _Description:
    match read_json(source):
        case {
            "format": found,
            "settings": dict(values),
            "classes": [*names],
            "reads": "luma" | "rows" as reads,
            "row_shape": [int(channels), int(height), int(width)],
        } if found == _FORMAT:
            settings = parse(values, source=str(source))
            return _Description(settings, tuple(map(str, names)), reads, (channels, height, width))
        case _:
            raise DataError(
                f"{source} is not that of a model of format {_FORMAT}: update bas, or copy it again."
            )


def _empty_model(folder: Path) -> Stacker | RowModel:
    """What config.json describes, with drawn weights."""
    told = _described(folder / "config.json")
    settings, classes = told.settings, told.classes
    actions = len(classes) if settings.fit.teams == "none" else len(classes) // 2
    head = build_head(
        settings.head,
        told.row_shape,
        task_of(settings, actions=actions),
        row_rate=settings.extract.row_rate,
    )
    if told.reads == "rows":
        return RowModel(head, settings=settings, classes=classes)
    return Stacker(Encoder(settings.extract.encoder), head, settings=settings, classes=classes)


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}


def _card(config: Mapping[str, Any]) -> str:
    extract, peaks = config["settings"]["extract"], config["settings"]["peaks"]
    channels, height, width = config["row_shape"]
    if config["reads"] == "luma":
        use = "Predict on any video: `bas predict match.mp4 --model THIS_FOLDER`."
        encoder = (
            f"{extract['encoder']}, pictures of {extract['width']} x {extract['height']}, a row every "
            f"{extract['hop']} ticks at {extract['clock']} a second, grid {height}x{width}"
        )
    else:
        use = "It reads vectors of another network: `bas.load_model(THIS_FOLDER)`, then (batch, rows, channels)."
        encoder = f"none; {channels} values a row, a row every {extract['hop']} ticks at {extract['clock']} a second"
    return "\n".join(
        [
            "# A ball action spotting model",
            "",
            f"Made with bas {config['bas']}. {use}",
            "",
            f"- **Encoder**: {encoder}",
            f"- **Head**: {config['settings']['head']['kind']}",
            f"- **Classes**: {', '.join(config['classes'])}",
            (
                f"- **Post-processing**: Gaussian of {peaks['sigma']} ticks, {peaks['method']} from {peaks['height']}, "
                f"{peaks['distance']} ticks; {len(peaks['per_class'])} classes otherwise"
            ),
            *(f"- **{key}**: {value}" for key, value in {**config["data"], **config["metrics"]}.items()),
            "",
            "```json",
            json.dumps(config["settings"], indent=1),
            "```",
            "",
        ]
    )
