"""`bas contact-sheet`: a picture of augmented training clips, one clip per line."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bas import console
from bas.config import Pipeline
from bas.dataset import open_dataset
from bas.errors import SettingsError
from bas.files import atomic_write
from bas.heads.finetune.clip_loader import ClipSample, build_loader, open_annotated_videos
from bas.heads.finetune.clip_sampler import ClipShape, clip_shape
from bas.heads.finetune.distributed import DistributedContext
from bas.heads.finetune.preflight import load_starting_model, require_clips_fit
from bas.messages import counted
from bas.vocabulary import target_classes
from bas.workspace import Workspace

_CLIPS, _COLUMNS = 12, 8
_WIDTH = 240
_MARGIN = 4
_LINE = 14  # height of a line of text in pixels
_BACKGROUND, _FOREGROUND = 24, 235
_LEGEND = "Time in the clip and the labels there; - marks rows without targets."


def contact_sheet(start: Path, settings: Pipeline, workspace: Workspace, *, out: Path) -> None:
    """Write a PNG of the first training clips: eight pictures of each, with the targets of their rows.

    Args:
        start: folder of the run or model that training would start from.
        settings: settings of the whole pipeline.
        workspace: folders of data; decoder.
        out: file to write.

    Raises:
        SettingsError: `out` does not end in .png.
        SettingsError, MissingError, DataError: as in `finetune`.
    """
    if out.suffix.lower() != ".png":
        raise SettingsError(f"Invalid output file {out}. Its name must end in .png.")
    dataset = open_dataset(workspace.data, video=settings.extract.video)
    stacker = load_starting_model(start, settings, dataset)
    shape = clip_shape(stacker.head, settings.finetune.clip_rows, settings.extract)
    videos = open_annotated_videos(dataset, dataset.split("train"), settings)
    require_clips_fit(videos, shape, settings)
    loader = build_loader(shape, videos, dataset, settings, workspace, DistributedContext())
    outputs = target_classes(dataset.classes, teams=settings.fit.teams == "classes")
    samples = list(islice(chain.from_iterable(loader.epoch(1)), _CLIPS))
    sheet = _sheet(samples, shape, settings, outputs)
    memory = io.BytesIO()
    sheet.save(memory, "PNG")
    atomic_write(out, memory.getvalue())
    console.info(f"Drew {counted(len(samples), 'clip')} of {shape.num_rows} rows: {out}")


def _sheet(
    samples: Sequence[ClipSample],
    shape: ClipShape,
    settings: Pipeline,
    outputs: Sequence[str],
) -> Image.Image:
    extract = settings.extract
    height = round(_WIDTH * extract.height / extract.width)
    across, down = _WIDTH + _MARGIN, height + _LINE + _MARGIN
    sheet = Image.new("L", (_COLUMNS * across + _MARGIN, _LINE + len(samples) * down + _MARGIN), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN + 2, _MARGIN), _LEGEND, fill=_FOREGROUND)
    rows = np.linspace(0, shape.num_rows - 1, _COLUMNS).round().astype(int).tolist()
    for line, sample in enumerate(samples):
        for column, row in enumerate(rows):
            left, top = _MARGIN + column * across, _MARGIN + _LINE + line * down
            luma = sample.luma[shape.stacks[row, 1]].cpu().numpy()
            sheet.paste(Image.fromarray(luma).resize((_WIDTH, height)), (left, top))
            text = f"{float(row / extract.row_rate):.1f} s  {_caption(sample, row, shape, outputs)}"
            draw.text((left + 2, top + height + 1), text, fill=_FOREGROUND)
    return sheet


def _caption(sample: ClipSample, row: int, shape: ClipShape, outputs: Sequence[str]) -> str:
    """Labels of a row, with their weights if clips are mixed; a dash if the row has no target."""
    windows, positions = np.nonzero(shape.target_rows == row)
    if not len(windows) or not sample.targets.mask[windows[0], positions[0]]:
        return "-"
    labels = sample.targets.labels[windows[0], positions[0]].tolist()
    present = [(name, weight) for name, weight in zip(outputs, labels, strict=True) if weight]
    return ", ".join(name if weight == 1 else f"{name} {weight:.1f}" for name, weight in present)
