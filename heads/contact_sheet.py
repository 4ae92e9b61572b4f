"""A sheet of augmented clips to look at: what the model will see, one clip a line."""

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
from bas.heads.clip_plan import ClipShape, clip_shape
from bas.heads.clips import Slots
from bas.heads.film import film, supply_of
from bas.heads.finetune_start import require_footage, starting_stacker
from bas.heads.lessons import Place
from bas.heads.processes import Processes
from bas.heads.supply import Sample
from bas.heads.targets import target_classes

_CLIPS, _COLUMNS = 12, 8
_WIDTH = 240
_MARGIN = 4
_LINE = 14  # pixels of a line of text
_BACK, _INK = 24, 235
_LEGEND = "Seconds of the clip, and what is labeled there; - where the row is not learned from."


def contact_sheet(start: Path, settings: Pipeline, place: Place, *, out: Path) -> None:
    """Write a PNG of the first clips of a training: of each some pictures, and what is true of their rows.

    Args:
        start: folder of the run or model that the training would start from.
        settings: of the whole pipeline.
        place: of the data.
        out: takes the picture.

    Raises:
        SettingsError: `out` is no PNG.
        SettingsError, MissingError, DataError: as of the training itself.
    """
    if out.suffix.lower() != ".png":
        raise SettingsError(f"{out} is to take a PNG. Give it a name that ends in .png.")
    dataset = open_dataset(place.data, video=settings.extract.video)
    stacker = starting_stacker(start, settings, dataset)
    shape = clip_shape(stacker.head, settings.finetune.clip_rows)
    videos = film(dataset, dataset.split("train"), settings)
    require_footage(videos, shape, settings)
    supply = supply_of(shape, videos, dataset, settings, place, Processes())
    outputs = target_classes(dataset.classes, teams=settings.fit.teams == "classes")
    samples = list(islice(chain.from_iterable(supply.epoch(1)), _CLIPS))
    sheet = _sheet(samples, supply.slots, shape, settings, outputs)
    memory = io.BytesIO()
    sheet.save(memory, "PNG")
    atomic_write(out, memory.getvalue())
    console.say(f"{len(samples)} clips of {shape.rows} rows: {out}")


def _sheet(
    samples: Sequence[Sample], slots: Slots, shape: ClipShape, settings: Pipeline, outputs: Sequence[str]
) -> Image.Image:
    extract = settings.extract
    height = round(_WIDTH * extract.height / extract.width)
    across, down = _WIDTH + _MARGIN, height + _LINE + _MARGIN
    sheet = Image.new("L", (_COLUMNS * across + _MARGIN, _LINE + len(samples) * down + _MARGIN), _BACK)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN + 2, _MARGIN), _LEGEND, fill=_INK)
    rows = np.linspace(0, shape.rows - 1, _COLUMNS).round().astype(int).tolist()
    for line, sample in enumerate(samples):
        for column, row in enumerate(rows):
            left, top = _MARGIN + column * across, _MARGIN + _LINE + line * down
            luma = sample.luma[slots.stacks[row, 1]].cpu().numpy()
            sheet.paste(Image.fromarray(luma).resize((_WIDTH, height)), (left, top))
            text = f"{float(row / extract.row_rate):.1f} s  {_told(sample, row, shape, outputs)}"
            draw.text((left + 2, top + height + 1), text, fill=_INK)
    return sheet


def _told(sample: Sample, row: int, shape: ClipShape, outputs: Sequence[str]) -> str:
    """Labels of a row, with their shares where clips are mixed; a dash where no window tells of it."""
    windows, places = np.nonzero(shape.told == row)
    if not len(windows) or not sample.truth.counted[windows[0], places[0]]:
        return "-"
    labels = sample.truth.labels[windows[0], places[0]].tolist()
    there = [(name, share) for name, share in zip(outputs, labels, strict=True) if share]
    return ", ".join(name if share == 1 else f"{name} {share:.1f}" for name, share in there)
