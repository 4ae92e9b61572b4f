"""A model as it is shared: model.safetensors, config.json and a card, enough to predict on any video."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

import bas
from bas.config import PeaksSettings, Pipeline, parse
from bas.errors import DataError, MissingError
from bas.evaluate.search import Tuning
from bas.extract.encoder import Encoder
from bas.files import atomic_write, read_json, write_json
from bas.heads.build import build_head
from bas.heads.card import card
from bas.heads.stacker import RowModel, Stacker
from bas.heads.targets import task_of
from bas.runs import run_state

FORMAT = 1
MODEL_FILES = "model.safetensors", "config.json", "README.md"
"""All that a model needs."""


def write_model(
    folder: Path,
    model: Stacker | RowModel,
    *,
    metrics: Mapping[str, Any],
    data: Mapping[str, Any],
    learned: Iterable[str] = (),
    tuning: Tuning | None = None,
) -> None:
    """Write a model folder.

    Args:
        folder: to write to; files of those names are replaced.
        model: encoder and head, or a head alone.
        metrics: how well it did on the validation matches, for the card.
        data: what it was trained on, for the card.
        learned: ids of the games that it learned from, so that none of them judges it later.
        tuning: post-processing found on the validation matches, to be used instead of that of the settings.
    """
    atomic_write(folder / "model.safetensors", save_tensors(_tensors(model)))
    config = {
        "format": FORMAT,
        "bas": bas.__version__,
        "reads": "luma" if isinstance(model, Stacker) else "rows",
        "row_shape": list(model.head.row_shape),
        "classes": list(model.classes),
        "settings": model.settings.model_dump(mode="json"),
        "metrics": dict(metrics),
        "data": dict(data),
        "learned": sorted(learned),
    }
    write_config(folder, config if tuning is None else tuned(config, tuning))


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json says, of a model or of several merged.

    Raises:
        MissingError: the folder holds no model.
        DataError: it is of another format.
    """
    source = folder / "config.json"
    if not source.is_file():
        raise MissingError(_no_model(folder))
    match read_json(source):
        case {"format": found, "settings": dict(), "classes": [*_]} as config if found == FORMAT:
            return dict(config)
        case _:
            raise DataError(
                f"{source} is not that of a model of format {FORMAT}: update bas, or copy it again."
            )


def settings_of(folder: str | Path) -> Pipeline:
    """Settings that the model in a folder was made with, post-processing as it was before any was found.

    Its weights are not read. Raises as `read_config`.
    """
    config = read_config(Path(folder))
    settings = parse(config["settings"], source=f"{folder}/config.json")
    untuned = untuned_peaks(config)
    return settings if untuned is None else settings.model_copy(update={"peaks": untuned})


def learned_games(folder: Path) -> frozenset[str]:
    """Ids of the games that the model in a folder learned from, as far as it is known; raises as `read_config`."""
    return frozenset(map(str, read_config(folder).get("learned", ())))


def classes_of(folder: str | Path) -> tuple[str, ...]:
    """Names of the scores of the model in a folder; raises as `read_config`."""
    return tuple(map(str, read_config(Path(folder))["classes"]))


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write config.json and the card; one that was there is replaced whole."""
    write_json(folder / "config.json", dict(config))
    atomic_write(folder / "README.md", card(config).encode())


def tuned(config: Mapping[str, Any], tuning: Tuning) -> dict[str, Any]:
    """A model's config.json with post-processing that was found, what was there before, and the gain."""
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


def untuned_peaks(config: Mapping[str, Any]) -> PeaksSettings | None:
    """The post-processing before any was found; None where none was."""
    tuning = config.get("tuning")
    return None if tuning is None else PeaksSettings.model_validate(tuning["before"])


def load_single(folder: Path, *, device: str) -> Stacker | RowModel:
    """The one model in a folder, not merged of several.

    Raises:
        MissingError: the folder holds no model.
        DataError: its files are damaged or do not fit together.
    """
    if not (folder / "model.safetensors").is_file():
        raise MissingError(
            f"{folder} holds no model.safetensors: it is no model, or its run is not finished. Give the folder "
            "of a finished run."
        )
    config = read_config(folder)
    model = _empty_model(config, source=str(folder / "config.json"))
    try:
        model.load_state_dict(load_tensors((folder / "model.safetensors").read_bytes()))
    except (SafetensorError, RuntimeError) as error:
        raise DataError(f"{folder}/model.safetensors does not fit its config.json: {error}.") from error
    model.folder = folder
    model.untuned = untuned_peaks(config)
    return model.to(device).eval()


def _no_model(folder: Path) -> str:
    """Why a folder is no model, and what to name instead."""
    runs = folder if folder.is_dir() else Path(os.environ.get("BAS_RUNS", "runs"))
    models = sorted(path.parent for path in runs.glob("*/config.json"))
    if not folder.is_dir():
        near = difflib.get_close_matches(folder.name, [model.name for model in models], 1)
        hint = f" Did you mean {runs / near[0]}?" if near else _named(models)
        return f"{folder} is not there.{hint}"
    if run_state(folder) is not None:
        return f"{folder} is a run that is not finished. Give the command that began it again."
    return f"{folder} holds no config.json: it is no model.{_named(models)}"


def _named(models: Sequence[Path]) -> str:
    return f" There are {', '.join(map(str, models[:5]))}." if models else ""


def _empty_model(config: Mapping[str, Any], *, source: str) -> Stacker | RowModel:
    """What config.json describes, with drawn weights."""
    match config:
        case {"reads": "luma" | "rows" as reads, "row_shape": [int(channels), int(height), int(width)]}:
            settings = parse(config["settings"], source=source)
            classes = tuple(map(str, config["classes"]))
        case _:
            raise DataError(f"{source} is not that of one model: update bas, or copy it again.")
    actions = len(classes) if settings.fit.teams == "none" else len(classes) // 2
    head = build_head(
        settings.head,
        (channels, height, width),
        task_of(settings, actions=actions),
        row_rate=settings.extract.row_rate,
    )
    if reads == "rows":
        return RowModel(head, settings=settings, classes=classes)
    return Stacker(Encoder(settings.extract.encoder), head, settings=settings, classes=classes)


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
