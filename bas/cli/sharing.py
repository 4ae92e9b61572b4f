"""Commands that exchange results and models with others: submit, import-weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bas.cli import options
from bas.cli.app import app


@app.command()
def submit(
    run: options.Run = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split to submit (default: challenge; with --check, the split whose matches the zip holds)."
        ),
    ] = None,
    check: Annotated[
        Path | None, typer.Option(help="Only validate this existing zip; needs no run and no video.")
    ] = None,
    data: options.Data = options.DATA,
    features: options.Features = options.FEATURES,
    out: Annotated[
        Path | None, typer.Option(help="Zip file to write (default: RUN/submission-SPLIT.zip).")
    ] = None,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    flip: options.Flip = False,
) -> None:
    """Build the submission zip for a split and validate it."""
    from bas.commands.sharing.submit import check_zip, submit_run

    if check is not None:
        if run or out:
            raise typer.BadParameter("--check validates an existing zip: leave out the run and --out.")
        check_zip(check, data=data, split=split)
        return
    submit_run(
        run or options.newest_run(),
        options.workspace(data=data, features=features, device=device, decoder=decoder),
        split=split or "challenge",
        out=out,
        flip=flip,
    )


@app.command("import-weights")
def import_weights(
    source: Annotated[
        Literal["lromul", "tdeed", "netvlad"],
        typer.Argument(metavar="SOURCE", help="Project that published the checkpoint."),
    ],
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Checkpoint: lRomul .pth, T-DEED .pt or sn-spotting .pth.tar."),
    ],
    out: Annotated[Path, typer.Option(help="Model folder to create.")],
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="NAME",
            help="Class name of one output, in output order; repeatable (default: the SoccerNet list of that length).",
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="lromul only: use the raw weights instead of their moving average.")
    ] = False,
    pool: Annotated[
        Literal["MAX", "MAX++", "AVG", "AVG++"] | None,
        typer.Option(help="netvlad only: pooling of a checkpoint without clusters."),
    ] = None,
    window_seconds: Annotated[
        float | None,
        typer.Option(
            help="netvlad only: window length in seconds (default, as published: 20 for MAX and image-style NetVLAD, "
            "otherwise 15)."
        ),
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="N", help="netvlad only: feature rows per second (default: 2, as published)."),
    ] = None,
) -> None:
    """Convert a published checkpoint to a model folder.

    No pickle code in the checkpoint is executed.
    """
    from bas.commands.sharing.import_weights import import_weights as run

    run(
        source,
        file,
        out,
        classes=classes or (),
        raw=raw,
        pool=pool,
        window_seconds=window_seconds,
        rate=rate,
    )
