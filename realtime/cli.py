"""The command line: `parlour serve`, `parlour talk`, `parlour speaker`, `parlour doctor`."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from realtime.errors import ParlourError, SettingsError
from realtime.logs import set_up_logging
from realtime.settings import Settings, load_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 fine, 1 failed, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(argv)
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
    return parser


_HELP = {
    "host": "address to listen on (default 127.0.0.1; others need keys)",
    "port": "port to listen on (default 8080; 0 takes a free one)",
    "model": "embedded, scripted, auto, Qwen/Qwen2-Audio-7B-Instruct or a folder of it, or with --llm-url "
    "the name of a model there (default auto)",
    "llm_url": "base URL of an OpenAI-compatible chat server, e.g. http://localhost:8000/v1",
    "llm_key": "key for that server",
    "llm_thinking_s": "seconds that a model there may be loaded or think without a word (default 120)",
    "voice": "piper, or kokoro where there are cores for it",
    "recogniser": "Whisper model that hears: tiny.en or base",
    "language": "ISO 639-1 code of what is spoken, for the base recogniser",
    "hub": "where a model's OWNER/NAME is looked up: huggingface (default) or modelscope",
    "dtype": "of Qwen2-Audio's weights: bfloat16 or float32 (default: bfloat16 on a GPU, float32 without)",
    "threads": "CPU threads for the models (default: all cores)",
    "keys": "secrets of which clients must present one, comma-separated",
    "allowed_origins": "origins of other sites' pages that may connect, comma-separated",
    "trusted_proxies": "addresses and networks of proxies whose X-Forwarded-For counts, comma-separated",
    "store": "where conversations are that can be resumed: auto, memory, sqlite:PATH or redis://HOST:PORT "
    "(default auto: a file in ~/.local/state/parlour)",
    "resume_grace_s": "seconds for which a conversation waits for its client (default 60)",
    "drain_s": "seconds in which answers may be heard to their end when the server is stopped (default 15)",
    "webrtc_address": "IP address at which others reach this machine, behind a NAT or in a container",
    "webrtc_ports": "UDP ports that WebRTC may use, FIRST-LAST (default: any)",
    "stun_url": "STUN server, stun:HOST:PORT, to learn the address behind a NAT",
    "turn_url": "TURN server that relays where nothing else gets through, turn:HOST:PORT",
    "turn_user": "user name there",
    "turn_password": "password there",
    "mqtt_url": "MQTT broker that smart speakers come through: mqtt://USER:PASSWORD@HOST:PORT or mqtts:// "
    "(better set as PARLOUR_MQTT_URL, where other users of this machine do not see it)",
    "mqtt_prefix": "what all its topics begin with (default parlour/v1)",
    "mqtt_ca": "file of certificates to trust for mqtts",
    "mqtt_follow_up_s": "seconds after an answer in which a device needs no wake word (default 8)",
    "mqtt_remembered_s": "seconds for which a sleeping device keeps its conversation (default 300)",
    "mqtt_lead_ms": "milliseconds of sound sent ahead of its being heard (default 500)",
    "mqtt_hermes": "Rhasspy sites to serve in Hermes as well: their ids, comma-separated, or any",
    "in_process": "run the agent inside the server instead of in a process of its own",
}


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Every setting is a flag."""
    kinds = {"int": int, "float": float, "str": str}
    defaults = Settings()
    for name, kind in Settings.__annotations__.items():
        flag = "--" + name.replace("_", "-")
        kind_name = getattr(kind, "__name__", str(kind))
        text = _HELP.get(name, f"(default {getattr(defaults, name)!r})")
        if kind_name == "bool":
            parser.add_argument(flag, action="store_true", default=None, help=text)
        else:
            parser.add_argument(flag, type=kinds[kind_name], default=None, help=text)


def _serve(options: argparse.Namespace) -> int:
    flags = {name: getattr(options, name) for name in Settings.__annotations__}
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


def _speaker(options: argparse.Namespace) -> int:
    from realtime.commands.speaker import speaker
    from realtime.commands.speaker_options import SpeakerOptions

    return asyncio.run(speaker(SpeakerOptions.from_arguments(options)))


def _doctor(options: argparse.Namespace) -> int:
    from realtime.commands.doctor import DoctorOptions, diagnose

    return asyncio.run(diagnose(DoctorOptions.from_arguments(options), _report))


def _report(line: str) -> None:
    print(line, flush=True)


def _version() -> str:
    try:
        return f"parlour {version('parlour')}"
    except PackageNotFoundError:
        return "parlour (from a checkout)"


if __name__ == "__main__":
    sys.exit(main())
