"""The command `rovercam`: arguments, printing, exit codes (0 done, 1 not achieved, 2 bad usage). No protocol here.

Modules here import nothing heavy at their top, so that `rovercam --help` is quick; commands import what they need.
Further commands come from entry points of the group "rovercam.commands", each a function register(app).
"""

from __future__ import annotations

import os
import sys
from importlib import metadata
from typing import Any

import typer

from rovercam.cli import (
    archive,
    dictionary,
    files,
    ground,
    image,
    keys,
    lines,
    pictures,
    planning,
    release,
    sending,
    telemetry,
    yamcs,
)

DONE, NOT_ACHIEVED, BAD_USAGE = 0, 1, 2
# typer brings its own copy of click since 0.26 and used the package before: ask typer which ClickException it raises.
USAGE_ERROR: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
MODULES = (
    pictures,
    image,
    files,
    ground,
    sending,
    planning,
    telemetry,
    lines,
    archive,
    release,
    keys,
    dictionary,
    yamcs,
)


def make_app() -> typer.Typer:
    """All commands of this distribution, and those of its extras that are installed."""
    app = typer.Typer(
        name="rovercam",
        help="A rover's camera unit: take pictures with it, command it, receive it, test it.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich's help costs 0.3 s of every start
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root(
        version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True),
    ) -> None:
        if version:
            typer.echo(metadata.version("rovercam"))
            raise typer.Exit

    for module in MODULES:
        module.register(app)
    for entry in metadata.entry_points(group="rovercam.commands"):
        try:
            entry.load()(app)
        except ImportError as error:
            # Without the extra [hil] there is nothing to import; anything else is worth a word.
            if os.environ.get("ROVERCAM_DEBUG"):
                print(f"rovercam: commands of {entry.value} left out: {error}", file=sys.stderr)
    return app


def _errors() -> tuple[tuple[type[Exception], ...], tuple[type[Exception], ...]]:
    """(bad usage, not achieved): errors whose message is for the user."""
    from rovercam.archive import ArchiveError
    from rovercam.dictionary import DictionaryError
    from rovercam.keys import KeyStoreError
    from rovercam.line import LineError
    from rovercam.release.errors import ReleaseError
    from rovercam.station.core import StationError

    return (DictionaryError,), (
        StationError,
        LineError,
        ArchiveError,
        KeyStoreError,
        ReleaseError,
        FileNotFoundError,
        PermissionError,
    )


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code through sys.exit when used as a command."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:
        sys.exit(code)
    return code


def run(arguments: list[str]) -> int:
    command = typer.main.get_command(make_app())
    try:
        result = command.main(args=arguments, prog_name="rovercam", standalone_mode=False)
        return result if isinstance(result, int) else DONE
    except typer.Exit as end:
        return end.exit_code
    except USAGE_ERROR as error:
        error.show()
        return BAD_USAGE
    except (KeyboardInterrupt, typer.Abort):
        print("\nrovercam: interrupted", file=sys.stderr)
        return NOT_ACHIEVED
    except ModuleNotFoundError as error:
        if (error.name or "rovercam").split(".")[0] in ("rovercam", "rovercam_hil") or os.environ.get("ROVERCAM_DEBUG"):
            raise
        print(
            f"rovercam: this command needs {error.name}, which is not installed: pip install 'rovercam[hil]'",
            file=sys.stderr,
        )
        return NOT_ACHIEVED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to say, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:
        if os.environ.get("ROVERCAM_DEBUG"):
            raise
        bad_usage, not_achieved = _errors()
        if isinstance(error, bad_usage):
            print(f"rovercam: {error}", file=sys.stderr)
            return BAD_USAGE
        if isinstance(error, not_achieved):
            print(f"rovercam: {error}", file=sys.stderr)
            return NOT_ACHIEVED
        raise
