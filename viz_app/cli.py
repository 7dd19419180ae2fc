"""The command `boxscope`: one table of subcommands, one way to report a caller's mistake.

Neither Streamlit nor torch is imported here: a subcommand imports what it needs when it runs, so that
`boxscope --help` answers at once. The parser comes when it is built, where Ctrl+C leaves no stack.
"""

from __future__ import annotations

import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO, cast

from viz_app.commands import (
    compare,
    convert,
    diagnose,
    doctor,
    evaluate,
    export,
    looking,
    report,
    runs,
    train,
    tune,
    why,
)
from viz_app.commands.mistakes import in_usage, one_line
from viz_app.commands.streams import ready_streams, settle_streams
from viz_app.visible import OUTPUT, Visible

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

USAGE_ERROR = 2
NOBODY_READS = 141
"""The status of a command whose reader has left, as `head` does: what the shell says of one that SIGPIPE ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: what it is for, the options it takes, and the function that runs it.

    `run` gets the subcommand's own options and returns the exit status. It raises ValueError or TypeError
    (or lets an OSError through) for a caller's mistake; `main` turns that into one line and exit status 2.
    """

    summary: str
    add_options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]


def _app_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=int,
        default=None,
        help="where to listen; without it 8501 or the next free one",
    )
    parser.add_argument(
        "--address",
        type=str,
        default=None,
        help="listen at this address instead of for this machine only; needs a login, or --public",
    )
    parser.add_argument(
        "--host",
        type=str,
        action="append",
        default=[],
        help="a name under which others ask for the app; may be given many times",
    )
    parser.add_argument(
        "--public",
        action="store_true",
        help="open it to the network without a login: whoever can reach the app acts as you",
    )
    parser.add_argument(
        "--folder",
        type=str,
        action="append",
        default=[],
        help="a folder whose files the app may read, beside its workspace; may be given many times",
    )


def _app(options: Namespace) -> int:
    from viz_app.jobs.readable import name_folders
    from viz_app.serving import serve

    name_folders(options.folder)
    return serve(options.port, address=options.address, hosts=options.host, public=options.public)


COMMANDS: dict[str, Command] = {
    "app": Command("open the app in a browser", _app_options, _app),
    "show": Command("draw a stage of one image as PNG or HTML", looking.show_options, looking.show),
    "why": Command(
        "say where each object was lost, and its remedy",
        why.why_options,
        why.why,
    ),
    "diagnose": Command(
        "the same for a whole data set, as tables",
        diagnose.diagnose_options,
        diagnose.diagnose,
    ),
    "doctor": Command(
        "find what is wrong with a data set and a model",
        doctor.doctor_options,
        doctor.doctor,
    ),
    "train": Command("train a detector, and watch it", train.train_options, train.train),
    "tune": Command("look for better settings with many trials", tune.tune_options, tune.tune),
    "runs": Command("list the trainings and how they stand", runs.runs_options, runs.runs),
    "stop": Command("end a training after its present batch", runs.stop_options, runs.stop),
    "resume": Command("go on with a training that ended too early", runs.resume_options, runs.resume),
    "convert": Command(
        "write a data set as COCO, Pascal VOC or YOLO", convert.convert_options, convert.convert
    ),
    "evaluate": Command(
        "COCO's numbers of a detector on a data set", evaluate.evaluate_options, evaluate.evaluate
    ),
    "compare": Command(
        "two detectors on a data set, object by object", compare.compare_options, compare.compare
    ),
    "export": Command("COCO results, tables and pictures as files", export.export_options, export.export),
    "report": Command("one HTML file of an image or of a data set", report.report_options, report.report),
    "trace": Command(
        "capture one image into a file that the app opens", looking.trace_options, looking.trace
    ),
}


def build_parser(asked: str | None = None) -> ArgumentParser:
    """The command line. It raises ArgumentError instead of printing its usage and exiting.

    Args:
        asked: the subcommand whose options are wanted; the others have none, for those of `train` cost seconds.
    """
    from jsonargparse import ArgumentParser

    from viz_app.commands.help_text import PlainHelp

    parser = ArgumentParser(
        prog="boxscope",
        description="See at which stage of a detector, and because of what, an object was kept or lost.",
        exit_on_error=False,
        formatter_class=PlainHelp,
    )
    parser.add_argument("--version", action="version", version=f"boxscope {version('boxscope')}")
    table = parser.add_subcommands(required=False, dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        subparser = ArgumentParser(
            description=_sentence(command.summary), exit_on_error=False, formatter_class=PlainHelp
        )
        if name == asked:
            command.add_options(subparser)
        table.add_subcommand(name, subparser, help=command.summary)
    return parser


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Entry point of the console script: run one subcommand and exit with its status."""
    ready_streams()
    try:
        sys.exit(run(arguments))
    finally:
        settle_streams()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status. A caller's mistake is one line on stderr and status 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    reading: str | None = None
    try:
        _refuse_no_folder()
        reading = given[0] if given and given[0] in COMMANDS else None
        options = build_parser(reading).parse_args(given)
        reading = None
        if options.command is None:
            raise ValueError(f"say what to do: {', '.join(COMMANDS)} (`boxscope --help` explains each)")
        _refuse_empty(options[options.command], given)
        with redirect_stdout(cast("TextIO", Visible(sys.stdout))):
            status = COMMANDS[options.command].run(options[options.command])
            sys.stdout.flush()
        return status
    except (ArgumentError, ValueError, TypeError, OSError) as mistake:
        if isinstance(mistake, BrokenPipeError) and mistake.filename == OUTPUT:
            return NOBODY_READS
        with suppress(OSError):  # where the line cannot be shown, the status says it
            print(f"boxscope: {one_line(mistake, reading)}", file=sys.stderr)
        return USAGE_ERROR
    except KeyboardInterrupt:
        return 130


def _refuse_no_folder() -> None:
    """Refuse to work in a folder that somebody has deleted: torch would end the process in words of its own."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise ValueError("the folder that this is called in is gone; change into another one") from None


def _refuse_empty(options: Namespace, given: Sequence[str]) -> None:
    """Refuse `--out "$FOLDER"` where FOLDER is unset: nothing would mean the present folder, or the default."""
    said = {one.partition("=")[0] for one in given}
    for name, value in vars(options).items():
        if value == "" or (isinstance(value, list) and "" in value):
            usage = f"--{name}" if f"--{name}" in said else in_usage(name).removeprefix("--").upper()
            raise ValueError(f"{usage} is empty; say what is meant, or leave it out")


if __name__ == "__main__":
    main()
