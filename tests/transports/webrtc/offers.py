"""Offers of other stacks: recorded_offers/ as they made them, addresses apart, and others written by hand."""

from pathlib import Path
from typing import Any

RECORDED = {
    path.stem: path.read_bytes().decode()
    for path in sorted((Path(__file__).parent / "recorded_offers").iterdir())
}

FINGERPRINT = (
    "A6:1A:6B:D6:F4:49:32:7E:BB:FA:F0:5A:62:B6:01:33:F9:5A:B9:A6:61:EA:80:B3:A7:42:33:FE:B7:EB:DD:0F"
)
ICE = "a=ice-ufrag:abcd\na=ice-pwd:0123456789abcdefghijklmn\n"
PATH = f"{ICE}a=fingerprint:sha-256 {FINGERPRINT}\na=setup:actpass\n"
OTHER_PATH = PATH.replace("abcd", "efgh")
OPUS = "a=rtpmap:111 opus/48000/2\n"


def audio(
    formats: str = "111",
    maps: str = OPUS,
    mid: str = "0",
    port: int | str = 9,
    profile: str = "UDP/TLS/RTP/SAVPF",
    direction: str = "sendrecv",
    path: str = PATH + "a=rtcp-mux\n",
    more: str = "",
) -> str:
    named = f"a=mid:{mid}\n" if mid else ""
    return f"m=audio {port} {profile} {formats}\nc=IN IP4 0.0.0.0\n{named}a={direction}\n{path}{maps}{more}"


def channel(
    mid: str = "1",
    port: int = 9,
    path: str = PATH,
    more: str = "",
    head: str = "UDP/DTLS/SCTP webrtc-datachannel",
) -> str:
    sctp = "a=sctp-port:5000\n" if head.startswith("UDP") else ""
    return f"m=application {port} {head}\nc=IN IP4 0.0.0.0\na=mid:{mid}\n{path}{sctp}{more}"


def video(mid: str = "v", path: str = PATH + "a=rtcp-mux\n", port: int = 9, more: str = "") -> str:
    return (
        f"m=video {port} UDP/TLS/RTP/SAVPF 96 97\nc=IN IP4 0.0.0.0\na=mid:{mid}\na=recvonly\n{path}"
        f"a=rtpmap:96 VP8/90000\na=rtpmap:97 rtx/90000\na=fmtp:97 apt=96\n{more}"
    )


def offer(*sections: str, groups: tuple[str, ...] = ("0 1",), common: str = "") -> str:
    """groups: the mids of each BUNDLE group."""
    bundles = "".join(f"a=group:BUNDLE {group}\n" for group in groups)
    text = f"v=0\no=- 1 2 IN IP4 127.0.0.1\ns=-\nt=0 0\n{bundles}{common}{''.join(sections)}"
    return text.replace("\n", "\r\n")


BUNDLE_ONLY: dict[str, Any] = {"port": 0, "more": "a=bundle-only\n"}

TAKEN: dict[str, str] = {
    "esp32 names opus/16000/1": (
        offer(
            audio(profile="UDP/TLS/RTP/SAVP", maps="a=rtpmap:111 opus/16000/1\na=ssrc:6 cname:webrtc-opus\n"),
            channel(port=50712),
        )
    ),
    "opus with one channel and no more": (offer(audio(maps="a=rtpmap:111 opus/48000\n"), channel())),
    "OPUS in capitals": offer(audio(maps="a=rtpmap:111 OPUS/48000/2\n"), channel()),
    "opus at a rate that it does not have": (offer(audio(maps="a=rtpmap:111 opus/44100/2\n"), channel())),
    "PCMA alone": offer(audio("8", "a=rtpmap:8 PCMA/8000\n"), channel()),
    "PCMU alone": offer(audio("0", "a=rtpmap:0 PCMU/8000/1\n"), channel()),
    "PCMU by its static number": offer(audio("0", ""), channel()),
    "PCMA by its static number, with a fmtp": offer(audio("8", "a=fmtp:8 x=1\n"), channel()),
    "PCMU at a number of its own": offer(audio("97", "a=rtpmap:97 pcmu/8000\n"), channel()),
    "PCMU preferred to opus": offer(audio("0 111"), channel()),
    "opus preferred to PCMU": offer(audio("111 0"), channel()),
    "G722 and G729 before what is taken": offer(audio("9 18 111"), channel()),
    "a fmtp for a static number": (offer(audio("111 18", "a=fmtp:18 annexb=no\n" + OPUS), channel())),
    "a fmtp before its rtpmap": (offer(audio(maps="a=fmtp:111 stereo=1\n" + OPUS), channel())),
    "a fmtp without a value": offer(audio(more="a=fmtp:111\n"), channel()),
    "a fmtp whose number is none": (offer(audio(more="a=fmtp:111 maxplaybackrate=fast\n"), channel())),
    "an rtpmap without a rate": (offer(audio("111 112", OPUS + "a=rtpmap:112 L16\n"), channel())),
    "numbers that RTCP needs": offer(audio("72 111 200"), channel()),
    "a section of video with such numbers": (
        offer(audio(), channel(), "m=video 9 UDP/TLS/RTP/SAVPF 73\nc=IN IP4 0.0.0.0\n")
    ),
    "spaces behind values": (
        offer(audio(), channel()).replace("actpass", "actpass ").replace("a=mid:0", "a=mid:0  ")
    ),
    "a number of ports": offer(audio(port="9/1"), channel()),
    "an ssrc alone": offer(audio(more="a=ssrc:1234\n"), channel()),
    "an ssrc that is no number": offer(audio(more="a=ssrc:x cname:y\n"), channel()),
    "a candidate that is cut off": (offer(audio(more="a=candidate:1 1 udp\n"), channel())),
    "a candidate whose port is none": (
        offer(audio(more="a=candidate:1 1 udp 1 192.0.2.1 x typ host\n"), channel())
    ),
    "an extmap with attributes": (
        offer(audio(more="a=extmap:1/sendonly urn:x a b\na=extmap:x\n"), channel())
    ),
    "unknown attributes of all kinds": (
        offer(
            audio(more="a=\na=x\na=x:\na=rtcp:\na=rtcp-fb:\na=msid:\na=rid:\nb=AS:x\ni=me\n"),
            channel(more="a=sctpmap:x\na=max-message-size:huge\n"),
            common="b=x\nz=1\nr=1\nu=http://x\ne=x\na=tool:x y\na=group:\na=group:LS 0\na=msid-semantic:\n",
        )
    ),
    "an address of a third kind": (offer(audio(), channel()).replace("c=IN IP4 0.0.0.0", "c=IN NSAP x")),
    "its path for all sections": (offer(audio(path="a=rtcp-mux\n"), channel(path=""), common=PATH)),
    "its path only in the section that its group names first": (
        offer(
            video(path=PATH + "a=rtcp-mux\n"),
            audio(path="", **BUNDLE_ONLY),
            channel(path="", **BUNDLE_ONLY),
            groups=("v 0 1",),
        )
    ),
    "candidates under the last section": (
        offer(audio(), channel(more="a=candidate:1 1 udp 1 192.0.2.1 5000 typ host\na=end-of-candidates\n"))
    ),
    "its data channel is the first of its group": (
        offer(channel(), audio(path="", **BUNDLE_ONLY), groups=("1 0",))
    ),
    "no group": offer(audio(), channel(path=OTHER_PATH), groups=()),
    "a group of audio alone": offer(audio(), channel(path=OTHER_PATH), groups=("0",)),
    "two groups": (offer(audio(), video(), channel(path=OTHER_PATH), groups=("0 v", "1"))),
    "neither group nor mid": offer(audio(mid=""), groups=()),
    "a group that names what is not there": (offer(audio(), channel(), groups=("x 0 1",))),
    "a disabled section first": (offer(video(port=0, path=""), audio(), channel(), groups=("v 0 1",))),
    "a second section of audio": (
        offer(audio(), audio(mid="2", direction="recvonly"), channel(), groups=("0 2 1",))
    ),
    "audio of which only the second is taken": (
        offer(audio("9", "", mid="2"), audio(), channel(), groups=("2 0 1",))
    ),
    "sections of other kinds": (
        offer(
            audio(),
            channel(),
            "m=text 9 RTP/AVP 98\na=rtpmap:98 t140/1000\n",
            "m=application 9 UDP/BFCP *\n",
            "m=message 9 TCP/TLS/MSRP *\n",
            "m=image 0 udptl t38\n",
        )
    ),
    "a data channel as before RFC 8841": (
        offer(audio(), channel(head="DTLS/SCTP 5000", more="a=sctpmap:5000 webrtc-datachannel 1024\n"))
    ),
    "a data channel that is disabled": offer(audio(), channel(port=0, path="")),
    "a profile without RTCP feedback": offer(audio(profile="RTP/SAVP"), channel()),
    "no a=setup": offer(audio(), channel()).replace("a=setup:actpass\r\n", ""),
    "a fingerprint in small letters": (
        offer(audio(), channel()).replace(FINGERPRINT, FINGERPRINT.lower()).replace("sha-256", "SHA-256")
    ),
    "several fingerprints of one certificate": (
        offer(audio(), channel()).replace(
            "a=fingerprint", f"a=fingerprint:sha-1 {FINGERPRINT[:59]}\r\na=fingerprint"
        )
    ),
    "lines that end with LF alone": offer(audio(), channel()).replace("\r", ""),
    "an empty line at the end": offer(audio(), channel()) + "\r\n",
}

CODECS = {
    "OPUS in capitals": "111 OPUS/48000/2",
    "PCMA alone": "8 PCMA/8000",
    "PCMU alone": "0 PCMU/8000/1",
    "PCMU by its static number": "0 PCMU/8000",
    "PCMA by its static number, with a fmtp": "8 PCMA/8000",
    "PCMU at a number of its own": "97 pcmu/8000",
    "PCMU preferred to opus": "0 PCMU/8000",
    "esp32 names opus/16000/1": "111 opus/16000/1",
    "opus with one channel and no more": "111 opus/48000",
    "opus at a rate that it does not have": "111 opus/44100/2",
}
"""What a=rtpmap says in the answer to one of TAKEN, where it is not "111 opus/48000/2"."""

OFFERS = RECORDED | TAKEN

REFUSED: dict[str, tuple[str, str, str]] = {
    # the offer, the start of the line that is to blame ("" where none is), and the reason
    "nothing": ("", "", "begins with 'v=0'"),
    "no description": ("hello\r\n", "hello", "begins with 'v=0'"),
    "no audio": (offer(channel(), groups=("1",)), "", "no audio section"),
    "G722 alone": (
        offer(audio("9", "a=rtpmap:9 G722/8000\n"), channel()),
        "m=audio",
        "expected Opus, PCMU",
    ),
    "PCMU at 16 kHz": (
        offer(audio("97", "a=rtpmap:97 PCMU/16000\n"), channel()),
        "m=audio",
        "expected Opus, PCMU",
    ),
    "opus that is described and not offered": (offer(audio("9"), channel()), "m=audio", "expected Opus"),
    "audio that is disabled": (
        offer(audio(port=0), channel()),
        "m=audio",
        "without a=bundle-only",
    ),
    "audio that is inactive": (offer(audio(direction="inactive"), channel()), "m=audio", "inactive"),
    "audio that is no RTP": (offer(audio(profile="UDP/BFCP"), channel()), "m=audio", "not carried by RTP"),
    "an m= line without formats": (offer("m=audio 9 RTP/AVP\n"), "m=audio", "expected 'm='"),
    "a port that is none": (offer(audio(port=70000), channel()), "m=audio", "expected 'm='"),
    "no key": (
        offer(audio(path=ICE + "a=rtcp-mux\n"), groups=("0",)),
        "m=audio",
        "no a=fingerprint",
    ),
    "keys in the description": (
        offer(
            audio(path=ICE + "a=rtcp-mux\na=crypto:1 x inline:x\n"),
            groups=(),
        ),
        "m=audio",
        "no a=fingerprint",
    ),
    "a hash that is broken": (
        offer(audio(), channel()).replace("sha-256", "sha-1"),
        "a=fingerprint",
        "expected a=fingerprint with sha-256",
    ),
    "a fingerprint that is too short": (
        offer(audio(), channel()).replace(FINGERPRINT, FINGERPRINT[:-3]),
        "a=fingerprint",
        "expected a=fingerprint with sha-256",
    ),
    "a role that is none": (
        offer(audio(), channel()).replace("actpass", "holdconn"),
        "a=setup",
        "expected a=setup",
    ),
    "no a=rtcp-mux": (offer(audio(path=PATH), channel()), "m=audio", "a=rtcp-mux"),
    "a data channel without a path, not bundled": (
        offer(audio(), channel(path=""), groups=("0",)),
        "m=application",
        "no a=ice-ufrag",
    ),
    "a data channel without a port": (
        offer(audio(), channel()).replace("a=sctp-port:5000\r\n", ""),
        "m=application",
        "no SCTP port",
    ),
}
