"""The page's files over HTTP: what a browser loads, and nothing of what its development needs beside it."""

import os
from pathlib import Path

from starlette.staticfiles import StaticFiles

WEB_CLIENT = Path(__file__).parents[2] / "web_client"
PAGE_FOLDERS = frozenset({"", "page", "conversation", "connection", "audio", "doctor"})
"""Of web_client, with what lies at its top; a folder that is not named here is not served."""
PAGE_SUFFIXES = frozenset({".html", ".css", ".js", ".svg"})


class Page(StaticFiles):
    """`web_client/` at the root of the server. Everything else there (tests, packages, settings) is a 404."""

    def __init__(self) -> None:
        super().__init__(directory=WEB_CLIENT, html=True)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        folder, name = os.path.split(os.path.normpath(path))
        is_served = name == "." or (folder in PAGE_FOLDERS and Path(name).suffix in PAGE_SUFFIXES)
        return super().lookup_path(path) if is_served else ("", None)
