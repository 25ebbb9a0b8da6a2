"""The thread that owns a model which runs in this process."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
A = TypeVar("A")


class ModelThread:
    """One thread, one call after another: what is loaded in it is used in it alone."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def load(self, load: Callable[[], None]) -> None:
        """The first call; where it fails or is cancelled, the thread ends."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, load)
        except BaseException:
            self._executor.shutdown(wait=False)
            raise

    async def run(self, call: Callable[[A], T], argument: A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, call, argument)

    async def aclose(self) -> None:
        """Waits for the call under way; others that wait are dropped."""
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
