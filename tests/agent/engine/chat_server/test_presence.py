"""Whether a chat server is there: found out, remembered for a while, and told in a sentence."""

import pytest

from agent.engine.chat_server.presence import AWAY_CHECK_S, CHECK_S, Presence


class World:
    def __init__(self, url: str = "http://localhost:11434/v1/chat/completions") -> None:
        self.now = 100.0
        self.is_up = True
        self.asked: list[tuple[str, int]] = []
        self.presence = Presence(url, lambda: self.now, self.connect, is_proxied=False)

    async def connect(self, host: str, port: int) -> None:
        self.asked.append((host, port))
        if not self.is_up:
            raise ConnectionRefusedError


async def test_a_server_that_goes_is_found_away_and_one_that_comes_back_there() -> None:
    world = World()
    assert not await world.presence.is_away()
    world.is_up = False
    assert not await world.presence.is_away()  # asked a moment ago
    world.now += CHECK_S
    assert await world.presence.is_away()
    world.is_up = True
    world.now += AWAY_CHECK_S
    assert not await world.presence.is_away()
    assert world.asked == [("localhost", 11434)] * 3


async def test_an_answer_that_failed_or_came_tells_it_too() -> None:
    world = World()
    world.presence.seen(is_away=True)
    assert await world.presence.is_away()
    world.presence.seen(is_away=False)
    assert not await world.presence.is_away()
    assert world.asked == []


async def test_behind_a_proxy_nobody_knows() -> None:
    world = World()
    world.is_up = False
    presence = Presence("http://h/v1", lambda: world.now, world.connect, is_proxied=True)
    assert not await presence.is_away()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434 does not answer: start it (ollama serve), or"),
        ("http://127.0.0.1:9999/v1", "http://127.0.0.1:9999 does not answer: start it, or name another"),
        ("https://key:secret@api.test/v1?key=secret", "https://api.test:443 does not answer: start it there"),
        ("http://[::1]:8000/v1", "http://[::1]:8000 does not answer: start it (vllm serve)"),
    ],
)
def test_the_sentence_says_what_is_away_where_and_how_it_is_started(url: str, words: str) -> None:
    sentence = World(url).presence.sentence
    assert words in sentence
    assert "secret" not in sentence
    assert sentence.endswith("It is used again as soon as it answers.")
