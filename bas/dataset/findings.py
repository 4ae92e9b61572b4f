"""The findings of the doctor as tables, and the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from rich.table import Table

from bas import console
from bas.clock import game_time
from bas.dataset.doctor import Findings, GameFacts, Suspicion
from bas.dataset.games import listing
from bas.dataset.layouts import Layout, labels_name
from bas.dataset.splits import SPLITS_FILE
from bas.errors import DataError

_GIGABYTE = 1e9


def show_findings(findings: Findings) -> None:
    """Print what a data folder holds and what it should hold, then the verdict.

    Raises:
        DataError: something is wrong.
    """
    dataset = findings.dataset
    console.show(_summary(findings))
    console.show(_games(findings.games), "")
    if findings.splits:
        console.show(_splits(findings), "")
    if any(game.counts is not None for game in findings.games):
        console.show(_classes(findings), "")
    conclude(findings.suspicions, what=str(dataset.root))


def conclude(suspicions: Sequence[Suspicion], *, what: str) -> None:
    """Print everything suspicious, what is wrong first.

    Raises:
        DataError: something is wrong.
    """
    places: dict[tuple[bool, str], list[str]] = {}
    for suspicion in suspicions:
        places.setdefault((not suspicion.wrong, suspicion.what), []).append(suspicion.where)
    for (harmless, text), where in sorted(places.items(), key=lambda item: item[0][0]):
        names_it = text.startswith(where[0]) or f"/{where[0]}" in text
        place = "" if names_it else f"{listing(where, shown=1)}: "
        console.show(f"{'note ' if harmless else 'WRONG'} {place}{text}")
    num_wrong = sum(suspicion.wrong for suspicion in suspicions)
    if num_wrong:
        raise DataError(f"Faults in {what}: {num_wrong}, each named above.")
    console.show(f"Nothing is wrong in {what}.")


def _summary(findings: Findings) -> str:
    dataset = findings.dataset
    videos = [video for game in findings.games for video in game.videos]
    hours = sum(video.length_ms for video in videos) / 3_600_000
    size = sum(video.num_bytes for video in videos) / _GIGABYTE
    return (
        f"{dataset.root}: {dataset.layout.value}\n"
        f"found     {len(findings.games)} games, {len(videos)} videos, {hours:.2f} h, {size:.2f} GB\n"
        f"expected  {_expected(findings)}\n"
    )


def _expected(findings: Findings) -> str:
    game, layout = findings.dataset.games[0], findings.dataset.layout
    labels = labels_name(layout)
    if layout in (Layout.OSL, Layout.E2E_SPOT):
        return f"the videos that are listed in {labels}, at the paths that these name"
    if layout in (Layout.FOLDER, Layout.FILE):
        return f"videos of any name, each with its labels in {labels}"
    return f"in the folder of each game {', '.join(video.path.name for video in game.videos)} and {labels}"


def _games(games: Iterable[GameFacts]) -> Table:
    rows = console.table("Games", "game", "split", "length", "pictures", "fps", "codec", "actions", left=2)
    for game in games:
        lengths = " + ".join(game_time(1, video.length_ms).removeprefix("1 - ") for video in game.videos)
        rows.add_row(
            game.id,
            ", ".join(game.splits) or "-",
            lengths or "-",
            _once(f"{video.width} x {video.height}" for video in game.videos),
            _once(_rate(video.fps) for video in game.videos),
            _once(video.codec for video in game.videos),
            "-" if game.counts is None else f"{game.counts.total():,}",
        )
    return rows


def _splits(findings: Findings) -> Table:
    here = {game.id for game in findings.games}
    own = (findings.dataset.root / SPLITS_FILE).is_file()
    by_list = findings.dataset.layout in (Layout.OSL, Layout.E2E_SPOT)
    whose = SPLITS_FILE if own else "the listings" if by_list else "SoccerNet"
    rows = console.table(f"Splits of {whose}", "split", "games", "here")
    for name, listed in findings.splits.items():
        rows.add_row(name, f"{len(listed):,}", f"{len(here.intersection(listed)):,}")
    return rows


def _classes(findings: Findings) -> Table:
    splits = [name for name in findings.splits if any(name in game.splits for game in findings.games)]
    rows = console.table("Actions", "class", *splits, "all")
    columns = [_count(game for game in findings.games if name in game.splits) for name in splits]
    columns.append(_count(findings.games))
    for label in findings.dataset.classes:
        rows.add_row(label, *(f"{column[label]:,}" for column in columns))
    rows.add_row("all", *(f"{column.total():,}" for column in columns))
    return rows


def _count(games: Iterable[GameFacts]) -> Counter[str]:
    return sum((game.counts for game in games if game.counts is not None), Counter())


def _once(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts)) or "-"


def _rate(fps: Fraction) -> str:
    return str(fps) if fps.denominator == 1 else f"{float(fps):.3f}"
