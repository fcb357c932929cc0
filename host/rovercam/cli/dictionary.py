"""dictionary check, generate, markdown, xtce."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rovercam.cli.common import JsonOption, print_json

dictionary_app = typer.Typer(help="The definition of packets, commands, parameters and events.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(dictionary_app, name="dictionary")


def _checkout() -> Path:
    from rovercam import places

    root = places.firmware_dir().parent
    if not (root / "pyproject.toml").exists():
        raise typer.BadParameter("files are generated in a checkout; this rovercam is installed from a wheel")
    return root


@dictionary_app.command()
def check(json: JsonOption = False) -> None:
    """Is the definition consistent, and what was made of it fresh? Exit code 1 when not."""
    from rovercam.dictionary import load
    from rovercam.dictionary.generate import generated

    dictionary = load()
    root = _checkout()
    stale = [
        str(path.relative_to(root))
        for path, content in generated(dictionary, root).items()
        if not path.exists() or path.read_bytes() != content
    ]
    counts = {
        "parameters": len(dictionary.parameters),
        "commands": len(dictionary.commands),
        "reports": len(dictionary.reports),
        "events": len(dictionary.events),
    }
    if json:
        print_json({"version": dictionary.version, "hash": f"{dictionary.hash:08x}", "stale": stale} | counts)
    else:
        print(
            f"version {dictionary.version}, hash {dictionary.hash:08x}: "
            + ", ".join(f"{n} {k}" for k, n in counts.items())
        )
        for path in stale:
            print(f"stale: {path}; run `rovercam dictionary generate`")
    raise typer.Exit(1 if stale else 0)


@dictionary_app.command()
def generate() -> None:
    """Write the files that are made of the definition (in a checkout)."""
    from rovercam.dictionary import load
    from rovercam.dictionary.generate import write_all

    for path in write_all(load(), _checkout()):
        print(path)


@dictionary_app.command()
def markdown() -> None:
    """Print the interface document."""
    from rovercam.dictionary import load
    from rovercam.dictionary.document import markdown as document

    print(document(load()), end="")


@dictionary_app.command()
def xtce(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; without it, print.")] = None,
    unit: Annotated[list[int] | None, typer.Option("--unit", "-u", help="Units to describe; 1 without any.")] = None,
) -> None:
    """The XTCE mission database."""
    from rovercam.dictionary import load
    from rovercam.dictionary.xtce import xtce as database

    made = database(load(), unit or [1])
    if out is None:
        print(made)
    else:
        out.write_text(made, encoding="utf-8")
