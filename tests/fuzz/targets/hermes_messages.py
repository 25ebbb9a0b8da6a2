"""Messages of Rhasspy's sites: the first line of an input is the topic, the rest the payload."""

import io
import random
import wave

from aiomqtt import Topic

from realtime.errors import InvalidEvent
from realtime.transports.hermes import codec as hermes
from realtime.transports.hermes.microphone import AUDIO_FRAME_S_MAX, Microphone
from tests.fuzz.mutate import bytes_changed, json_changed
from tests.fuzz.target import Pure, Unkept


def run(data: bytes) -> None:
    topic, _, payload = data.partition(b"\n")
    try:
        name = Topic(topic.decode(errors="replace")).value
    except ValueError:
        return  # the client library lets no such topic through
    try:
        message = hermes.read(name, payload)
    except InvalidEvent as error:
        hermes.error(*hermes.sender_of(name, payload), None, error.message, name)
        return
    if isinstance(message, hermes.AudioFrame):
        try:
            pcm = Microphone().push(message.riff)
        except InvalidEvent:
            return
        if len(pcm) % 2 or len(pcm) > 2 * hermes.UP_HZ * AUDIO_FRAME_S_MAX:
            raise Unkept("sound is whole samples, and no more than two seconds")
    elif message is not None:
        if not hermes.is_site(message.site):
            raise Unkept("a site's name is a level of a topic")
        Topic(hermes.listening(message.site, message.session or "", True)[0])


def _mutate(data: bytes, chance: random.Random) -> bytes:
    topic, _, payload = data.partition(b"\n")
    if chance.random() < 0.1:
        return bytes_changed(topic, chance) + b"\n" + payload
    return topic + b"\n" + json_changed(payload, chance)


def seeds() -> list[bytes]:
    raw = io.BytesIO()
    with wave.open(raw, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hermes.UP_HZ)
        file.writeframes(bytes(512))
    session = '{"siteId": "kitchen", "sessionId": "s1", "text": "hi"}'
    texts = {
        "hotword/porcupine/detected": '{"siteId": "kitchen", "modelId": "m"}',
        "dialogueManager/startSession": '{"siteId": "kitchen", "init": {"type": "action"}, "customData": "x"}',  # noqa: E501
        "dialogueManager/continueSession": session,
        "dialogueManager/endSession": session,
        "asr/toggleOn": session,
        "asr/toggleOff": session,
        "audioServer/kitchen/playFinished": '{"id": "1", "siteId": "kitchen"}',
    }
    return [
        b"hermes/audioServer/kitchen/audioFrame\n" + raw.getvalue(),
        *(f"hermes/{topic}\n{text}".encode() for topic, text in texts.items()),
    ]


TARGET = Pure(run, seeds, words=("hermes/", "audioFrame", "siteId", "RIFF", "fmt ", "data"), mutate=_mutate)
