"""Other people's clients, unmodified, each in an environment of its own: pipecat, LiveKit, agents-js.

Each holds a spoken conversation, is interrupted, and runs a tool. They are large, so they run on
demand: `make test-clients` builds their environments (once, below TESTS_CACHE, which is
~/.cache/parlour-tests by default) and runs what is marked `other_clients`.
"""

import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from agent.api import AgentEvent, AgentRequest, AudioPart, UserMessage
from agent.scripted.agent import RECITAL, ScriptedAgent
from tests import speech
from tests.agent.reciter import Reciter
from tests.conftest import running_server
from tests.e2e.clients.talk import TEN_SECONDS_BYTES
from tests.e2e.clients.tap import Tap, tapped
from tests.environments import BUILD_HANGS_S, environment, output_of
from tests.waiting import HANGS_S

pytestmark = [pytest.mark.other_clients, pytest.mark.timeout(2_400)]

HERE = Path(__file__).parent
PLAYBACK_LEAD_S = 4.0

PIPECAT = ("pipecat-ai[openai]==1.14.0",)
LIVEKIT = ("livekit-agents==1.8.9", "livekit-plugins-openai==1.8.9")
TOOL_ANSWER = "The tool gave back: rain all day"

Seen = dict[str, Any]


class AnswersSpeechInFull(Reciter):
    """Answers speech as the scripted agent does, and what is written without end: to be interrupted."""

    async def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        last = request.messages[-1] if request.messages else None
        is_spoken = isinstance(last, UserMessage) and any(isinstance(part, AudioPart) for part in last.parts)
        answer = ScriptedAgent.respond(self, request) if is_spoken else super().respond(request)
        async for event in answer:
            yield event


async def test_pipecat_converses(tmp_path: Path) -> None:
    python = await environment("pipecat", PIPECAT)
    seen, tap = await conversation(tmp_path, python, HERE / "scripts" / "pipecat_client.py")
    spoken, barge_in, tool_call = seen["spoken"], seen["barge_in"], seen["tool_call"]
    assert (spoken["words"], spoken["audio_bytes"]) == (RECITAL, TEN_SECONDS_BYTES)
    assert barge_in["interrupted"] == 1
    (first_role, first_words), *later = barge_in["context"]
    assert first_role == "assistant"
    # Its own aggregator adds the user's words when it gets to it, before or after the next answer ends.
    assert [role for role, _ in later] in ([], ["user"])
    assert is_cut_short(first_words)
    assert barge_in["words"] == first_words + RECITAL, "after the interruption it is answered anew"
    assert tool_call["tools"] == [["weather", ["days", "place"]]]
    assert tool_call["words"] == 'The tool gave back: "rain all day"'
    assert nothing_went_wrong(seen, tap) == []


async def test_livekit_converses(tmp_path: Path) -> None:
    python = await environment("livekit", LIVEKIT)
    seen, tap = await conversation(tmp_path, python, HERE / "scripts" / "livekit_client.py")
    spoken, barge_in, tool_call = seen["spoken"], seen["barge_in"], seen["tool_call"]
    (user, said, _), answer = spoken["history"]
    assert (user, said) == ("user", spoken["heard"][-1])
    assert answer == ["assistant", RECITAL, False]
    assert spoken["audio_bytes"] == TEN_SECONDS_BYTES
    role, words, interrupted = barge_in["history"][-1]
    assert (role, interrupted) == ("assistant", True)
    assert barge_in["interrupted"] >= 1, "LiveKit clears its loudspeaker once or twice, as it comes"
    assert is_cut_short(words)
    assert [name for name, *_ in tool_call["tools"]] == ["weather"]
    assert tool_call["history"][-1] == ["assistant", TOOL_ANSWER, False]
    # It cancels what the gateway has cancelled already, and ignores the answer to that.
    assert set(nothing_went_wrong(seen, tap)) <= {"response_cancel_not_active"}


async def test_agents_js_converses(tmp_path: Path) -> None:
    node = await javascript()
    seen, tap = await conversation(tmp_path, node, HERE / "js" / "converse.mjs")
    spoken, barge_in, tool_call = seen["spoken"], seen["barge_in"], seen["tool_call"]
    user, answer = spoken["history"]
    assert (user["role"], user["words"][:11]) == ("user", "(scripted: ")
    assert answer == {"role": "assistant", "status": "completed", "words": RECITAL}
    assert spoken["audioBytes"] == TEN_SECONDS_BYTES
    assert (barge_in["responses"], barge_in["interrupted"]) == (["cancelled"], 1)
    [kept] = [item for item in barge_in["history"] if item["role"] == "assistant"]
    assert is_cut_short(kept["words"])
    assert kept["words"] == barge_in["retrieved"], "the client remembers what the gateway does"
    assert tool_call["tools"] == [["weather", "rain all day"]]
    assert tool_call["history"][-1]["words"] == TOOL_ANSWER
    assert nothing_went_wrong(seen, tap) == []


# How they are run ---------------------------------------------------------------------


async def conversation(tmp_path: Path, program: Path, script: Path) -> tuple[Seen, Tap]:
    """Run the script against a gateway of its own; return what it printed."""
    question = tmp_path / "question.pcm"
    question.write_bytes(speech.utterance("something").pcm24k)
    agent = AnswersSpeechInFull()
    async with running_server(agent, playback_lead_s=PLAYBACK_LEAD_S) as server, tapped(server.ws) as tap:
        address = tap.http if "livekit" in script.name else tap.ws
        printed = await output_of(3 * HANGS_S, program, script, address, question, str(HANGS_S))
    [line] = [line for line in printed.splitlines() if line.startswith('{"spoken"')]
    return json.loads(line), tap


async def javascript() -> Path:
    """Node, with the client's package installed beside its script."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are missing")
    if not (HERE / "js" / "node_modules").exists():
        await output_of(BUILD_HANGS_S, npm, "ci", "--no-audit", "--no-fund", cwd=HERE / "js")
    return Path(node)


# How they are judged ------------------------------------------------------------------


def is_cut_short(words: str) -> bool:
    """Of a recital without end, so that wherever it was cut is short."""
    return words != "" and " ".join([RECITAL] * (len(words) // len(RECITAL) + 2)).startswith(words)


def nothing_went_wrong(seen: Seen, tap: Tap) -> list[str]:
    """The oracle objects to nothing, the client to nothing; the codes of the errors that it got."""
    assert [one["errors"] for one in seen.values()] == [[], [], []]
    assert len(tap.oracles) == len(seen), "no client had to connect again"
    assert [oracle.complaints for oracle in tap.oracles] == [[], [], []]
    return [str(error["code"]) for oracle in tap.oracles for error in oracle.errors]
