"""The READMEs: their Python runs, their commands and settings exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bas.cli import app
from bas.config import load
from bas.errors import SettingsError

_ROOT = Path(__file__).parents[1]
_PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "extract/README.md",
    "heads/README.md",
    "evaluate/README.md",
    "configs/README.md",
    "tests/bench/README.md",
)
_HEADS = "netvlad", "blocks3d", "sgp", "gru", "linear"
_STAGES = {"extract": "extract", "fit-head": "heads", "finetune-e2e": "finetune", "contact-sheet": "finetune"}
"""Stage whose settings a command takes."""
_INCOMPLETE = r"Missing (argument|option|parameter)|.* requires an argument"
"""Errors about a command inside a sentence that are no mistake."""

_COMMANDS: Any = typer.main.get_command(app)


@dataclass(frozen=True, slots=True)
class _Command:
    """A command line of bas."""

    arguments: tuple[str, ...]
    """Name of the command and everything after it."""
    is_complete: bool
    """Whether it stands in a block of its own; one inside a sentence may leave arguments out."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which every path that the snippets name exists."""
    folder = tmp_path_factory.mktemp("home")
    data, features, runs = (str(folder / name) for name in ("data", "features", "runs"))
    places = ["--data", data, "--features", features]
    _bas("synth", data, "--matches", "1", "--minutes", "0.1", "--size", "112x64", "--layout", "folder")
    (video,) = (folder / "data").glob("*.mp4")
    for name, suffix in product(("second", "third"), (".mp4", ".json")):  # faster than rendering more matches
        shutil.copy(video.with_suffix(suffix), video.with_name(f"{name}{suffix}"))
    (folder / "data" / "splits.yaml").write_text(f"train: ['{video.stem}']\nvalid: [second]\ntest: [third]\n")
    small = ("fit.epochs=1", "fit.samples=64", "extract.height=64", "extract.width=112", "extract.grid=[2,3]")
    sets = [word for one in small for word in ("--set", one)]
    _bas("fit-head", "linear", *places, "--out", runs, "--preset", "tiny", *sets)
    (run,) = (folder / "runs").iterdir()
    (folder / "runs" / "netvlad-1a2b3c4d").symlink_to(run)
    _bas("eval", *places, "--run", str(run))
    cache = next((folder / "features").rglob("*.h5"))
    (folder / "features" / "...").mkdir()
    (folder / "features" / "..." / "720p.h5").symlink_to(cache)
    (folder / "match.mp4").symlink_to(video)
    return folder


def _bas(*arguments: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)


def _text(page: str) -> str:
    return (_ROOT / page).read_text("utf-8")


def _fenced(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of every fenced block."""
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        yield match[2], match[3]


def _block_lines(text: str) -> Iterator[str]:
    """Lines of fenced blocks without a language of their own, and of indented blocks; continued lines are joined."""
    for language, content in _fenced(text):
        if language in ("", "bash", "sh", "console"):
            yield from content.replace("\\\n", " ").splitlines()
    yield from re.findall(r"^ {4,}(.+)$", _without_fences(text).replace("\\\n", " "), re.MULTILINE)


def _without_fences(text: str) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _inline(text: str) -> list[str]:
    """Code inside sentences and tables."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", _without_fences(text))


def _commands(text: str) -> Iterator[_Command]:
    for line in _block_lines(text):
        if arguments := _arguments(line):
            yield _Command(arguments, is_complete=True)
    for code in _inline(text):
        if arguments := _arguments(code):
            yield _Command(arguments, is_complete=False)


def _arguments(line: str) -> tuple[str, ...]:
    """Arguments of bas in a line of shell; empty if the line does not call it."""
    if not re.search(r"\bbas\s", line):
        return ()
    words = [word for word in shlex.split(line, comments=True) if word != "$"]
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # variables of the environment
        del words[0]
    modules = [at for at, pair in enumerate(pairwise(words)) if pair == ("-m", "bas")]
    if words and words[0].rpartition("/")[2] == "bas":
        found = words[1:]
    elif modules:
        found = [word for word in words[modules[0] + 2 :] if word != "--"]
    else:
        return ()
    end = next((at for at, word in enumerate(found) if word in ("&", "&&", "|", ";", ">")), len(found))
    return tuple(found[:end])


def _parse(command: _Command) -> None:
    """Parse a command line without running it."""
    group = _COMMANDS.make_context("bas", ["--help"], resilient_parsing=True)
    name, *rest = command.arguments
    if name.startswith("-"):
        assert name in ("--help", "-h")
        return
    found = _COMMANDS.get_command(group, name)
    if found is None:
        pytest.fail(f"bas {shlex.join(command.arguments)}\nthere is no command {name}")
    try:
        found.make_context(name, rest, parent=group)
    except Exception as error:  # noqa: BLE001  (typer brings a copy of click along, or takes the installed one)
        if type(error).__name__ == "Exit":  # --help
            return
        message = str(getattr(error, "format_message", lambda: error)())
        if command.is_complete or not re.match(_INCOMPLETE, message):
            pytest.fail(f"bas {shlex.join(command.arguments)}\n{message}")


def _options(arguments: Sequence[str], name: str) -> list[str]:
    return [value for option, value in pairwise(arguments) if option == name]


def _problems(stage: str, *, heads: Sequence[str], **given: Any) -> str:
    """What is wrong with settings for a command; empty if one of `heads`, or of the runs with it, accepts them."""
    errors = []
    for head in heads:
        try:
            if stage == "finetune":
                load("finetune", base=load("heads", head=head), **given)
            elif stage == "heads":
                load("heads", head=head, **given)
            else:
                load("extract", **given)
        except SettingsError as error:
            errors.append(str(error))
        else:
            return ""
    return "\n".join(errors)


def _require_accepted(stage: str, *, heads: Sequence[str], **given: Any) -> None:
    if problems := _problems(stage, heads=heads, **given):
        pytest.fail(problems)


@pytest.mark.parametrize("page", _PAGES)
def test_python_snippets_run(page: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    names: dict[str, Any] = {}
    for language, content in _fenced(_text(page)):
        if language == "python":
            exec(compile(content, page, "exec"), names)


@pytest.mark.parametrize("page", _PAGES)
def test_command_lines_parse(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for command in _commands(_text(page)):
        _parse(command)


@pytest.mark.parametrize("page", _PAGES)
def test_commands_accept_their_settings_and_presets(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = _text(page)
    for language, content in _fenced(text):
        if language == "yaml":  # `# FILE: bas COMMAND` says what takes it
            file, command = re.match(r"# (\S+\.yaml): (bas .+)\n", content).groups()  # type: ignore[union-attr]
            Path(file).write_text(content)
            text += f"\n\n    {command}\n"
    for line in _commands(text):
        name, *rest = line.arguments
        presets, sets = _options(rest, "--preset"), _options(rest, "--set")
        if name == "fit-head" and rest:
            heads: Sequence[str] = rest[:1] if rest[0] not in ("NAME", "HEAD") else _HEADS
            _require_accepted("heads", heads=heads, preset=presets[0] if presets else None, sets=sets)
        elif presets or sets:
            preset = presets[0] if presets and presets[0] not in ("NAME", "FILE") else None
            sets = [one for one in sets if one != "KEY=VALUE"]
            _require_accepted(_STAGES[name], heads=_HEADS, preset=preset, sets=sets)


@pytest.mark.parametrize("page", _PAGES)
def test_settings_in_sentences_exist(page: str) -> None:
    keys = set(re.findall(r"^\| `([\w.]+)` \|", _text("configs/README.md"), re.MULTILINE))
    assert "fit.epochs" in keys
    for code in _inline(_text(page)):
        setting = code.removeprefix("--set ").strip("'\"")
        if re.fullmatch(r"(extract|head|fit|finetune|peaks)\.[\w.]+=.+", setting):
            _require_accepted("heads", heads=_HEADS, sets=[setting])
        elif re.fullmatch(r"(extract|head|fit|finetune|peaks)(\.[a-z_\d]+)+", setting):
            sections = {key.rpartition(".")[0] for key in keys}
            assert setting in keys | sections, f"there is no setting {setting}"
        elif code.startswith("--preset ") and code != "--preset NAME":
            found = [_problems(stage, heads=_HEADS, preset=code.split()[1]) for stage in _STAGES.values()]
            assert not all(found), found[0]


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_to_files_and_headings(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_fences(_text(page))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (_ROOT / page).parent / path if path else _ROOT / page
        assert target.is_file(), f"{page} links to {link}, which does not exist"
        if anchor:
            assert anchor in _anchors(target.read_text("utf-8")), f"{page} links to {link}: no such heading"


def _anchors(text: str) -> set[str]:
    """Anchors of the headings, as Markdown viewers derive them."""
    headings = re.findall(r"^#+ (.+)$", _without_fences(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bas evaluate", "there is no command evaluate"),
        ("bas eval --set peaks.method=quadratic", "No such option"),
        ("torchrun --nproc-per-node 4 -m bas -- finetune-e2e --runs RUN &", "No such option"),
        ("bas merge runs/a runs/b  # --out runs/both", "Missing option"),
        ("TMPDIR=/tmp .venv/bin/bas download 2022", "is not one of"),
    ],
)
def test_a_wrong_command_line_is_found(line: str, message: str) -> None:
    (command,) = _commands(f"Text.\n\n    {line}\n")
    with pytest.raises(pytest.fail.Exception, match=message):
        _parse(command)


def test_files_that_contributing_names_exist() -> None:
    named = re.findall(
        r"`((?:bas|extract|heads|evaluate|configs|tests)/[\w/.]+)`", (_ROOT / "CONTRIBUTING.md").read_text()
    )
    assert len(named) > 40
    assert [name for name in named if not (_ROOT / name).exists()] == []
