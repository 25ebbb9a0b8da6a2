"""A judge behind any OpenAI-compatible server: which of two answers is better, in numbers from 1 to 10.

It reads what is known of the audio in words, the question and both answers, at temperature 0. The published
figures are of gpt-4-0125-preview at a temperature of 1 to 2, with another text: another judge, another scale.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import httpx

from evaluation.errors import EvaluationError
from evaluation.routes.openai_server import SILENCE_S, Address, Connections, lost, refusal
from evaluation.routes.route import Failure

MAX_TOKENS = 1024
FIELDS = ("description", "question", "answer_1", "answer_2")
PROMPT = """\
You compare two assistants that were asked about a recording. You cannot hear it; this is what is in it:
{description}

The question:
{question}

<assistant_1>
{answer_1}
</assistant_1>

<assistant_2>
{answer_2}
</assistant_2>

Give each assistant one mark from 1 (useless) to 10 (perfect) for how helpful, relevant, accurate and \
complete its answer is, given what is in the recording. Which of them comes first says nothing of their \
worth, and a longer answer is not better for its length.

Write one line with two whole numbers and nothing else: the mark of assistant 1, a space, and the mark of \
assistant 2.
"""
REMINDER = "\nOnly the line with the two numbers. Example: 4 7\n"
"""After a reply of prose."""


def read_prompt(path: Path) -> str:
    """Raises EvaluationError for a file that cannot be read, or leaves out what a judge must see."""
    try:
        prompt = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"--judge-prompt {path} cannot be read: {error}") from None
    missing = [field for field in FIELDS if f"{{{field}}}" not in prompt]
    if missing:
        raise EvaluationError(f"--judge-prompt {path} lacks {{{'}, {'.join(missing)}}}")
    return prompt


class Judge:
    """An async context manager. Raises EvaluationError for what is no address."""

    def __init__(
        self, address: str, model: str, key: str = "", prompt: str = PROMPT, silence_s: float = SILENCE_S
    ) -> None:
        self._address = Address(address)
        self._model = model
        self._prompt = prompt
        self._connections = Connections(self._address, key, silence_s)

    async def __aenter__(self) -> "Judge":
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._connections.aclose()

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {
            "url": str(self._address),
            "model": self._model,
            "prompt_sha256": hashlib.sha256(self._prompt.encode()).hexdigest(),
            "temperature": 0.0,
            "max_tokens": MAX_TOKENS,
        }

    def request(self, fields: Mapping[str, str]) -> str:
        """The whole text for the judge. fields: those of FIELDS."""
        text = self._prompt
        # Piece by piece: answers may hold braces, and the names of other fields.
        parts: list[str] = []
        at = 0
        while True:
            found = [(text.find(f"{{{name}}}", at), name) for name in FIELDS if f"{{{name}}}" in text[at:]]
            if not found:
                return "".join(parts) + text[at:]
            place, name = min(found)
            parts += [text[at:place], fields[name]]
            at = place + len(name) + 2

    async def asked(self, request: str, reminds: bool = False) -> str | Failure:
        """The judge's reply, whatever it is. reminds: of the form, after a reply without it."""
        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": request + (REMINDER if reminds else "")}],
            "temperature": 0.0,
            "max_tokens": MAX_TOKENS,
        }
        try:
            async with self._connections.stream(self._address.chat, json=body) as response:
                if not response.is_success:
                    return await refusal(response)
                content = await response.aread()
        except httpx.HTTPError as error:
            return lost(error)
        try:
            reply = json.loads(content)["choices"][0]["message"]["content"] or ""
        except (ValueError, LookupError, TypeError):
            return Failure("the judge's server sent no answer of the chat protocol")
        return str(reply)
