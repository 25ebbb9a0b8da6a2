"""The routes by name: each is a module with `add_arguments(parser)` and `route(options)`, loaded late."""

import argparse
from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from evaluation.errors import EvaluationError
from evaluation.routes.route import Route

ROUTES: Mapping[str, str] = {
    "chat": "chat_server",
    "transcriptions": "transcriptions",
    "live": "live_websocket",
    "live-webrtc": "live_webrtc",
    "checkpoint": "checkpoint",
    "recogniser": "recogniser",
    "faster-whisper": "faster_whisper",
    "command": "command",
}


class RouteModule(Protocol):
    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def route(self, options: argparse.Namespace) -> Route:
        """Raises EvaluationError for options that cannot be used. Nothing is loaded or opened yet."""
        ...


def route_module(name: str) -> RouteModule:
    """Raises EvaluationError where there is none, or where a library that it needs is missing."""
    if name not in ROUTES:
        raise EvaluationError(f"--route is '{name}': expected one of {', '.join(ROUTES)}")
    try:
        return cast(RouteModule, import_module(f"evaluation.routes.{ROUTES[name]}"))
    except ModuleNotFoundError as missing:
        raise EvaluationError(f"--route {name} needs {missing.name}, which is not installed") from None
