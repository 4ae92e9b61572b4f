"""Training loop of stage 3: encoder and head together on clips, keeping the epoch with the best mAP@1."""

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
from bas.errors import StoppedError, memory_advice
from bas.evaluate.postprocess.search import Tuning
from bas.extract.encode.device import best_precision
from bas.heads.finetune.clip_loader import ClipLoader, ClipSample
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.finetune.freezing import layerwise_parameter_groups
from bas.heads.finetune.model import ClipModel
from bas.heads.models.stacker import Stacker
from bas.heads.training.losses import head_loss
from bas.heads.training.optimizer import TrainingOptimizer, deterministic_on_cpu
from bas.heads.training.trainer import best_epoch
from bas.heads.training.validation import Validation
from bas.runs import Checkpoint, Run
from bas.signals import StopFlag


@dataclass(slots=True)
class _EpochProgress:
    """Losses and times of the current epoch; the losses are part of a checkpoint."""

    losses: list[float]
    """Losses of the steps that were not skipped."""
    waited: float = 0.0
    """Seconds that this process waited for clips."""
    seconds: float = 0.0
    """Seconds of training."""


class FinetuneTrainer:
    """One training run of stage 3, resumed from its newest checkpoint if there is one.

    A step depends only on the settings' seed, its number and the state before it. So a run that was
    killed and resumed gives the same weights as an uninterrupted one. With another number of processes
    they differ only by the order in which gradients are added.
    """

    def __init__(
        self,
        model: ClipModel,
        loader: ClipLoader,
        validation: Validation[[Stacker, DistributedContext, StopFlag]],
        *,
        settings: Pipeline,
        run: Run,
        distributed: DistributedContext,
        device: torch.device,
    ) -> None:
        """
        Args:
            model: model to train; its stacker is modified in place.
            loader: training samples.
            validation: scores the model after each epoch.
            settings: settings of the whole pipeline.
            run: run that receives the checkpoints.
            distributed: processes that share the steps.
            device: device to train on.
        """
        self._model, self._loader, self._validation = model.to(device), loader, validation
        self._settings, self._run, self._distributed = settings, run, distributed
        tune = settings.finetune
        precision = compute_precision(tune, device)
        self._autocast = torch.autocast(
            device.type,
            torch.float16 if precision == "fp16" else torch.bfloat16,
            enabled=precision != "fp32",
        )
        self._optimizer = TrainingOptimizer(
            model.stacker,
            layerwise_parameter_groups(model.stacker, tune),
            tune,
            steps_per_epoch=loader.steps,
            fp16=precision == "fp16",
        )
        self._step = 0
        self._history: list[dict[str, Any]] = []
        self._epoch = _EpochProgress([])
        self._resume()
        self._parallel = (
            DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
            if distributed.world_size > 1
            else None
        )

    def train(self, stop: StopFlag) -> Checkpoint:
        """Train to the last epoch, and return the checkpoint of the best one with its weights in `averaged`.

        Raises:
            RunFailedError: training diverged, memory ran out, or another process was lost.
            StoppedError: a stop signal came; the current step was finished, and a checkpoint saved.
        """
        settings = self._settings.finetune
        advice = (
            f"Checkpoints are kept. Lower finetune.chunk_rows (now {settings.chunk_rows}), finetune.clip_rows or "
            "finetune.shuffle_clips, set finetune.checkpointing=true, or freeze more of the encoder (finetune.freeze)."
        )
        with memory_advice(advice), deterministic_on_cpu(self._model.stacker.device):
            while len(self._history) < settings.epochs:
                self._train_epoch(stop)
        chosen = self._distributed.broadcast(
            lambda: self._run.load(best_epoch(self._history) * self._loader.steps)
        )
        self._optimizer.load_state_dict(dict(chosen.training["optimizer"]))
        return chosen

    @property
    def averaged(self) -> Stacker:
        """Model with the moving average of the weights, which is validated and saved."""
        stacker = self._optimizer.average.module
        assert isinstance(stacker, Stacker)
        return stacker

    def tune(self, stop: StopFlag) -> Tuning:
        """Tune the post-processing for the saved weights.

        Raises:
            StoppedError: a stop signal came; the same command repeats the search.
        """
        return self._validation.tune(self.averaged, self._distributed, stop)

    def _resume(self) -> None:
        newest = self._distributed.broadcast(self._run.newest)
        if newest is None:
            return
        self._model.stacker.load_state_dict(dict(newest.model))
        self._optimizer.load_state_dict(dict(newest.training["optimizer"]))
        self._epoch.losses = list(newest.training["losses"])
        self._step = newest.number
        self._history = [dict(record) for record in newest.history]
        total = self._settings.finetune.epochs * self._loader.steps
        console.info(f"Resuming {self._run.folder} from step {self._step:,} of {total:,}.")

    def _train_epoch(self, stop: StopFlag) -> None:
        settings, steps = self._settings.finetune, self._loader.steps
        number = len(self._history) + 1
        start = self._step - (number - 1) * steps
        self._model.train()
        began = requested = time.monotonic()
        with console.progress(f"epoch {number}", steps - start, unit="steps") as advance:
            for samples in self._loader.epoch(number, start=start):
                self._epoch.waited += time.monotonic() - requested
                stopping = self._train_step(samples, stop)
                # Save also after the last step: validation, which follows it, may be stopped too.
                last = self._step == number * steps
                if stopping or last or self._step % settings.checkpoint_steps == 0:
                    self._save()
                if stopping:
                    # Leave together, for torchrun kills the others as soon as one process has ended.
                    self._distributed.gather(None)
                    stop.check()
                    raise StoppedError("Another process received a stop signal. The same command continues.")
                advance()
                requested = time.monotonic()
        self._epoch.seconds += time.monotonic() - began
        self._validate(number, stop)

    def _train_step(self, samples: Sequence[ClipSample], stop: StopFlag) -> bool:
        """Do one step on the clips of this process, and return whether any process received a stop signal."""
        total = 0.0
        for position, sample in enumerate(samples):
            torch.manual_seed(sample.seed)  # dropout
            last = position == len(samples) - 1
            # Gradients are summed over the processes in the backward pass of the last clip only.
            with nullcontext() if self._parallel is None or last else self._parallel.no_sync():
                with self._autocast:
                    output = (self._parallel or self._model)(sample.luma, sample.row_indices)
                    loss = head_loss(
                        output,
                        sample.targets,
                        scoring=self._model.stacker.head.scoring,
                        settings=self._settings.fit,
                    )
                total += float(loss.detach()) / len(samples)
                if last:
                    # Before the backward pass waits for the gradients of the others: a lost process shows
                    # here as an error, which ends all of them.
                    summed, stops = self._distributed.all_reduce_sum([total, float(stop.raised)])
                self._optimizer.backward(loss / len(samples))
        mean = summed / self._distributed.world_size
        if self._optimizer.step(torch.tensor(mean)):
            self._epoch.losses.append(mean)
        self._step += 1
        return stops > 0

    def _validate(self, number: int, stop: StopFlag) -> None:
        """Score the validation games, and finish the epoch."""
        began = time.monotonic()
        mean_ap = self._validation.score(self.averaged, self._distributed, stop)
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
            "share_of_pictures_used": round(self._loader.fraction_used, 4),
            "train_seconds": round(epoch.seconds, 1),
            "seconds": round(epoch.seconds + time.monotonic() - began, 1),
        }
        self._history.append(record)
        self._epoch = _EpochProgress([])
        # Replaces the checkpoint that the last step left, now with the score of the epoch.
        self._save()
        best = self._history[best_epoch(self._history) - 1]["mAP@1"]
        _print_epoch(record, self._settings.finetune, best=best)

    def _save(self) -> None:
        if self._distributed.is_main:
            best = best_epoch(self._history) * self._loader.steps if self._history else 0
            training = {"optimizer": self._optimizer.state_dict(), "losses": self._epoch.losses}
            checkpoint = Checkpoint(self._step, self._model.stacker.state_dict(), training, self._history)
            self._run.save(checkpoint, best=best)


def compute_precision(settings: FinetuneSettings, device: torch.device) -> str:
    """Precision of the training steps; auto means bf16 on a GPU that supports it, else fp32."""
    if settings.precision == "auto":
        return best_precision("auto", device) if device.type == "cuda" else "fp32"
    return settings.precision


def _print_epoch(record: dict[str, Any], settings: FinetuneSettings, *, best: float) -> None:
    loss = "none" if record["loss"] is None else f"{record['loss']:.4f}"
    console.info(
        f"epoch {record['epoch']}/{settings.epochs}  loss {loss}  mAP@1 {100 * record['mAP@1']:.2f}  "
        f"best {100 * best:.2f}  {record['seconds']:.1f} s  {100 * record['share_waiting']:.0f} % of training time "
        "waiting for clips"
    )
