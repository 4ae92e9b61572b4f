"""Stage 3: train encoder and head together on clips, and keep the epoch with the best mAP@1."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.parallel import DistributedDataParallel

from bas import console
from bas.config import FinetuneSettings, Pipeline
from bas.errors import RunFailedError, StoppedError
from bas.evaluate.search import Tuning
from bas.extract.precision import best_precision
from bas.heads.determinism import same_bits
from bas.heads.fit import best_epoch
from bas.heads.joint import JointModel
from bas.heads.joint_validation import JointValidation
from bas.heads.layers import joint_groups
from bas.heads.losses import head_loss
from bas.heads.optim import Optimizer
from bas.heads.processes import Processes
from bas.heads.stacker import Stacker
from bas.heads.supply import Sample, Supply
from bas.runs import Checkpoint, Run
from bas.signals import StopFlag


@dataclass(slots=True)
class _Epoch:
    """What is known of the epoch at hand; it outlives a stop."""

    losses: list[float]
    """Of its sound steps."""
    waited: float = 0.0
    """Seconds of this process."""
    seconds: float = 0.0


class Finetune:
    """One joint training, from the run's newest checkpoint if there is one.

    A step is a function of the settings' seed, its number and the state before it, so that a run that
    was killed gives the same weights as one that was not, also with another number of processes but
    for the order in which gradients are added.
    """

    def __init__(
        self,
        model: JointModel,
        supply: Supply,
        validation: JointValidation,
        *,
        settings: Pipeline,
        run: Run,
        processes: Processes,
        device: torch.device,
    ) -> None:
        """
        Args:
            model: to train; its stacker is changed.
            supply: of the samples.
            validation: judges every epoch.
            settings: of the whole pipeline.
            run: takes checkpoints.
            processes: that share the steps.
            device: to train on.
        """
        self._model, self._supply, self._validation = model.to(device), supply, validation
        self._settings, self._run, self._processes = settings, run, processes
        tune = settings.finetune
        precision = joint_precision(tune, device)
        self._autocast = torch.autocast(
            device.type,
            torch.float16 if precision == "fp16" else torch.bfloat16,
            enabled=precision != "fp32",
        )
        self._optimizer = Optimizer(
            model.stacker,
            joint_groups(model.stacker, tune),
            tune,
            steps_per_epoch=supply.steps,
            fp16=precision == "fp16",
        )
        self._step = 0
        self._history: list[dict[str, Any]] = []
        self._epoch = _Epoch([])
        self._resume()
        self._shared = (
            DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
            if processes.world > 1
            else None
        )

    def train(self, stop: StopFlag) -> Checkpoint:
        """Train to the last epoch; the one that is kept is returned, its averaged weights in `averaged`.

        Raises:
            RunFailedError: training diverged, memory ran out, or another process was lost.
            StoppedError: a signal came; the step at hand was finished, and a checkpoint made.
        """
        settings = self._settings.finetune
        try:
            with same_bits(self._model.stacker.device):
                while len(self._history) < settings.epochs:
                    self._train_epoch(stop)
        except torch.OutOfMemoryError as error:
            raise RunFailedError(
                f"The memory is too small for a step. Checkpoints are kept. Lower finetune.chunk_rows (now "
                f"{settings.chunk_rows}), finetune.clip_rows or finetune.shuffle_clips, set finetune.checkpointing=true, "
                "or freeze more of the encoder: finetune.freeze."
            ) from error
        chosen = self._processes.from_first(
            lambda: self._run.load(best_epoch(self._history) * self._supply.steps)
        )
        self._optimizer.load_state_dict(dict(chosen.training["optimizer"]))
        return chosen

    @property
    def averaged(self) -> Stacker:
        """The moving average of the weights, which is judged and kept."""
        stacker = self._optimizer.average.module
        assert isinstance(stacker, Stacker)
        return stacker

    def tune(self, stop: StopFlag) -> Tuning:
        """The post-processing that suits the kept weights best.

        Raises:
            StoppedError: a signal came; the same call makes it anew.
        """
        return self._validation.tune(self.averaged, self._processes, stop)

    def _resume(self) -> None:
        newest = self._processes.from_first(self._run.newest)
        if newest is None:
            return
        self._model.stacker.load_state_dict(dict(newest.model))
        self._optimizer.load_state_dict(dict(newest.training["optimizer"]))
        self._epoch.losses = list(newest.training["losses"])
        self._step = newest.number
        self._history = [dict(record) for record in newest.history]
        total = self._settings.finetune.epochs * self._supply.steps
        console.say(f"{self._run.folder} goes on after step {self._step:,} of {total:,}.")

    def _train_epoch(self, stop: StopFlag) -> None:
        settings, steps = self._settings.finetune, self._supply.steps
        number = len(self._history) + 1
        start = self._step - (number - 1) * steps
        self._model.train()
        began = asked = time.monotonic()
        with console.progress(f"epoch {number}", steps - start, unit="steps") as advance:
            for samples in self._supply.epoch(number, start=start):
                self._epoch.waited += time.monotonic() - asked
                stopping = self._train_step(samples, stop)
                last = self._step == number * steps  # what follows may be stopped too
                if stopping or last or self._step % settings.checkpoint_steps == 0:
                    self._save()
                if stopping:
                    self._processes.gather(None)  # torchrun ends the others as soon as one has ended
                    stop.check()
                    raise StoppedError("Another process was asked to stop. The same command continues.")
                advance()
                asked = time.monotonic()
        self._epoch.seconds += time.monotonic() - began
        self._judge(number, stop)

    def _train_step(self, samples: Sequence[Sample], stop: StopFlag) -> bool:
        """One step on this process's clips; whether any process was asked to stop."""
        total = 0.0
        for place, sample in enumerate(samples):
            torch.manual_seed(sample.seed)  # dropout
            last = place == len(samples) - 1  # after which gradients are added up over the processes
            with nullcontext() if self._shared is None or last else self._shared.no_sync():
                with self._autocast:
                    output = (self._shared or self._model)(sample.luma, sample.rows)
                    loss = head_loss(
                        output,
                        sample.truth,
                        scoring=self._model.stacker.head.scoring,
                        settings=self._settings.fit,
                    )
                total += float(loss.detach()) / len(samples)
                if last:  # before gradients are waited for: a lost process shows here, and ends the others
                    summed, stops = self._processes.total([total, float(stop.raised)])
                self._optimizer.backward(loss / len(samples))
        mean = summed / self._processes.world
        if self._optimizer.step(torch.tensor(mean)):
            self._epoch.losses.append(mean)
        self._step += 1
        return stops > 0

    def _judge(self, number: int, stop: StopFlag) -> None:
        """Score the validation matches, and close the epoch."""
        began = time.monotonic()
        mean_ap = self._validation.score(self.averaged, self._processes, stop)
        losses, epoch = self._epoch.losses, self._epoch
        record = {
            "epoch": number,
            "step": self._step,
            "loss": sum(losses) / len(losses) if losses else None,
            "losses": losses,
            "mAP@1": mean_ap,
            "learning_rate": self._optimizer.learning_rate,
            "skipped_steps": self._optimizer.skipped,
            "share_waiting": round(epoch.waited / max(epoch.seconds, 1e-9), 4),
            "share_of_pictures_used": round(self._supply.share_used, 4),
            "train_seconds": round(epoch.seconds, 1),
            "seconds": round(epoch.seconds + time.monotonic() - began, 1),
        }
        self._history.append(record)
        self._epoch = _Epoch([])
        self._save()
        _tell(record, self._settings.finetune, best=self._history[best_epoch(self._history) - 1]["mAP@1"])

    def _save(self) -> None:
        if self._processes.first:
            best = best_epoch(self._history) * self._supply.steps if self._history else 0
            training = {"optimizer": self._optimizer.state_dict(), "losses": self._epoch.losses}
            checkpoint = Checkpoint(self._step, self._model.stacker.state_dict(), training, self._history)
            self._run.save(checkpoint, best=best)


def joint_precision(settings: FinetuneSettings, device: torch.device) -> str:
    """What is computed in; auto means bf16 on a GPU that has it, else fp32."""
    if settings.precision == "auto":
        return best_precision("auto", device) if device.type == "cuda" else "fp32"
    return settings.precision


def _tell(record: dict[str, Any], settings: FinetuneSettings, *, best: float) -> None:
    loss = "none" if record["loss"] is None else f"{record['loss']:.4f}"
    console.say(
        f"epoch {record['epoch']}/{settings.epochs}  loss {loss}  mAP@1 {100 * record['mAP@1']:.2f}  "
        f"best {100 * best:.2f}  {record['seconds']:.1f} s, {100 * record['share_waiting']:.0f} % of training "
        "waiting for clips"
    )
