"""What messages advise exists: each command, its options and its settings, named where the user can pass them."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from bas.cli import app
from bas.config import load
from bas.errors import SettingsError

_ROOT = Path(__file__).parents[1]
_PACKAGES = "bas", "extract", "heads", "evaluate"
_COMMANDS: Any = typer.main.get_command(app)
_PROSE = {
    "and", "beside", "can", "computes", "features", "from", "has", "is", "knows", "model", "of", "or", "reads", "requires", "rows",
    "to", "was", "whatever", "with", "writes",
}  # fmt: skip
"""Words that follow the name of the program in a sentence; any other word must be a command."""
_WITH_SETTINGS = ("bas/config", "bas/commands/training", "heads/training", "heads/finetune", "heads/models")
"""Code that only commands with `--set` reach; everything else is reached from predict, clips or eval, too."""
_HOLE = "X1"
"""Stands for a value that is known when the message is printed."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text of the program that is no docstring."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@cache
def messages() -> tuple[Message, ...]:
    """All texts that mention a command or a setting."""
    found = [
        message
        for package in _PACKAGES
        for path in sorted((_ROOT / package).rglob("*.py"))
        for message in _texts(path)
    ]
    return tuple(one for one in found if re.search(r"--set|\bbas [a-z]", one.text))


def _texts(path: Path) -> Iterator[Message]:
    tree = ast.parse(path.read_text("utf-8"))
    # Statements that are nothing but a string are docstrings; parts of an f-string belong to the whole.
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if id(node) not in skipped and (text := _text(node)):
            yield Message(str(path.relative_to(_ROOT)), node.lineno, text)  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(_text(one) if isinstance(one, ast.Constant) else _HOLE for one in values)
        case _:
            return ""


def advised(text: str) -> Iterator[list[str]]:
    """Name and options of each command of bas that a text mentions."""
    for rest in re.split(r"\bbas (?=[a-z])", text)[1:]:
        name, *words = re.match(r"[^`\n]*", rest)[0].split()  # type: ignore[index]
        if name.rstrip(".,;:)") in _PROSE:
            continue
        command = [name]
        for word in words:
            if command[-1].endswith((".", ",", ";", ":", ")")):
                break
            command.append(word)
        yield [word.rstrip(".,;:)'\"") for word in command]


def options_of(command: Any) -> set[str]:
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}


def test_the_texts_of_the_program_are_found() -> None:
    assert len(messages()) > 60
    assert sum("--set" in one.text for one in messages()) > 20


@pytest.mark.parametrize("message", messages(), ids=str)
def test_advised_commands_and_their_options_exist(message: Message) -> None:
    for name, *words in advised(message.text):
        assert name in _COMMANDS.commands, f"there is no command bas {name}"
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= options_of(_COMMANDS.commands[name]), f"bas {name} does not take {given}"


@pytest.mark.parametrize("message", [one for one in messages() if "`bas " in one.text], ids=str)
def test_commands_in_backquotes_parse_as_they_stand(message: Message) -> None:
    group = _COMMANDS.make_context("bas", ["--help"], resilient_parsing=True)
    for line in re.findall(r"`bas ([^`]+)`", message.text):
        name, *rest = shlex.split(line)
        try:
            _COMMANDS.commands[name].make_context(name, rest, parent=group)
        except Exception as error:  # noqa: BLE001  (of the copy of click that typer uses)
            text = str(getattr(error, "format_message", lambda: error)())
            assert re.match(r"Missing (argument|option|parameter)", text), f"bas {line}: {text}"


@pytest.mark.parametrize("message", [one for one in messages() if "--set " in one.text], ids=str)
def test_advised_settings_exist_and_are_named_with_a_command_that_takes_them(message: Message) -> None:
    settings = re.findall(r"--set '?([a-z_]+\.[\w.]+)=([^\s,;)'\"]*)", message.text)
    for key, value in settings:
        value = value.rstrip(".")
        sample = "2" if value in (_HOLE, "", "..") or value.isupper() else value
        problem = _problem(f"{key}={sample}")
        assert "no such setting" not in problem, problem
        assert sample == "2" or not problem, problem
    if settings and not message.path.startswith(_WITH_SETTINGS):
        named = [name for name, *_ in advised(message.text)]
        takes = [name for name in named if "--set" in options_of(_COMMANDS.commands[name])]
        assert takes, f"{message.text!r} reaches commands without --set: say which command takes it"


def _problem(setting: str) -> str:
    """Why no stage takes a setting; empty if one does."""
    problems = []
    for head in ("netvlad", "sgp"):
        base = load("heads", head=head)
        for stage, given in (("heads", {"head": head}), ("finetune", {"base": base}), ("extract", {})):
            try:
                load(stage, sets=[setting], **given)  # type: ignore[arg-type]
            except SettingsError as error:
                problems.append(str(error))
            else:
                return ""
    return "\n".join(problems)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "Fit one: bas fit-head netvlad --set fit.epochs=2.",
            ["fit-head", "netvlad", "--set", "fit.epochs=2"],
        ),
        ("Run `bas evaluate` again.", ["evaluate"]),
        ("Pass --run RUN to bas predict, or wait.", ["predict"]),
    ],
)
def test_a_command_is_read_out_of_a_sentence(text: str, words: list[str]) -> None:
    (found,) = advised(text)
    assert found == words
