"""A run's folder: settings, metrics, checkpoints that survive a kill, and its state.

runs/<name>/settings.yaml    resolved, whole
            metrics.jsonl    a line an epoch
            checkpoints/     the last three and the best, each whole or absent
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
from bas.errors import BasError, DataError, MissingError, StoppedError
from bas.files import atomic_write, locked, read_json, remove_leftovers, sha256_of, sync_folder, write_json

if TYPE_CHECKING:
    from torch import Tensor

State = Literal["running", "stopped", "failed", "done"]

_KEPT = 3
_MANIFEST = "MANIFEST.json"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped."""

    number: int
    """Epochs of a head, or steps of a stacker, that are finished."""
    model: Mapping[str, Tensor]
    training: Mapping[str, Any]
    """State of the optimizer, schedule and average: tensors and plain values."""
    history: Sequence[Mapping[str, Any]]
    """One record an epoch, the lines of metrics.jsonl."""


class Run:
    """One training run on disk, held under a lock by `open_run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def state(self) -> State | None:
        """What STATUS.json says, or None for a run that has none yet."""
        return run_state(self.folder)

    def mark(self, state: State, *, reason: str = "", code: int = 0) -> None:
        """Record how far the run is; `code` is the exit code of a run that ended."""
        write_json(self.folder / "STATUS.json", {"state": state, "code": code, "reason": reason})

    def save(self, checkpoint: Checkpoint, *, best: int) -> None:
        """Publish a checkpoint whole, and drop those that are neither among the last three nor number `best`."""
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
        if final.exists():  # of a step that was stopped before its epoch was judged
            final.rename(former)
        temporary.rename(final)
        sync_folder(final.parent)
        shutil.rmtree(former, ignore_errors=True)
        lines = "".join(json.dumps(record) + "\n" for record in checkpoint.history)
        atomic_write(self.folder / "metrics.jsonl", lines.encode())
        numbers = self._numbers()
        for number in set(numbers[:-_KEPT]) - {best}:
            shutil.rmtree(self._checkpoint(number))

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is sound; damaged ones are named and passed over."""
        for number in reversed(self._numbers()):
            try:
                return self.load(number)
            except DataError as error:
                console.warn(f"{error} Going back to the checkpoint before it.")
        return None

    def load(self, number: int) -> Checkpoint:
        """The checkpoint of that number.

        Raises:
            DataError: one of its files is missing or not the one that was written.
        """
        import torch
        from safetensors.torch import load_file

        folder = self._checkpoint(number)
        try:
            hashes = read_json(folder / _MANIFEST)
            for name, wanted in hashes.items():
                if sha256_of(folder / name) != wanted:
                    raise DataError(
                        f"{folder / name} is damaged: its SHA-256 is not the one written beside it. "
                        f"To start anew, delete {self.folder}."
                    )
            model = load_file(folder / "model.safetensors")
            training = torch.load(folder / "training.pt", weights_only=True, map_location="cpu")
            history = json.loads((folder / "history.json").read_bytes())
        except (OSError, MissingError) as error:
            raise DataError(
                f"{folder} is not a whole checkpoint: {error}. To start anew, delete {self.folder}."
            ) from error
        return Checkpoint(number, model, training, history)

    def _checkpoint(self, number: int) -> Path:
        return self.folder / "checkpoints" / f"{number:08d}"

    def tidy(self) -> None:
        """Clear away what a killed save left; a checkpoint that it had set aside comes back."""
        for former in (self.folder / "checkpoints").glob("*.former"):
            if not former.with_suffix("").exists():
                former.rename(former.with_suffix(""))
            shutil.rmtree(former, ignore_errors=True)
        for temporary in (self.folder / "checkpoints").glob("*.tmp"):
            shutil.rmtree(temporary)

    def _numbers(self) -> list[int]:
        names = (folder.name for folder in (self.folder / "checkpoints").glob("*"))
        return sorted(int(name) for name in names if name.isdecimal())


@contextmanager
def open_run(folder: Path, *, settings_yaml: str) -> Iterator[Run]:
    """Hold a run's folder under its lock, new or to be continued, and record how the work in it ends.

    Raises:
        LockedError: another process is at work in it.
    """
    with locked(folder / "lock", wait=False):
        remove_leftovers(folder)
        run = Run(folder)
        run.tidy()
        if run.state != "done":
            atomic_write(folder / "settings.yaml", settings_yaml.encode())
            run.mark("running")
        try:
            yield run
        except BasError as error:
            run.mark(
                "stopped" if isinstance(error, StoppedError) else "failed",
                reason=str(error),
                code=error.exit_code,
            )
            raise
        except KeyboardInterrupt:
            run.mark("stopped", reason="interrupted at the keyboard", code=130)
            raise
        except Exception as error:
            run.mark("failed", reason=repr(error), code=1)
            raise


def history_of(folder: Path) -> list[dict[str, Any]]:
    """The records of a run's epochs; none of a model that is no run."""
    metrics = folder / "metrics.jsonl"
    return [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.is_file() else []


def run_state(folder: Path) -> State | None:
    """State of the run in a folder; None where there is no run."""
    status = folder / "STATUS.json"
    if not status.exists():
        return None
    state: State = read_json(status)["state"]
    return state


def newest_finished(runs: Path, *, without: str | None = None) -> Path:
    """The finished run that was finished last.

    Args:
        runs: folder of runs.
        without: runs whose name begins so are passed over.

    Raises:
        MissingError: there is none.
    """
    done = [
        status.parent
        for status in runs.glob("*/STATUS.json")
        if run_state(status.parent) == "done"
        and (without is None or not status.parent.name.startswith(without))
    ]
    if not done:
        raise MissingError(
            f"{runs} holds no finished run. Fit a head first: bas fit-head netvlad; or name one: --run FOLDER."
        )
    return max(done, key=lambda folder: (folder / "STATUS.json").stat().st_mtime_ns)
