"""`parlour eval`: each subcommand is a module of commands/ with `HELP`, `add_arguments` and `run`."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from evaluation.errors import EvaluationError

COMMANDS = ("run", "check", "score", "compare", "report", "pairs", "published", "speech")


class Command(Protocol):
    """One whose options depend on others has `add_chosen_arguments(parser, arguments)` besides."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


def add_subcommands(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Of a command that is named, the others are not loaded."""
    subparsers = parser.add_subparsers(required=True, metavar="WHAT")
    for name in arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS:
        command = cast(Command, import_module(f"evaluation.commands.{name}"))
        subparser = subparsers.add_parser(name, help=command.HELP, allow_abbrev=False)
        command.add_arguments(subparser)
        add_chosen = getattr(command, "add_chosen_arguments", None)
        if add_chosen is not None and arguments[:1] == [name]:
            add_chosen(subparser, arguments[1:])
        subparser.set_defaults(run=command.run)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 0 for fine, 1 where a threshold was missed or samples failed, 2 for what cannot be used."""
    parser = argparse.ArgumentParser(prog="parlour eval", allow_abbrev=False)
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        add_subcommands(parser, arguments)
        options = parser.parse_args(arguments)
        return int(options.run(options))
    except EvaluationError as error:
        print(f"parlour eval: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `parlour eval score RUN | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit would fail too
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
