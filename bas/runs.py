"""Folder of a training run: settings, metrics, checkpoints that survive a kill, and status.

runs/<name>/settings.yaml    all settings, resolved
            metrics.jsonl    one line per epoch
            checkpoints/     the last three and the best, written atomically
            STATUS.json      running, stopped, failed or done
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bas import console
from bas.errors import DataError, MissingError, StoppedError, explained
from bas.files import (
    atomic_write,
    locked,
    parse_json,
    read_json,
    sha256_of,
    sync_folder,
    write_json,
)
from bas.signals import STOPPED, Terminated
from bas.temporary import remove_leftovers

if TYPE_CHECKING:
    from torch import Tensor

State = Literal["running", "stopped", "failed", "done"]

_KEPT = 3
_MANIFEST = "MANIFEST.json"
_FILES = "model.safetensors", "training.pt", "history.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that a run needs to resume as if it had never stopped."""

    number: int
    """Number of finished epochs (heads) or steps (joint training)."""
    model: Mapping[str, Tensor]
    """State dict of the model."""
    training: Mapping[str, Any]
    """State of optimizer, schedule and averaged weights: tensors and plain values."""
    history: Sequence[Mapping[str, Any]]
    """One record per epoch, as in metrics.jsonl."""


class Run:
    """A training run on disk, locked by `open_run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def state(self) -> State | None:
        """State in STATUS.json; None if the run has none yet."""
        return run_state(self.folder)

    def set_state(self, state: State, *, reason: str = "", code: int = 0) -> None:
        """Write the run's state to STATUS.json; `code` is the exit code of a run that ended."""
        write_json(self.folder / "STATUS.json", {"state": state, "code": code, "reason": reason})

    def save(self, checkpoint: Checkpoint, *, best: int) -> None:
        """Write a checkpoint atomically, and delete all but the last three and number `best`."""
        import torch
        from safetensors.torch import save

        training = io.BytesIO()
        torch.save(dict(checkpoint.training), training)
        contents = {
            "model.safetensors": save({key: value.contiguous() for key, value in checkpoint.model.items()}),
            "training.pt": training.getvalue(),
            "history.json": json.dumps(list(checkpoint.history)).encode(),
        }
        final = self._checkpoint(checkpoint.number)
        temporary, former = (final.with_name(f"{final.name}.{end}") for end in ("tmp", "former"))
        shutil.rmtree(temporary, ignore_errors=True)
        for name, content in contents.items():
            atomic_write(temporary / name, content)
        hashes = {name: sha256_of(temporary / name) for name in contents}
        write_json(temporary / _MANIFEST, hashes)
        if final.exists():  # saved at the same step by a run that was stopped before it validated the epoch
            final.rename(former)
        temporary.rename(final)
        sync_folder(final.parent)
        shutil.rmtree(former, ignore_errors=True)
        # Rewritten, not appended to: epochs after the checkpoint that a run resumed from are gone.
        lines = "".join(json.dumps(record) + "\n" for record in checkpoint.history)
        atomic_write(self.folder / "metrics.jsonl", lines.encode())
        numbers = self._numbers()
        for number in set(numbers[:-_KEPT]) - {best}:
            shutil.rmtree(self._checkpoint(number))

    def newest(self) -> Checkpoint | None:
        """The newest intact checkpoint; None if there is none yet. Damaged ones are skipped with a warning.

        Raises:
            DataError: all checkpoints are damaged.
        """
        numbers = self._numbers()
        for number in reversed(numbers):
            try:
                return self.load(number)
            except DataError as error:
                if number == numbers[0]:
                    raise
                console.warn(f"{error} Using the previous checkpoint instead.")
        return None

    def load(self, number: int) -> Checkpoint:
        """Load checkpoint `number`.

        Raises:
            DataError: one of its files is missing or damaged.
        """
        from bas.guarded.tensors import load_plain, load_tensors

        folder = self._checkpoint(number)
        try:
            hashes = read_json(folder / _MANIFEST)
            _require(isinstance(hashes, dict) and set(hashes) == set(_FILES), f"invalid {_MANIFEST}")
            for name in _FILES:
                _require(
                    sha256_of(folder / name) == hashes[name], f"{name} differs from its recorded SHA-256"
                )
            model = load_tensors(folder / "model.safetensors")
            training = load_plain(folder / "training.pt")
            history = read_json(folder / "history.json")
            _require(
                isinstance(training, dict) and _are_records(history), "its content is not what bas writes"
            )
        except (OSError, ValueError, DataError, MissingError) as error:
            raise DataError(
                f"Damaged checkpoint {folder}: {error}. To start over, delete {self.folder}."
            ) from error
        return Checkpoint(number, model, training, history)

    def _checkpoint(self, number: int) -> Path:
        return self.folder / "checkpoints" / f"{number:08d}"

    def clean_up(self) -> None:
        """Remove what a killed `save` left behind, and restore the checkpoint that it was replacing."""
        for former in (self.folder / "checkpoints").glob("*.former"):
            if not former.with_suffix("").exists():
                former.rename(former.with_suffix(""))
            shutil.rmtree(former, ignore_errors=True)
        for temporary in (self.folder / "checkpoints").glob("*.tmp"):
            shutil.rmtree(temporary)

    def _numbers(self) -> list[int]:
        names = (folder.name for folder in (self.folder / "checkpoints").glob("*"))
        return sorted(int(name) for name in names if name.isdecimal())


def run_folder(runs: Path, kind: str, digest: str) -> Path:
    """Return the folder of a run: its kind, and the hash of all that determines its result."""
    return runs / f"{kind}-{digest[:8]}"


@contextmanager
def open_run(folder: Path, *, settings_yaml: str) -> Iterator[Run]:
    """Lock the folder of a new or resumed run, and record in STATUS.json how the block ends.

    Raises:
        LockedError: another process has locked the folder.
    """
    with locked(folder / "lock", wait=False):
        remove_leftovers(folder)
        run = Run(folder)
        run.clean_up()
        if run.state != "done":  # a finished run is only read
            atomic_write(folder / "settings.yaml", settings_yaml.encode())
            run.set_state("running")
        try:
            yield run
        except KeyboardInterrupt:
            run.set_state("stopped", reason="interrupted at the keyboard", code=130)
            raise
        except Terminated:
            run.set_state("stopped", reason=STOPPED, code=StoppedError.exit_code)
            raise
        except Exception as error:
            known = explained(error)
            state: State = "stopped" if isinstance(known, StoppedError) else "failed"
            run.set_state(state, reason=str(known or repr(error)), code=known.exit_code if known else 1)
            raise


def history_of(folder: Path) -> list[dict[str, Any]]:
    """Records of a run's epochs; empty for a model folder that is not a run.

    Raises:
        DataError: metrics.jsonl is damaged.
    """
    metrics = folder / "metrics.jsonl"
    lines = metrics.read_bytes().splitlines() if metrics.is_file() else []
    records = [parse_json(line, source=str(metrics)) for line in lines]
    if not _are_records(records) or any({"epoch", "loss", "mAP@1", "seconds"} - {*one} for one in records):
        raise DataError(f"{metrics} is damaged. Delete it: only the training curves are lost.")
    return records


def run_state(folder: Path) -> State | None:
    """State of the run in `folder`; None if it is not a run.

    Raises:
        DataError: STATUS.json is damaged.
    """
    status = folder / "STATUS.json"
    if not status.exists():
        return None
    match read_json(status):
        case {"state": "running" | "stopped" | "failed" | "done" as state}:
            known: State = state
            return known
    raise DataError(
        f"{status} is damaged: it names no state of a run. Delete it and repeat the command that started the run; "
        "finished epochs are kept."
    )


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(record, dict) for record in value)


def _require(condition: bool, text: str) -> None:
    if not condition:
        raise ValueError(text)


def newest_finished(runs: Path, *, without: str | None = None) -> Path:
    """The run that finished last.

    Args:
        runs: folder of runs.
        without: prefix of run names to skip.

    Raises:
        MissingError: there is no finished run.
    """
    done = [
        status.parent
        for status in runs.glob("*/STATUS.json")
        if (without is None or not status.parent.name.startswith(without)) and _is_done(status.parent)
    ]
    if not done:
        raise MissingError(
            f"No finished run in {runs}. Train one (bas fit-head netvlad), convert published weights (bas import-weights), "
            "or name the folder of a model that somebody shared."
        )
    return max(done, key=lambda folder: (folder / "STATUS.json").stat().st_mtime_ns)


def _is_done(run: Path) -> bool:
    """Whether a run is finished; a damaged one does not keep others from being found."""
    try:
        return run_state(run) == "done"
    except DataError as error:
        console.warn(str(error))
        return False
