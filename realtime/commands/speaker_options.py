"""What `parlour speaker` is told on its command line."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from realtime.commands.speaker_sound import Coding
from realtime.errors import SettingsError
from realtime.settings import Settings
from realtime.transports.mqtt.broker import Broker, check_prefix, parse_broker, tls_context
from realtime.transports.mqtt.codec import is_device


@dataclass(frozen=True, slots=True)
class SpeakerOptions:
    broker: Broker
    name: str
    prefix: str
    wavs: tuple[Path, ...]
    out: Path | None
    push_to_talk: bool
    hears_while_speaking: bool = True
    coding: Coding = "pcm"
    page: str = ""

    @classmethod
    def from_arguments(cls, given: argparse.Namespace) -> "SpeakerOptions":
        """Raises SettingsError."""
        url = given.broker or os.environ.get("PARLOUR_MQTT_URL", "") or "mqtt://127.0.0.1"
        broker = parse_broker(url, given.ca)
        tls_context(broker)
        check_prefix(given.prefix)
        if not is_device(given.name):
            raise SettingsError("--name: expected 1 to 64 characters without '/', '+' and '#'.")
        if given.out and not given.wav:
            raise SettingsError("--out writes the answers to --wav: give both.")
        return cls(
            broker,
            given.name,
            given.prefix,
            tuple(given.wav),
            given.out,
            given.push_to_talk,
            not given.no_barge_in,
            given.format,
            given.page,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--broker", default="", help="mqtt://USER:PASSWORD@HOST or mqtts:// (default: PARLOUR_MQTT_URL)")
    add("--ca", default="", help="file of certificates to trust for mqtts")
    add("--name", default="speaker", help="of this device; with the recipe's rights, its user")
    add("--prefix", default=Settings().mqtt_prefix, help="what all topics begin with")
    add("--push-to-talk", action="store_true", help="Enter presses and releases the button")
    add("--no-barge-in", action="store_true", help="deaf while it speaks: without echo cancellation")
    add("--format", choices=("pcm", "opus"), default="pcm", help="how sound is sent, both ways")
    add("--page", default="", help="address of the page, to show a link to it at a hand-over")
    add("--wav", type=Path, action="append", default=[], help="say this WAV file; again for another turn")
    add("--out", type=Path, help="write what the loudspeaker plays to this WAV file")
