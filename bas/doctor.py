"""`bas doctor`: a folder of matches, or a folder of caches, looked at with the same eyes."""

from __future__ import annotations

from pathlib import Path

from bas import console
from bas.dataset import Suspicion, VideoSize, conclude, examine, show_findings
from bas.errors import BasError, MissingError
from bas.evaluate.dense import SCORES_FILE
from bas.extract.cache import verify


def examine_folder(folder: Path, *, video: VideoSize | None) -> None:
    """Print what `folder` holds and everything suspicious.

    Args:
        folder: of matches; or else of caches, at any depth; or one file of either.
        video: which of a SoccerNet game's video files to look at.

    Raises:
        MissingError: nothing is there.
        DataError: something is wrong.
    """
    if folder.suffix == ".h5" and folder.is_file():
        return _examine_caches(folder, [folder])
    try:
        findings = examine(folder, video=video)
    except MissingError:
        caches = sorted(path for path in folder.rglob("*.h5") if path.name != SCORES_FILE)
        if not caches:
            raise
        return _examine_caches(folder, caches)
    return show_findings(findings)


def _examine_caches(folder: Path, caches: list[Path]) -> None:
    suspicions = []
    num_bytes = sum(path.stat().st_size for path in caches)
    with console.progress(f"verifying {folder}", len(caches), unit="caches") as advance:
        for path in caches:
            suspicions += [Suspicion(str(path), fault, wrong=True) for fault in _faults(path)]
            advance()
    console.show(f"{folder}: {len(caches)} caches, {num_bytes / 1e9:.2f} GB")
    conclude(suspicions, what=str(folder))


def _faults(path: Path) -> list[str]:
    try:
        spans = verify(path)
    except BasError as error:
        return [str(error)]
    return [f"{path}: rows of {span} are damaged; bas extract mends them" for span in spans]
