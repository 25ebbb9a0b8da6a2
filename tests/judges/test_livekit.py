"""LiveKit Agents' own tests of realtime models, unmodified, with Parlour in OpenAI's place.

They need a model that does what it is told: the stand-in of obedient.py writes the answers; what hears and
speaks is the embedded default.
"""

import os
from pathlib import Path

import pytest

from tests.e2e.serving import serving
from tests.environments import checkout, environment, output_of
from tests.judges.obedient import obedient_chat_server

pytestmark = [pytest.mark.judges, pytest.mark.timeout(2_400)]
AGENTS = "da6af86ac640a3bc54585764e64321d7048c1c16"
PACKAGES = (
    "livekit-agents==1.7.0",
    "livekit-plugins-openai==1.7.0",
    "livekit-plugins-xai==1.7.0",
    "pytest==9.0.3",
    "pytest-asyncio==1.3.0",
    "pytest-asyncio-concurrent==0.5.2",
    "python-dotenv",
    "requests",
)
N_TESTS = 18
RUN_HANGS_S = 900.0


async def test_every_one_of_them_passes() -> None:
    python = await environment("livekit-tests", PACKAGES)
    source = await checkout("livekit/agents", AGENTS)
    async with (
        obedient_chat_server() as llm,
        serving("--model", "obedient", "--llm-url", llm) as address,
    ):
        in_its_place = {"OPENAI_BASE_URL": f"{address}/v1", "OPENAI_API_KEY": "none"}
        passed = await _run(python, source, in_its_place)
    assert f"{N_TESTS} passed" in passed, passed


async def _run(python: Path, source: Path, environment: dict[str, str]) -> str:
    asked = ("-m", "pytest", "-q", "tests/test_realtime/test_realtime.py", "--realtime", "-k", "openai")
    return await output_of(RUN_HANGS_S, python, *asked, cwd=source, env={**os.environ, **environment})
