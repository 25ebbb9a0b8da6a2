"""An agent that has the embedded default's ears, and nothing else of it."""

from agent.api import Health, TranscribeRequest, Transcript
from agent.asr.base import LANGUAGES
from agent.asr.queue import QueuedRecogniser
from agent.scripted.agent import ScriptedAgent


class Transcriber(ScriptedAgent):
    """ears: closed with it."""

    def __init__(self, ears: QueuedRecogniser) -> None:
        self._ears = ears

    async def transcribe(self, request: TranscribeRequest) -> Transcript:
        heard = await self._ears.recognise(request.pcm, request.language or "")
        return Transcript(heard.text, heard.duration_s)

    async def health(self) -> Health:
        return Health("ready", "whisper base", transcribes=True, languages=LANGUAGES)

    async def aclose(self) -> None:
        await self._ears.aclose()
