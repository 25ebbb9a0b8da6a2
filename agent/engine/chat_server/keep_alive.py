"""An answer that is waited for says that it is alive, and not for ever."""

import asyncio
from collections.abc import AsyncGenerator

from agent.api import AgentError, KeepAlive
from agent.engine.base import EngineDelta

EVERY_S = 5.0
"""Well below what a gateway waits for an agent's next event."""


async def with_keep_alives(
    answer: AsyncGenerator[EngineDelta, None], silence_s_max: float, every_s: float = EVERY_S
) -> AsyncGenerator[EngineDelta, None]:
    """The answer's deltas, and a KeepAlive for each `every_s` in which none came.

    Raises AgentError when none came for `silence_s_max` together, whatever the server does meanwhile.
    """
    now = asyncio.get_running_loop().time
    coming, last_at = _next(answer), now()
    try:
        while True:
            await asyncio.wait({coming}, timeout=every_s)
            if coming.done():
                delta = coming.result()
                if delta is None:
                    return
                yield delta
                coming, last_at = _next(answer), now()
            elif now() - last_at < silence_s_max:
                yield KeepAlive()
            else:
                sentence = f"the model has said nothing for {silence_s_max:g} s (setting llm_thinking_s)"
                raise AgentError("agent_timeout", sentence)
    finally:
        coming.cancel()
        await asyncio.wait({coming})
        await answer.aclose()


def _next(answer: AsyncGenerator[EngineDelta, None]) -> asyncio.Task[EngineDelta | None]:
    """A task, because waiting for it can end without ending the answer. None: there is no more."""

    async def next_delta() -> EngineDelta | None:
        return await anext(answer, None)

    return asyncio.create_task(next_delta(), name="next delta of a chat server")
