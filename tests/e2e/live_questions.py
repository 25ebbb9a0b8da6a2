"""Clips to ask over a live wire, and who answers them shortly."""

from collections.abc import AsyncGenerator
from dataclasses import replace

import numpy as np

from agent.api import AgentEvent, AgentRequest
from agent.scripted.agent import ScriptedAgent
from evaluation.routes.route import Question
from evaluation.sample import Sample


class Brief(ScriptedAgent):
    """Says two words."""

    def respond(self, request: AgentRequest) -> AsyncGenerator[AgentEvent, None]:
        return super().respond(replace(request, max_output_tokens=2))


def question(pcm16k: bytes, prompt: str = "", language: str = "") -> Question:
    pcm = np.frombuffer(pcm16k, "<i2").astype(np.float32) / 32768
    sample = Sample(
        sample_id="1",
        benchmark="any",
        audio="a.wav",
        source="any",
        prompt=prompt,
        reference="",
        language=language,
    )
    return Question(sample, pcm)
