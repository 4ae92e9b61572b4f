"""Commands that make, fetch, inspect and cache matches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bas import console
from bas.cli.options import (
    DATA,
    FEATURES,
    Data,
    Decoder,
    Device,
    Features,
    Preset,
    Sets,
    Split,
    chosen_device,
)
from bas.cli.roof import app


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="Folder to fill.")],
    matches: Annotated[int, typer.Option(min=1, help="How many.")] = 6,
    minutes: Annotated[float, typer.Option(min=0.1, help="Length of each.")] = 5.0,
    size: Annotated[str, typer.Option(help="224p, 720p or WIDTHxHEIGHT.")] = "224p",
    profile: Annotated[
        Literal["real", "even"],
        typer.Option(help="real: as often as in real matches; even: all classes alike."),
    ] = "real",
    layout: Annotated[
        Literal["bas-2025", "bas-2024", "bas-2023", "soccernet-v2", "folder"],
        typer.Option(help="Which dataset to look like."),
    ] = "bas-2025",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
) -> None:
    """Render matches that do not exist, with labels, as H.264 video."""
    from bas.synthetic import synthesize

    games = synthesize(
        out, matches=matches, minutes=minutes, size=size, profile=profile, layout=layout, seed=seed
    )
    console.say(f"{len(games)} matches in {out}. Next: bas doctor {out}")


@app.command()
def download(
    edition: Annotated[Literal["2023", "2024", "2025"], typer.Argument(help="Year of the challenge.")],
    split: Annotated[str, typer.Option(help="train, valid, test, challenge, or all.")] = "all",
    data: Data = DATA,
) -> None:
    """Fetch SoccerNet's matches from Hugging Face, unpack and verify them; goes on where it was cut.

    The password of the agreement comes from SOCCERNET_PASSWORD, or is asked for.
    """
    from bas.dataset.download import download as run

    run(edition, split=split, data=data)


@app.command()
def doctor(
    folder: Annotated[
        Path, typer.Argument(envvar="BAS_DATA", help="Folder of matches, one video, or a folder of caches.")
    ] = DATA,
    video: Annotated[
        Literal["720p", "224p"] | None, typer.Option(help="Which video files of a match to look at.")
    ] = None,
) -> None:
    """Say what a folder holds, what is missing, and what looks wrong."""
    from bas.doctor import examine_folder

    examine_folder(folder, video=video)


@app.command()
def extract(
    split: Split = "train",
    data: Data = DATA,
    out: Features = FEATURES,
    device: Device = "auto",
    decoder: Decoder = "auto",
    preset: Preset = None,
    sets: Sets = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Take every Nth video from the Ith on, as 0/4; else RANK of torchrun."
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="Run or model whose encoder to take, with its settings: a tuned one fills a new cache."
        ),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="The mirrored view, as a cache of its own (extract.flip=true).")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print rows, bytes and time a video; decode nothing.")
    ] = False,
) -> None:
    """Cache the features of every video of a split (stage 1)."""
    from bas.config import load
    from bas.extract.split import extract_split, plan_split

    sets = [*(sets or ()), *(["extract.flip=true"] if flip else ())]
    base = None
    if encoder is not None:
        from bas.heads.models import settings_of

        base, sets = settings_of(encoder), [*sets, f"extract.weights={encoder}"]
    settings = load("extract", base=base, preset=preset, sets=sets).extract
    device = chosen_device(device)
    if plan:
        plan_split(settings, data=data, features=out, split=split, device=device)
        return
    extract_split(settings, data=data, features=out, split=split, device=device, decoder=decoder, shard=shard)
