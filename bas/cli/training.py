"""Commands that train, tune and merge models: fit-head, finetune-e2e, contact-sheet, tune, merge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bas.cli import options
from bas.cli.app import app

if TYPE_CHECKING:
    from bas.config import Pipeline


@app.command("fit-head")
def fit_head(
    head: Annotated[
        str,
        typer.Argument(
            metavar="HEAD", help="Head (netvlad, blocks3d, sgp, gru, linear), or a recipe from configs/heads."
        ),
    ],
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    out: options.Runs = options.RUNS,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    preset: options.Preset = None,
    sets: options.Sets = None,
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="K/N|all",
            help="Cross-validate on train and valid: hold out fold K of N, counted from 0, e.g. 0/5; `all` runs every fold.",
        ),
    ] = None,
    all_data: Annotated[
        bool,
        typer.Option(
            "--all-data", help="Train on every labeled match, without validation, and keep the last epoch."
        ),
    ] = False,
) -> None:
    """Fit a temporal head on cached features (stage 2).

    The epoch with the highest validation mAP@1 is kept. Missing features are extracted first.
    """
    from bas.commands.training.cross_validate import fit_folds
    from bas.commands.training.fit_head import fit
    from bas.config import load

    settings = load("heads", head=head, preset=preset, sets=sets or ())
    where = options.workspace(data=data, features=features, runs=out, device=device, decoder=decoder)
    if fold is None:
        fit(settings, where, all_data=all_data)
    elif all_data:
        raise typer.BadParameter("--all-data and --fold exclude each other. Leave out --fold.")
    else:
        fit_folds(settings, where, fold=fold)


@app.command("finetune-e2e")
def finetune_e2e(
    run: options.Start = None,
    data: options.Data = options.DATA,
    out: options.Runs = options.RUNS,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    preset: options.Preset = None,
    sets: options.Sets = None,
) -> None:
    """Finetune encoder and head together on video (stage 3).

    The epoch with the highest validation mAP@1 is kept.
    """
    from bas.commands.training.finetune import finetune

    start, settings = _finetune_settings(run, runs=out, preset=preset, sets=sets)
    finetune(start, settings, options.workspace(data=data, runs=out, device=device, decoder=decoder))


@app.command("contact-sheet")
def contact_sheet(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="PNG file to write.")] = Path("clips.png"),
    run: options.Start = None,
    data: options.Data = options.DATA,
    runs: options.Runs = options.RUNS,
    decoder: options.Decoder = "auto",
    preset: options.Preset = None,
    sets: options.Sets = None,
) -> None:
    """Draw the first clips that finetune-e2e would train on.

    They are augmented as in training, and show their labels.
    """
    from bas.commands.training.contact_sheet import contact_sheet as draw

    start, settings = _finetune_settings(run, runs=runs, preset=preset, sets=sets)
    draw(start, settings, options.workspace(data=data, runs=runs, device="cpu", decoder=decoder), out=out)


@app.command()
def tune(
    run: options.Run = None,
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
) -> None:
    """Tune the post-processing of a run on the validation split.

    The result is saved with the model.
    """
    from bas.commands.training.tune import tune_run

    tune_run(
        run or options.newest_run(),
        options.workspace(data=data, features=features, device=device, decoder=decoder),
    )


@app.command()
def merge(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders to merge, two or more.")],
    out: Annotated[Path, typer.Option(help="Run folder to create.")],
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
) -> None:
    """Average several runs in one model.

    Their weights are tuned on the validation split.
    """
    from bas.commands.training.merge import merge as run

    run(runs, options.workspace(data=data, features=features, device=device, decoder=decoder), out=out)


def _finetune_settings(
    run: Path | None, *, runs: Path, preset: str | None, sets: list[str] | None
) -> tuple[Path, Pipeline]:
    """Folder to start from, and its settings with preset and --set applied."""
    from bas.config import load
    from bas.heads.interop.model_folder import load_settings
    from bas.runs import newest_finished

    start = run or newest_finished(runs, without="e2e-")
    return start, load("finetune", base=load_settings(start), preset=preset, sets=sets or ())
