"""`bas doctor`: check a folder of matches or of feature caches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

from rich.table import Table

from bas import console
from bas.clock import time_text
from bas.dataset import VideoSize, examine
from bas.dataset.checks import Finding, FolderReport, GameFacts
from bas.dataset.layouts import Layout, labels_name
from bas.dataset.splits import SPLITS_FILE
from bas.errors import BasError, DataError, LockedError, MissingError
from bas.evaluate.dense_scores import SCORES_FILE
from bas.extract.cache.reader import verify
from bas.files import locked
from bas.messages import counted, listing

_MOST_ROWS = 100
"""Games in the table; of more, the first and a count."""


def examine_folder(folder: Path, *, video: VideoSize | None) -> None:
    """Print what `folder` holds and all findings.

    Args:
        folder: a data folder, a folder with feature caches at any depth, or one video or cache file.
        video: which of a SoccerNet game's video files to check.

    Raises:
        MissingError: `folder` does not exist, or holds neither matches nor caches.
        DataError: a finding is an error.
    """
    if folder.suffix == ".h5" and folder.is_file():
        return _examine_caches(folder, [folder], [])
    try:
        report = examine(folder, video=video)
    except MissingError:
        caches = sorted(path for path in folder.rglob("*.h5") if path.name != SCORES_FILE)
        unfinished = [parts for parts in sorted(folder.rglob("*.parts")) if _cache_of(parts) not in caches]
        if not caches and not unfinished:
            raise
        return _examine_caches(folder, caches, unfinished)
    return print_findings(report)


def _examine_caches(folder: Path, caches: list[Path], unfinished: list[Path]) -> None:
    findings = [_unfinished(parts) for parts in unfinished]
    num_bytes = sum(path.stat().st_size for path in caches)
    with console.progress(f"verifying {folder}", len(caches), unit="caches") as advance:
        for path in caches:
            findings += [Finding(str(path), fault, severity="error") for fault in _faults(path)]
            advance()
    more = f", {len(unfinished):,} unfinished" if unfinished else ""
    console.show(f"{folder}: {counted(len(caches), 'cache')}, {num_bytes / 1e9:.2f} GB{more}")
    print_verdict(findings, what=str(folder))


def _cache_of(parts: Path) -> Path:
    return parts.with_suffix(".h5")


def _unfinished(parts: Path) -> Finding:
    """Finding about a cache of which only some segments are there."""
    lock, location = parts.with_suffix(".lock"), str(_cache_of(parts))
    try:
        if lock.is_file():
            with locked(lock, wait=False):
                pass
    except LockedError:
        return Finding(location, "is being extracted by another process", severity="note")
    return Finding(
        location, "extraction is unfinished; the same bas extract command continues it", severity="error"
    )


def _faults(path: Path) -> list[str]:
    try:
        spans = verify(path)
    except BasError as error:
        return [str(error)]
    return [f"{path}: rows of {span} are damaged; run bas extract to repair them" for span in spans]


def print_findings(report: FolderReport) -> None:
    """Print what a data folder holds and what is expected there, then the verdict.

    Raises:
        DataError: a finding is an error.
    """
    dataset = report.dataset
    console.show(_summary(report))
    console.show(_games_table(report.games), "")
    if report.splits:
        console.show(_splits_table(report), "")
    if any(game.counts is not None for game in report.games):
        console.show(_classes_table(report), "")
    print_verdict(report.findings, what=str(dataset.root))


def print_verdict(findings: Sequence[Finding], *, what: str) -> None:
    """Print all findings, errors first.

    Raises:
        DataError: a finding is an error.
    """
    locations: dict[tuple[bool, str], list[str]] = {}
    for finding in findings:
        locations.setdefault((finding.severity == "note", finding.message), []).append(finding.location)
    for (harmless, message), names in sorted(locations.items(), key=lambda item: item[0][0]):
        repeats = message.startswith(names[0]) or f"/{names[0]}" in message  # the message names the location
        prefix = "" if repeats else f"{listing(names, shown=1)}: "
        console.show(f"{'note ' if harmless else 'ERROR'} {prefix}{message}")
    num_errors = sum(finding.severity == "error" for finding in findings)
    if num_errors:
        raise DataError(f"{counted(num_errors, 'error')} in {what}, listed above.")
    console.show(f"No errors in {what}.")


def _summary(report: FolderReport) -> str:
    dataset = report.dataset
    videos = [video for game in report.games for video in game.videos]
    hours = sum(video.length_ms for video in videos) / 3_600_000
    size = sum(video.num_bytes for video in videos) / 1e9
    return (
        f"{dataset.root}: {dataset.layout.value}\n"
        f"found     {counted(len(report.games), 'match')}, {counted(len(videos), 'video')}, "
        f"{hours:.2f} h, {size:.2f} GB\n"
        f"expected  {_expected_files(report)}\n"
    )


def _expected_files(report: FolderReport) -> str:
    game, layout = report.dataset.games[0], report.dataset.layout
    labels = labels_name(layout)
    if layout in (Layout.OSL, Layout.E2E_SPOT):
        return f"the videos listed in {labels}, at the paths given there"
    if layout in (Layout.FOLDER, Layout.FILE):
        return f"videos with any name, each with its labels in {labels}"
    return f"in each match's folder {', '.join(video.path.name for video in game.videos)} and {labels}"


def _games_table(games: Sequence[GameFacts]) -> Table:
    rows = console.table("Games", "game", "split", "length", "size", "fps", "codec", "actions", left=2)
    for game in games[:_MOST_ROWS]:
        lengths = " + ".join(time_text(video.length_ms) for video in game.videos)
        rows.add_row(
            game.id,
            ", ".join(game.splits) or "-",
            lengths or "-",
            _unique(f"{video.width} x {video.height}" for video in game.videos),
            _unique(_fps_text(video.fps) for video in game.videos),
            _unique(video.codec for video in game.videos),
            "-" if game.counts is None else f"{game.counts.total():,}",
        )
    if len(games) > _MOST_ROWS:
        rows.add_row(f"and {len(games) - _MOST_ROWS:,} more")
    return rows


def _splits_table(report: FolderReport) -> Table:
    here = {game.id for game in report.games}
    own = (report.dataset.root / SPLITS_FILE).is_file()
    by_list = report.dataset.layout in (Layout.OSL, Layout.E2E_SPOT)
    source = SPLITS_FILE if own else "the video lists" if by_list else "SoccerNet"
    rows = console.table(f"Splits from {source}", "split", "games", "present")
    for name, listed in report.splits.items():
        rows.add_row(name, f"{len(listed):,}", f"{len(here.intersection(listed)):,}")
    return rows


def _classes_table(report: FolderReport) -> Table:
    splits = [name for name in report.splits if any(name in game.splits for game in report.games)]
    rows = console.table("Actions", "class", *splits, "all")
    columns = [_count_labels(game for game in report.games if name in game.splits) for name in splits]
    columns.append(_count_labels(report.games))
    for label in report.dataset.classes:
        rows.add_row(label, *(f"{column[label]:,}" for column in columns))
    rows.add_row("all", *(f"{column.total():,}" for column in columns))
    return rows


def _count_labels(games: Iterable[GameFacts]) -> Counter[str]:
    return sum((game.counts for game in games if game.counts is not None), Counter())


def _unique(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts)) or "-"


def _fps_text(fps: Fraction) -> str:
    return str(fps) if fps.denominator == 1 else f"{float(fps):.3f}"
