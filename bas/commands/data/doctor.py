"""`bas doctor`: check a folder of matches or of feature caches."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.dataset import Finding, VideoSize, examine, print_findings, print_verdict
from bas.errors import BasError, MissingError
from bas.evaluate.dense import SCORES_FILE
from bas.extract.cache.reader import verify


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
        return _examine_caches(folder, [folder])
    try:
        report = examine(folder, video=video)
    except MissingError:
        caches = sorted(path for path in folder.rglob("*.h5") if path.name != SCORES_FILE)
        if not caches:
            raise
        return _examine_caches(folder, caches)
    return print_findings(report)


def _examine_caches(folder: Path, caches: list[Path]) -> None:
    findings = []
    num_bytes = sum(path.stat().st_size for path in caches)
    with console.progress(f"verifying {folder}", len(caches), unit="caches") as advance:
        for path in caches:
            findings += [Finding(str(path), fault, severity="error") for fault in _faults(path)]
            advance()
    console.show(f"{folder}: {len(caches)} caches, {num_bytes / 1e9:.2f} GB")
    print_verdict(findings, what=str(folder))


def _faults(path: Path) -> list[str]:
    try:
        spans = verify(path)
    except BasError as error:
        return [str(error)]
    return [f"{path}: rows of {span} are damaged; run bas extract to repair them" for span in spans]
