"""Settings from YAML presets and `--set`, with one error that lists every mistake.

A preset may set any subset of the settings; the others keep their defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import ValidationError

from bas.config.heads import HEAD_KINDS
from bas.config.mistakes import describe
from bas.config.pipeline import Pipeline
from bas.config.renamed import upgrade
from bas.config.strict_yaml import parse_yaml
from bas.errors import DataError, SettingsError
from bas.files import read_file

Stage = Literal["extract", "heads", "finetune"]
STAGES: tuple[Stage, ...] = get_args(Stage)

_COMMAND_LINE = "the command line"
_MAX_YAML_BYTES = 1 << 20
_FOLDER = Path(__file__).parent.parent / "configs"


def load(
    stage: Stage,
    *,
    head: str | None = None,
    base: Pipeline | None = None,
    preset: str | None = None,
    sets: Iterable[str] = (),
) -> Pipeline:
    """Build the settings of one command; later sources override earlier ones.

    The order is: defaults or `base`, the preset of the head, `preset`, then each of `sets`.

    A preset called NAME is `configs/<stage>/NAME.yaml` of this stage or an earlier one. Where
    `configs/NAME/` is a folder (tiny), it is that folder's files for all stages up to this one.
    A NAME with a dot or slash is the path of a YAML file. With `base`, only presets of this stage apply.

    Args:
        stage: stage that the command runs.
        head: name of a preset in `configs/heads`.
        base: settings of the model that the command starts from.
        preset: name of a preset, or path of a YAML file.
        sets: assignments such as `extract.hop=2`.

    Raises:
        SettingsError: lists every mistake.
    """
    merged: dict[str, Any] = base.model_dump(mode="json") if base is not None else {}
    files = _named("heads", name=head) if head is not None else []
    # `base` has been through the earlier stages, with settings of its own.
    upto = (stage,) if base is not None else STAGES[: STAGES.index(stage) + 1]
    files += _preset_files(upto, preset) if preset is not None else []
    for file in files:
        _overlay(merged, _read_preset(file))
    assignments = list(sets)  # read twice
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"Invalid --set {assignment}. Expected KEY=VALUE, for example extract.hop=2.")
        nested = parse_yaml(value, source=f"--set {assignment}")
        for part in reversed(key.strip().split(".")):
            nested = {part: nested}
        _overlay(merged, nested)
    if head is not None:
        _require_kind(head, merged)
    return parse(merged, source=str(files[-1]) if files and not assignments else _COMMAND_LINE)


def parse(values: Mapping[str, Any], *, source: str) -> Pipeline:
    """Validate settings; error messages name `source` as their origin.

    Raises:
        SettingsError: lists every mistake.
    """
    try:
        return Pipeline.model_validate(values)
    except ValidationError as error:
        preposition = "on" if source == _COMMAND_LINE else "in"
        lines = map(describe, error.errors())
        raise SettingsError(
            "\n  ".join([f"Invalid settings {preposition} {source}:", *lines])
            + "\n`bas settings NAME` prints the type, default, range and meaning of a setting or section."
        ) from error


def to_yaml(settings: Pipeline) -> str:
    """All settings as YAML, to be read back with `read_yaml` and `parse`."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping strictly: duplicate keys are refused, and `no` stays a string.

    Raises:
        SettingsError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        content = read_file(path, limit_bytes=_MAX_YAML_BYTES)
        value = parse_yaml(content.decode(), source=str(path))
    except (OSError, DataError, UnicodeDecodeError) as error:
        raise SettingsError(f"Cannot read {path}: {error}.") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SettingsError(f"{path} is not a mapping of settings, but a {type(value).__name__}.")
    return value


def _read_preset(file: Path) -> dict[str, Any]:
    """A preset; the settings.yaml of a run may be older than the current names of its keys."""
    values = read_yaml(file)
    # Known by its neighbor and not by asking bas.runs, which lies above this room.
    is_stored = file.name == "settings.yaml" and (file.parent / "STATUS.json").is_file()
    return upgrade(values) if is_stored else values


def _preset_files(upto: Sequence[Stage], preset: str) -> list[Path]:
    if "." in preset or "/" in preset:
        return [Path(preset)]
    folder = _FOLDER / preset
    if preset not in STAGES and folder.is_dir():
        return [file for name in upto if (file := folder / f"{name}.yaml").is_file()]
    return _named(*upto, name=preset)


def _named(*stages: Stage, name: str) -> list[Path]:
    """Files of the preset `name` in those of `stages` that have one."""
    files = [file for stage in stages if (file := _FOLDER / stage / f"{name}.yaml").is_file()]
    if not files:
        names = sorted(path.stem for stage in stages for path in (_FOLDER / stage).glob("*.yaml"))
        names += sorted({path.parent.name for path in _FOLDER.glob("*/*.yaml")} - {*STAGES})
        near = difflib.get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Available: {', '.join(names)}."
        raise SettingsError(f"Unknown {stages[-1]} preset {name!r}. {hint}")
    return files


def _require_kind(head: str, merged: Mapping[str, Any]) -> None:
    """Refuse settings whose head is of another kind than the requested one."""
    (file,) = _named("heads", name=head)
    kind, found = read_yaml(file)["head"]["kind"], merged["head"]
    changed = found.get("kind") if isinstance(found, dict) else None
    if changed != kind and changed in HEAD_KINDS:
        raise SettingsError(
            f"{head} is a head of kind {kind}, but the preset or --set changes it to {changed}. "
            f"Use that head instead: bas fit-head {changed}."
        )


def _overlay(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            # A copy: a later source must not change what this one holds.
            base[key] = dict(value) if isinstance(value, Mapping) else value
