"""The command `medssl` with its parts, and what becomes of an error."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from pydantic import ValidationError
from typer.core import TyperGroup
from typer.exceptions import TyperException

import medssl
from medssl.cli import (
    benchmark,
    cases,
    demo,
    doctor,
    evaluate,
    jobs,
    models,
    predict,
    pretrain,
    projects,
    review,
    serve,
    train,
)
from medssl.cli.display import write_json
from medssl.cli.options import examples
from medssl.cli.streams import NOBODY_READS, NobodyReadsError, prepare, release, tell
from medssl.cli.workplace import Elsewhere, work_elsewhere
from medssl.endpoint import read_token, state_folder
from medssl.errors import Cancelled, MedSSLError, UsageError
from medssl.faults import first_fault

_HERE_ONLY = ("demo", "doctor", "serve")
# In the order of the work; typer itself would put all commands before all groups.
_ORDER = [
    "demo", "project", "case", "train", "review", "predict", "evaluate",
    "pretrain", "model", "job", "benchmark", "serve", "doctor",
]  # fmt: skip
_BEGIN = examples(
    "medssl demo",
    'medssl project new kidneys --segments "1=Kidney,2=Tumor"; cd kidneys',
    "medssl case add ~/scans",
    "medssl case annotate patient-07 ~/drawn/patient-07.seg.nrrd",
    "medssl train",
    "medssl review propose",
    "medssl predict ~/new-scans --out ~/segmented",
)


class _InOrder(TyperGroup):
    """Lists its commands in the order of the work."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See `TyperGroup`; `ctx` is of a type that typer does not name."""
        return sorted(super().list_commands(ctx), key=_ORDER.index)


app = typer.Typer(
    name="medssl",
    cls=_InOrder,
    help="Segmentation of medical volumes from one or two annotated scans.",
    epilog=_BEGIN,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo", epilog=demo.EXAMPLES)(demo.demo)
app.add_typer(projects.app, name="project")
app.add_typer(cases.app, name="case")
app.command("pretrain", epilog=pretrain.EXAMPLES)(pretrain.pretrain)
app.command("train", epilog=train.EXAMPLES)(train.train)
app.add_typer(review.app, name="review")
app.command("predict", epilog=predict.EXAMPLES)(predict.predict)
app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(models.app, name="model")
app.add_typer(jobs.app, name="job")
app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"medssl {medssl.__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
    remote: Annotated[
        str | None,
        typer.Option(
            help="Work through the engine at this address, such as https://gpu-server:8443. Paths are those "
            "of this computer, except a project's and those that begin with 'engine:'.",
            envvar="MEDSSL_REMOTE",
            show_default=False,
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the engine's token; or the token itself in the variable MEDSSL_TOKEN.",
            envvar="MEDSSL_TOKEN_FILE",
            show_default=False,
        ),
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the engine's certificate, where this computer does not know it.",
            envvar="MEDSSL_VERIFY",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Segmentation of medical volumes from one or two annotated scans."""
    work_elsewhere(None)
    if not remote:
        return
    if context.invoked_subcommand in _HERE_ONLY:
        raise UsageError(
            f"'medssl {context.invoked_subcommand}' works on this computer only.",
            "Leave out --remote, or unset MEDSSL_REMOTE.",
        )
    given = _given_token(token_file)
    token = _own_token(remote) if given is None else given
    work_elsewhere(Elsewhere(remote, token, True if verify is None else str(verify), is_own=given is None))


def _given_token(file: Path | None) -> str | None:
    """The token that a file or the environment gives; None when neither does."""
    if file is not None:
        try:
            return file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise UsageError(f"The token file {file} cannot be read.", "Check the path.") from error
    return os.environ.get("MEDSSL_TOKEN", "").strip() or None


def _own_token(remote: str) -> str:
    """The token of this user's own engine, if that is the one at the address."""
    from medssl.client import engine_state

    own = engine_state()
    if remote.rstrip("/") in (own.url, own.local_url):
        if not own.running:  # another user's program may have waited for its port
            raise MedSSLError(
                f"Your engine does not answer at {remote} any more, and nothing else there gets its token.",
                "Start it with 'medssl serve', and give the address that it names.",
            )
        return read_token(state_folder())
    raise UsageError(
        f"The engine at {remote} wants a token.",
        "Give the file that 'medssl serve' names there with --token-file, or set MEDSSL_TOKEN.",
    )


def main() -> None:
    """Run the command line of this process and exit: 0 done, 1 failed, 2 wrong use, 130 cancelled.

    What was done but for some scans or cases, which are listed, has failed for these: 1. What was done, but
    told to nobody as the reader of standard output had gone: 141.
    """
    prepare()
    code = run(sys.argv[1:])
    release()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors become a sentence and a remedy on standard error.

    With `--json` they are also the last line of standard output, of the kind `error`. Where a part failed,
    that line is the result, which names the part.
    """
    as_json = "--json" in arguments
    try:
        outcome = app(args=list(arguments), prog_name="medssl", standalone_mode=False)
    except MedSSLError as error:
        return _fail(error, as_json)
    except TyperException as error:
        # A group without a command has shown its help already and has no message.
        message = error.format_message()
        return _fail(UsageError(message, "See 'medssl --help'."), as_json) if message else error.exit_code
    except ValidationError as error:
        return _fail(UsageError(f"{first_fault(error)}."), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(Cancelled(), as_json)
    except NobodyReadsError:
        return NOBODY_READS
    except Exception as error:  # noqa: BLE001 - the edge of the program; the traceback goes into a file
        return _fail(_unexpected(error), as_json)
    return outcome if isinstance(outcome, int) else 0


def _fail(error: MedSSLError, as_json: bool) -> int:
    """Say what went wrong: to a person, and to a program that reads standard output."""
    tell(str(error))
    if as_json:
        with suppress(NobodyReadsError):
            write_json({"kind": "error", "code": error.code, "error": error.what, "remedy": error.remedy})
    return error.exit_code


def _unexpected(error: Exception) -> MedSSLError:
    """Keep the traceback for the engineer who is asked for help, and name its file."""
    sentence = f"Something went wrong that should not: {type(error).__name__}: {error}."
    log = platformdirs.user_log_path("medssl", appauthor=False) / "errors.txt"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now().astimezone().isoformat()} {sys.argv}\n{traceback.format_exc()}\n")
    except OSError:
        return MedSSLError(sentence)
    return MedSSLError(sentence, f"Please report it with the file {log}.")
