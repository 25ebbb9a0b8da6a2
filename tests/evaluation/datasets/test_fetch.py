"""Clips behind http addresses: no server can make a run wait without end, or fill its memory."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from evaluation.datasets import fetch
from evaluation.datasets.fetch import FETCHED_S_MAX, fetched
from evaluation.datasets.problems import ClipError, Kind

ADDRESS = "http://audio.example/a.wav"


def server(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    return httpx.MockTransport(answer)


def moved(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/a.wav":
        return httpx.Response(302, headers={"location": "/b.wav"})
    return httpx.Response(200, content=b"sound")


def round_and_round(request: httpx.Request) -> httpx.Response:
    return httpx.Response(302, headers={"location": str(request.url)})


def gone(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


def test_the_file_is_what_the_server_sends_in_the_end() -> None:
    assert fetched(ADDRESS, server(moved)) == b"sound"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda request: httpx.Response(404), f"{ADDRESS} answers 404"),
        (round_and_round, f"{ADDRESS} cannot be fetched: Exceeded maximum allowed redirects."),
        (gone, f"{ADDRESS} cannot be fetched: connection refused"),
    ],
)
def test_a_server_without_the_clip_is_told(
    answer: Callable[[httpx.Request], httpx.Response], told: str
) -> None:
    with pytest.raises(ClipError) as error:
        fetched(ADDRESS, server(answer))
    assert str(error.value) == told
    assert error.value.kind == Kind.MISSING


class Endless(httpx.SyncByteStream):
    """Sends on and on; counts how much was taken."""

    def __init__(self) -> None:
        self.n_pieces = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            self.n_pieces += 1
            yield bytes(1 << 16)


def test_a_server_that_sends_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "FETCHED_BYTES_MAX", 1 << 20)
    endless = Endless()
    with pytest.raises(ClipError, match="is larger than 1 MiB"):
        fetched(ADDRESS, server(lambda request: httpx.Response(200, stream=endless)))
    assert endless.n_pieces <= (1 << 20 >> 16) + 1


def test_a_server_that_trickles_is_left() -> None:
    """Each piece comes within the time-out of one, and all of them never."""
    endless = Endless()
    times = iter(range(0, 10_000, 20))
    with pytest.raises(ClipError, match="took more than 300 s"):
        fetched(ADDRESS, server(lambda request: httpx.Response(200, stream=endless)), lambda: next(times))
    assert endless.n_pieces == FETCHED_S_MAX // 20 + 1
