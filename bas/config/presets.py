"""Settings from YAML presets and `--set`, every mistake reported at once.

A preset holds any part of the settings; what it leaves out keeps its default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import ValidationError

from bas.config.settings import Pipeline
from bas.errors import SettingsError

Stage = Literal["extract", "heads", "finetune"]
STAGES: tuple[Stage, ...] = get_args(Stage)

_FOLDER = Path(__file__).parent.parent / "configs"


def load(
    stage: Stage,
    *,
    head: str | None = None,
    base: Pipeline | None = None,
    preset: str | None = None,
    sets: Iterable[str] = (),
) -> Pipeline:
    """Settings of one command: defaults or those of a model, the head's preset, `--preset`, then each `--set`.

    A preset NAME is `configs/<stage>/NAME.yaml` of this stage or one before it; or, where
    `configs/NAME/` is a folder (tiny), its files of every stage up to this one; or, with a dot or
    slash in it, a YAML file of the user's. On top of a model's settings, `base`, a name means this stage's
    alone.

    Raises:
        SettingsError: with every mistake at once.
    """
    merged: dict[str, Any] = base.model_dump(mode="json") if base is not None else {}
    files = _named("heads", name=head) if head is not None else []
    upto = (stage,) if base is not None else STAGES[: STAGES.index(stage) + 1]
    files += _preset_files(upto, preset) if preset is not None else []
    for file in files:
        _overlay(merged, read_yaml(file))
    assignments = list(sets)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"--set {assignment} is not of the form key=value, as in extract.hop=2.")
        nested = _parse_yaml(value, source=f"--set {assignment}")
        for part in reversed(key.strip().split(".")):
            nested = {part: nested}
        _overlay(merged, nested)
    if head is not None:
        _require_kind(head, merged)
    return parse(merged, source=str(files[-1]) if files and not assignments else "The command line")


def parse(values: Mapping[str, Any], *, source: str) -> Pipeline:
    """Check settings; `source` names them in messages."""
    try:
        return Pipeline.model_validate(values)
    except ValidationError as error:
        lines = [f"{source} does not describe a run:"]
        for problem in error.errors():
            stage, *rest = map(str, problem["loc"])
            kind = len(rest) > 1  # pydantic names the kind of a head before its setting
            where = ".".join([stage, *(rest[1:] if stage == "head" and kind else rest)])
            wrong = "no such setting" if problem["type"] == "extra_forbidden" else problem["msg"]
            lines.append(f"  {where}: {wrong}, got {problem['input']!r}{_suggestion(where)}")
        raise SettingsError("\n".join(lines)) from error


def to_yaml(settings: Pipeline) -> str:
    """The whole of the settings, as `read_yaml` and `parse` read them."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping, read strictly: no duplicate keys, and `no` stays a word.

    Raises:
        SettingsError: the file is missing, or not a mapping in YAML.
    """
    try:
        value = _parse_yaml(path.read_text("utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SettingsError(f"{path} holds a {type(value).__name__}, not a mapping of settings.")
    return value


def _preset_files(upto: Sequence[Stage], preset: str) -> list[Path]:
    if "." in preset or "/" in preset:
        return [Path(preset)]
    folder = _FOLDER / preset
    if preset not in STAGES and folder.is_dir():
        return [file for name in upto if (file := folder / f"{name}.yaml").is_file()]
    return _named(*upto, name=preset)


def _named(*stages: Stage, name: str) -> list[Path]:
    """The preset of that name in each of these stages that has one."""
    files = [file for stage in stages if (file := _FOLDER / stage / f"{name}.yaml").is_file()]
    if not files:
        names = sorted(path.stem for stage in stages for path in (_FOLDER / stage).glob("*.yaml"))
        names += [
            folder.name
            for folder in _FOLDER.iterdir()
            if folder.is_dir() and folder.name not in (*STAGES, "__pycache__")
        ]
        near = difflib.get_close_matches(name, names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(names)}."
        raise SettingsError(f"There is no {stages[-1]} preset {name!r}. {hint}")
    return files


def _require_kind(head: str, merged: Mapping[str, Any]) -> None:
    """Refuse settings that make another head than the one that was asked for."""
    (file,) = _named("heads", name=head)
    kind, found = read_yaml(file)["head"]["kind"], merged["head"]
    if isinstance(found, dict) and found["kind"] != kind:
        raise SettingsError(
            f"{head} is a head of kind {kind}, and the preset or --set makes it {found['kind']}. Name that one "
            f"instead: bas fit-head {found['kind']}."
        )


def _overlay(base: dict[str, Any], top: Mapping[str, Any]) -> None:
    for key, value in top.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = dict(value) if isinstance(value, Mapping) else value


def _suggestion(where: str) -> str:
    known = [f"{s}.{f}" for s, field in Pipeline.model_fields.items() for f in _fields_of(field.annotation)]
    known += Pipeline.model_fields
    if where in known:
        return ""
    near = difflib.get_close_matches(where, known, 1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _fields_of(annotation: Any) -> set[str]:
    models = get_args(annotation) or (annotation,)
    return {field for model in models for field in getattr(model, "model_fields", {})}


class _StrictLoader(yaml.SafeLoader):
    """YAML with the booleans of version 1.2, without dates, and without duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"the key {key!r} stands twice{node.start_mark}")
        return super().construct_mapping(node, deep)


_UNWANTED = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _UNWANTED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(_UNWANTED[0], re.compile(r"true|false"), list("tf"))


def _parse_yaml(text: str, *, source: str) -> Any:
    try:
        return yaml.load(text, _StrictLoader)  # noqa: S506  (a subclass of the safe loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{source} is not YAML: {error}") from error
