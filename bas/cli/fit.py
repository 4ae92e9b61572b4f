"""Commands that make models, and make them better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bas.cli.options import (
    DATA,
    FEATURES,
    RUNS,
    Data,
    Decoder,
    Device,
    Features,
    Preset,
    Runs,
    Sets,
    chosen_device,
    newest_run,
)
from bas.cli.roof import app

if TYPE_CHECKING:
    from bas.config import Pipeline


@app.command("fit-head")
def fit_head(
    head: Annotated[
        str, typer.Argument(help="netvlad, blocks3d, sgp, gru, linear, or a recipe of configs/heads.")
    ],
    data: Data = DATA,
    features: Features = FEATURES,
    out: Runs = RUNS,
    device: Device = "auto",
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Hold out every Nth match of train and valid from the Kth on, as 0/5; or all, one after the other.",
        ),
    ] = None,
    all_data: Annotated[
        bool, typer.Option("--all-data", help="Learn from every labeled match and keep the last epoch.")
    ] = False,
) -> None:
    """Fit a head on cached rows, and keep the epoch with the best validation mAP@1 (stage 2)."""
    from bas.config import load
    from bas.heads.folds import fit_folds
    from bas.heads.lessons import Place
    from bas.heads.run import fit

    settings = load("heads", head=head, preset=preset, sets=sets or ())
    place = Place(data, features, out, chosen_device(device), decoder)
    if fold is None:
        fit(settings, place, all_data=all_data)
    elif all_data:
        raise typer.BadParameter("--all-data holds no match out: leave out --fold.")
    else:
        fit_folds(settings, place, fold=fold)


@app.command("finetune-e2e")
def finetune_e2e(
    run: Annotated[
        Path | None,
        typer.Option(
            help="Run or model to start from; else the newest finished run of fit-head in $BAS_RUNS or runs."
        ),
    ] = None,
    data: Data = DATA,
    out: Runs = RUNS,
    device: Device = "auto",
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
) -> None:
    """Train encoder and head together on clips of the video, and keep the best epoch (stage 3)."""
    from bas.heads.finetune_run import finetune
    from bas.heads.lessons import Place

    start, settings = _finetune_settings(run, runs=out, preset=preset, sets=sets)
    finetune(start, settings, Place(data, FEATURES, out, chosen_device(device), decoder))


@app.command("contact-sheet")
def contact_sheet(
    out: Annotated[Path, typer.Argument(help="PNG to write.")] = Path("clips.png"),
    run: Annotated[Path | None, typer.Option(help="Run or model, as of finetune-e2e.")] = None,
    data: Data = DATA,
    runs: Runs = RUNS,
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
) -> None:
    """Draw the first clips that finetune-e2e would see, augmented, with their labels."""
    from bas.heads.contact_sheet import contact_sheet as draw
    from bas.heads.lessons import Place

    start, settings = _finetune_settings(run, runs=runs, preset=preset, sets=sets)
    draw(start, settings, Place(data, FEATURES, runs, "cpu", decoder), out=out)


@app.command("import-weights")
def import_weights(
    source: Annotated[Literal["lromul", "tdeed", "netvlad"], typer.Argument(help="Whose checkpoint it is.")],
    file: Annotated[Path, typer.Argument(help="lRomul's .pth, T-DEED's .pt, sn-spotting's .pth.tar.")],
    out: Annotated[Path, typer.Option(help="Folder of the model.")],
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="NAME", help="Name of an output; repeatable, in their order."),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="lromul: the weights themselves, not their moving average.")
    ] = False,
    pool: Annotated[
        Literal["MAX", "MAX++", "AVG", "AVG++"] | None,
        typer.Option(help="netvlad: its pooling, where the checkpoint has no clusters."),
    ] = None,
    window_seconds: Annotated[
        float | None, typer.Option(help="netvlad: length of its window; 15 as published.")
    ] = None,
) -> None:
    """Turn a published checkpoint into a model folder; nothing in it is executed."""
    from bas.heads.foreign import import_weights as run

    run(source, file, out, classes=classes or (), raw=raw, pool=pool, window_seconds=window_seconds)


@app.command()
def tune(
    run: Annotated[
        Path | None,
        typer.Argument(help="Folder of a finished run; else the newest finished run in $BAS_RUNS or runs."),
    ] = None,
    data: Data = DATA,
    features: Features = FEATURES,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Search post-processing on the validation matches, and store it with a run's model."""
    from bas.heads.tuning import tune_run

    tune_run(run or newest_run(), data=data, features=features, device=chosen_device(device), decoder=decoder)


@app.command()
def merge(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that results.")],
    data: Data = DATA,
    features: Features = FEATURES,
    device: Device = "auto",
    decoder: Decoder = "auto",
) -> None:
    """Average the scores of several runs, their weights tuned on the validation matches."""
    from bas.heads.merge import merge as run

    run(runs, out=out, data=data, features=features, device=chosen_device(device), decoder=decoder)


def _finetune_settings(
    run: Path | None, *, runs: Path, preset: str | None, sets: list[str] | None
) -> tuple[Path, Pipeline]:
    """The run to start from, and its settings with what was asked for on top."""
    from bas.config import load
    from bas.heads.models import settings_of
    from bas.runs import newest_finished

    start = run or newest_finished(runs, without="e2e-")
    return start, load("finetune", base=settings_of(start), preset=preset, sets=sets or ())
