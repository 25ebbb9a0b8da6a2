"""Other people's programs: installed once below TESTS_CACHE (~/.cache/parlour-tests by default), and run."""

import asyncio
import os
import sys
from pathlib import Path

BUILD_HANGS_S = 1_800.0
"""Gigabytes come from a registry."""
CACHE = Path(os.environ.get("TESTS_CACHE") or Path.home() / ".cache" / "parlour-tests")
GITHUB = os.environ.get("TESTS_GITHUB", "https://github.com")
"""Where repositories are cloned from: an address or a folder that holds OWNER/NAME."""


async def output_of(
    within_s: float, *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> str:
    """What the command prints. Raises AssertionError with its complaints where it fails."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, (out + err).decode()[-3000:]
    return out.decode()


async def environment(name: str, packages: tuple[str, ...], unwanted: tuple[str, ...] = ()) -> Path:
    """The Python of a virtual environment that holds these packages.

    unwanted: packages that these bring along, and that must not be there.
    """
    built = CACHE / name / "built-with.txt"
    python = CACHE / name / "bin" / "python"
    wanted = "\n".join([*packages, *(f"not {package}" for package in unwanted)])
    if not built.exists() or built.read_text("utf-8") != wanted:
        await output_of(BUILD_HANGS_S, sys.executable, "-m", "venv", CACHE / name)
        await output_of(BUILD_HANGS_S, python, "-m", "pip", "install", "--quiet", *packages)
        if unwanted:
            await output_of(BUILD_HANGS_S, python, "-m", "pip", "uninstall", "--quiet", "--yes", *unwanted)
        built.write_text(wanted, "utf-8")
    return python


async def checkout(repository: str, commit: str) -> Path:
    """A folder with the files of one commit. repository: OWNER/NAME at GitHub."""
    folder = CACHE / "sources" / f"{repository.replace('/', '+')}@{commit[:12]}"
    if not (folder / ".git").exists():
        await output_of(BUILD_HANGS_S, "git", "init", "--quiet", folder)
        await output_of(
            BUILD_HANGS_S, "git", "-C", folder, "remote", "add", "origin", f"{GITHUB}/{repository}"
        )
    if not await output_of(BUILD_HANGS_S, "git", "-C", folder, "tag", "--list", "wanted"):
        fetched = ("fetch", "--quiet", "--depth=1", "origin", commit)
        await output_of(BUILD_HANGS_S, "git", "-C", folder, *fetched)
        await output_of(BUILD_HANGS_S, "git", "-C", folder, "checkout", "--quiet", "FETCH_HEAD")
        await output_of(BUILD_HANGS_S, "git", "-C", folder, "tag", "wanted")
    return folder
