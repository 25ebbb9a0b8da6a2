"""What `parlour talk` prints: the words as they are decoded, or every event as a line of JSON."""

import base64
import json
from typing import Any

Event = dict[str, Any]


class WordScreen:
    """The conversation as a person reads it. What the user said is held until the answer's line ends."""

    def __init__(self) -> None:
        self._line_is_open = False
        self._held_words: list[str] = []

    def show(self, event: Event) -> None:
        match event:
            case {"type": "conversation.item.input_audio_transcription.completed", "transcript": str(words)}:
                self._held_words.append(words.strip() or "(no words)")
                if not self._line_is_open:
                    self.end_line()
            case {
                "type": "response.output_audio_transcript.delta" | "response.output_text.delta",
                "delta": str(words),
            }:
                print(words if self._line_is_open else f"parlour: {words.lstrip()}", end="", flush=True)
                self._line_is_open = True
            case {"type": "response.function_call_arguments.done", "name": name, "arguments": arguments}:
                self.end_line()
                print(f"parlour calls {name}: {arguments}", flush=True)
            case {"type": "response.done", "response": {"status": "cancelled"}}:
                print(" ..." if self._line_is_open else "", end="")
                self.end_line()
            case {"type": "response.done"}:
                self.end_line()
            case _:
                pass  # the other events hold no words

    def end_line(self) -> None:
        """End the answer's line, and show what the user said meanwhile."""
        if self._line_is_open:
            print(flush=True)
        self._line_is_open = False
        for words in self._held_words:
            print(f"you: {words}", flush=True)
        self._held_words.clear()


class JsonScreen:
    """Every event as the server sent it. with_audio: else audio is replaced by its length."""

    def __init__(self, with_audio: bool) -> None:
        self._with_audio = with_audio

    def show(self, event: Event) -> None:
        if event.get("type") == "response.output_audio.delta" and not self._with_audio:
            n_bytes = len(base64.b64decode(event.get("delta", "")))
            event = {**event, "delta": "", "audio_bytes": n_bytes}
        print(json.dumps(event), flush=True)

    def end_line(self) -> None:
        """Every line is whole."""
