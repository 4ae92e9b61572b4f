"""Commands that render, download, check and extract data: synth, download, doctor, extract."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bas import console
from bas.cli import options
from bas.cli.app import app


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Data folder to create.")],
    matches: Annotated[int, typer.Option(min=1, metavar="N", help="Number of matches.")] = 6,
    minutes: Annotated[float, typer.Option(min=0.1, metavar="N", help="Length of each match.")] = 5.0,
    size: Annotated[str, typer.Option(help="Video size: 224p, 720p or WIDTHxHEIGHT.")] = "224p",
    profile: Annotated[
        Literal["real", "even"],
        typer.Option(help="Class frequencies: real, as in real matches; even, all classes alike."),
    ] = "real",
    layout: Annotated[
        Literal["bas-2025", "bas-2024", "bas-2023", "soccernet-v2", "folder"],
        typer.Option(help="Dataset whose folders and label files to imitate."),
    ] = "bas-2025",
    seed: Annotated[int, typer.Option(help="Random seed; the same seed gives the same bytes.")] = 0,
) -> None:
    """Render synthetic matches with labels, as H.264 video."""
    from bas.messages import counted
    from bas.synthetic import synthesize

    games = synthesize(
        out, matches=matches, minutes=minutes, size=size, profile=profile, layout=layout, seed=seed
    )
    console.info(
        f"Rendered {counted(len(games), 'match')} in {out}. Next: bas extract --data {out} --preset tiny"
    )


@app.command()
def download(
    edition: Annotated[
        Literal["2023", "2024", "2025"],
        typer.Argument(metavar="YEAR", help="Year of the SoccerNet challenge."),
    ],
    split: Annotated[str, typer.Option(help="Split: train, valid, test, challenge, or all.")] = "all",
    data: options.Data = options.DATA,
) -> None:
    """Download, unpack and verify SoccerNet matches.

    They come from Hugging Face; an interrupted download resumes. The NDA password is read from SOCCERNET_PASSWORD, or prompted for.
    """
    from bas.dataset.download.edition import download as run

    run(edition, split=split, data=data)


@app.command()
def doctor(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", envvar="BAS_DATA", help="Folder of matches or of cached features, or one video."
        ),
    ] = options.DATA,
    video: Annotated[
        Literal["720p", "224p"] | None,
        typer.Option(help="Video files to check (default: 720p, or 224p if no match has 720p)."),
    ] = None,
) -> None:
    """Check a data or feature folder and report problems."""
    from bas.commands.data.doctor import examine_folder

    examine_folder(folder, video=video)


@app.command()
def settings(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Setting (peaks.sigma), section (extract, head, fit, finetune, peaks), kind of head, or the beginning "
            "of a name (default: all settings).",
            show_default=False,
        ),
    ] = "",
) -> None:
    """List settings with type, default, range and meaning."""
    from bas.commands.data.settings import print_settings

    print_settings(name)


@app.command()
def extract(
    split: options.Split = "train",
    data: options.Data = options.DATA,
    out: options.Features = options.FEATURES,
    device: options.Device = "auto",
    decoder: options.Decoder = "auto",
    preset: options.Preset = None,
    sets: options.Sets = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Extract only shard I of N, counted from 0, e.g. 0/4 (default: from torchrun's RANK, otherwise all).",
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Run or model folder whose encoder and settings to use (default: the encoder in the settings)."
        ),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Extract the mirrored video, into a separate cache.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print rows, bytes and time per video, and extract nothing.")
    ] = False,
) -> None:
    """Extract and cache the features of a split (stage 1)."""
    from bas.commands.data.extract import extract_split, plan_split
    from bas.config import load

    sets = [*(sets or ()), *(["extract.flip=true"] if flip else ())]
    base = None
    if encoder is not None:
        from bas.heads.interop.model_folder import load_settings

        base, sets = load_settings(encoder), [*sets, f"extract.weights={encoder}"]
    settings = load("extract", base=base, preset=preset, sets=sets).extract
    device = options.chosen_device(device)
    if plan:
        plan_split(settings, data=data, features=out, split=split, device=device)
        return
    extract_split(settings, data=data, features=out, split=split, device=device, decoder=decoder, shard=shard)
