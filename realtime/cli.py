"""The command line: `parlour serve`, and `talk`, `analyse`, `speaker`, `doctor`, `eval`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from realtime.errors import ParlourError, SettingsError
from realtime.logs import set_up_logging
from realtime.settings import KINDS, explained, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 fine, 1 failed, 2 wrong usage."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] == "eval":
        return _eval(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except ParlourError as error:
        print(f"parlour: {error}", file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parlour", description="A self-hosted real-time voice assistant.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server", allow_abbrev=False)
    _add_settings(serve)
    serve.set_defaults(run=_serve)
    from realtime.commands.talk import add_arguments

    talk = commands.add_parser("talk", help="talk to a server from the terminal", allow_abbrev=False)
    add_arguments(talk)
    talk.set_defaults(run=_talk)
    from realtime.commands.analyse import add_arguments as add_analyse_arguments

    asking = commands.add_parser("analyse", help="ask a question about recordings", allow_abbrev=False)
    add_analyse_arguments(asking)
    asking.set_defaults(run=_analyse)
    from realtime.commands.speaker_options import add_arguments as add_speaker_arguments

    device = commands.add_parser("speaker", help="be a smart speaker over MQTT", allow_abbrev=False)
    add_speaker_arguments(device)
    device.set_defaults(run=_speaker)
    from realtime.commands.doctor import add_arguments as add_doctor_arguments

    doctor = commands.add_parser(
        "doctor", help="find out why a server cannot be talked to", allow_abbrev=False
    )
    add_doctor_arguments(doctor)
    doctor.set_defaults(run=_doctor)
    commands.add_parser("eval", help="measure a model, offline and live, on the benchmarks of its field")
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Every setting is a flag."""
    for name, kind in KINDS.items():
        flag = "--" + name.replace("_", "-")
        if kind is bool:
            parser.add_argument(flag, action="store_true", default=None, help=explained(name))
        else:
            parser.add_argument(flag, type=kind, default=None, help=explained(name))


def _serve(options: argparse.Namespace) -> int:
    flags = {name: getattr(options, name) for name in KINDS}
    settings = load_settings(flags, os.environ)
    set_up_logging(settings.log_level)
    from realtime.server.serve import serve  # late: `parlour --help` needs no server

    runner = asyncio.run
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        pass  # Windows: the standard loop, slower
    runner(serve(settings, _report))
    return 0


def _talk(options: argparse.Namespace) -> int:
    from realtime.commands.talk import TalkOptions, talk

    return asyncio.run(talk(TalkOptions.from_arguments(options)))


def _analyse(options: argparse.Namespace) -> int:
    from realtime.commands.analyse import AnalyseOptions, analyse

    return asyncio.run(analyse(AnalyseOptions.from_arguments(options)))


def _speaker(options: argparse.Namespace) -> int:
    from realtime.commands.speaker import speaker
    from realtime.commands.speaker_options import SpeakerOptions

    return asyncio.run(speaker(SpeakerOptions.from_arguments(options)))


def _doctor(options: argparse.Namespace) -> int:
    from realtime.commands.doctor import DoctorOptions, diagnose

    return asyncio.run(diagnose(DoctorOptions.from_arguments(options), _report))


def _eval(arguments: Sequence[str]) -> int:
    """Has a command line of its own, which is not read unless it is asked for: it needs the extra `eval`."""
    try:
        from evaluation.cli import main as evaluate
    except ModuleNotFoundError as missing:
        print(f"parlour: eval needs {missing.name}: pip install 'parlour[eval]'", file=sys.stderr)
        return 2
    return evaluate(arguments)


def _report(line: str) -> None:
    print(line, flush=True)


def _version() -> str:
    try:
        return f"parlour {version('parlour')}"
    except PackageNotFoundError:
        return "parlour (from a checkout)"


if __name__ == "__main__":
    sys.exit(main())
