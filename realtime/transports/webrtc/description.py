"""The text of a session description (RFC 8866), as far as a call needs it; any other line is passed over.

Why not aiortc's parser: one attribute that it does not know in this form costs the whole offer, it does not
know a=bundle-only, and it cannot tell the line that is to blame.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

STATIC_FORMATS = {"0": "PCMU/8000", "8": "PCMA/8000"}
"""Numbers that need no a=rtpmap (RFC 3551 table 4), of the codecs that a call can have."""
_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
_LINE_ENDS = re.compile(r"\r\n|\r|\n")  # str.splitlines knows more, which RFC 8866 allows within a line
_MEDIA = re.compile(r"m=(\S+) +(\d{1,5})(?:/\d+)? +(\S+) +(\S.*)")
_PRINTABLE = re.compile(r"[\x20-\x7e\x80-\U0010ffff]*")


class MalformedDescription(Exception):
    """line: from 1. The message says what was expected."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Attribute:
    """`a=name:value`, or `a=name` with an empty value. line: where it is in the text, from 1."""

    line: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """One `m=` line with its attributes. common: those of the session, for where it has none of its own."""

    line: int
    kind: str
    port: int
    profile: str
    formats: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    common: tuple[Attribute, ...]

    def all(self, name: str) -> list[Attribute]:
        """Its own, else the session's, in the order of the text."""
        own = [one for one in self.attributes if one.name == name]
        return own or [one for one in self.common if one.name == name]

    def first(self, name: str) -> Attribute | None:
        return next(iter(self.all(name)), None)

    def word(self, name: str) -> str:
        """The first word of the attribute's value; empty where there is none."""
        found = self.first(name)
        words = found.value.split() if found else []
        return words[0] if words else ""

    def has(self, name: str) -> bool:
        return self.first(name) is not None

    @property
    def mid(self) -> str:
        return self.word("mid")

    @property
    def direction(self) -> str:
        own = [one.name for one in self.attributes if one.name in _DIRECTIONS]
        named = own or [one.name for one in self.common if one.name in _DIRECTIONS]
        return named[-1] if named else "sendrecv"  # RFC 8866 6.7

    @property
    def hears(self) -> bool:
        """Whether the peer takes what it is sent there."""
        return self.direction in ("sendrecv", "recvonly")

    @property
    def speaks(self) -> bool:
        return self.direction in ("sendrecv", "sendonly")

    @property
    def is_disabled(self) -> bool:
        """RFC 9143 6: with a=bundle-only, port 0 says only that it has none of its own."""
        return self.port == 0 and not self.has("bundle-only")

    def about(self, name: str, format_: str) -> str:
        """What `a=name:FORMAT ...` (rtpmap, fmtp) says of that format; empty where nothing is said."""
        for one in self.attributes:
            if one.name == name:
                number, _, told = one.value.partition(" ")
                if number == format_:
                    return told.strip()
        return STATIC_FORMATS.get(format_, "") if name == "rtpmap" else ""


@dataclass(frozen=True, slots=True)
class Description:
    """bundles: the mids of each BUNDLE group (RFC 9143)."""

    sections: tuple[Section, ...]
    bundles: tuple[tuple[str, ...], ...]

    def bundled_with(self, section: Section) -> list[Section]:
        """All that share its path, in the order in which their group names them; without one, itself."""
        mids = next((mids for mids in self.bundles if section.mid in mids), ())
        together = [one for mid in dict.fromkeys(mids) for one in self.sections if one.mid == mid]
        return together or [section]


def parse_description(text: str) -> Description:
    """Raises MalformedDescription for what is none, and for an `m=` line that cannot be read."""
    lines = [(at, line) for at, line in enumerate(_LINE_ENDS.split(text), start=1) if line.strip()]
    if not lines or lines[0][1].strip() != "v=0":
        line = lines[0][0] if lines else 1
        raise MalformedDescription(line, "expected a session description, which begins with 'v=0'")
    begins = [at for at, (_, line) in enumerate(lines) if line.startswith("m=")]
    common = tuple(_attributes(lines[: begins[0]] if begins else lines))
    ends = [*begins, len(lines)][1:]
    sections = [_section(lines[begin:end], common) for begin, end in zip(begins, ends, strict=True)]
    groups = (one.value.split() for one in common if one.name == "group")
    bundles = tuple(tuple(words[1:]) for words in groups if words[:1] == ["BUNDLE"])
    return Description(tuple(sections), bundles)


def _section(lines: list[tuple[int, str]], common: tuple[Attribute, ...]) -> Section:
    number, first = lines[0]
    found = _MEDIA.fullmatch(first.rstrip())
    if found is None or not _PRINTABLE.fullmatch(first) or int(found[2]) > 65_535:
        raise MalformedDescription(number, "expected 'm=' with media, port, protocol and formats")
    kind, port, profile, formats = found.groups()
    return Section(
        number, kind, int(port), profile, tuple(formats.split()), tuple(_attributes(lines[1:])), common
    )


def _attributes(lines: list[tuple[int, str]]) -> Iterator[Attribute]:
    for number, line in lines:
        if line.startswith("a=") and _PRINTABLE.fullmatch(line):
            name, _, value = line[2:].partition(":")
            yield Attribute(number, name.strip(), value.strip())
