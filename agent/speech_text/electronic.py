"""Addresses of pages, mail and machines, names of files, versions: said sign by sign."""

import re

from agent.speech_text.numbers import cardinal, digits
from agent.speech_text.rule import Rule, any_of

_TOP_LEVEL_DOMAINS = (
    *("com", "org", "net", "edu", "gov", "mil", "int", "io", "dev", "ai", "app", "info", "biz"),
    *("uk", "de", "fr", "eu", "ca", "au", "nz", "jp", "cn", "ch", "nl", "se", "dk", "pl", "ru", "br", "tv"),
)
_FILE_ENDINGS = (
    *("py", "js", "ts", "tsx", "jsx", "c", "h", "cpp", "cc", "rs", "go", "java", "rb", "php", "sh", "swift"),
    *("html", "htm", "css", "json", "yaml", "yml", "toml", "ini", "cfg", "conf", "xml", "sql", "env", "lock"),
    *("md", "rst", "txt", "csv", "tsv", "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "log", "ipynb"),
    *(
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "mp3",
        "mp4",
        "wav",
        "ogg",
        "flac",
        "mov",
        "zip",
        "gz",
        "tar",
    ),
    *("exe", "dll", "so", "deb", "rpm", "apk", "iso", "bak", "gguf", "onnx"),
)
_SIGNS = {
    ".": " dot ",
    "/": " slash ",
    "@": " at ",
    "-": " dash ",
    "_": " underscore ",
    "+": " plus ",
    ":": " colon ",
    "#": " hash ",
    "?": " question mark ",
    "=": " equals ",
    "&": " and ",
    "%": " percent ",
    "~": " tilde ",
}
_SIGN = re.compile("|".join(map(re.escape, _SIGNS)))
_LABEL = r"[A-Za-z0-9](?:[\w-]{0,62})"
_PATH = r"(?:[/?#][^\s<>()\[\]\"'“”]{0,500}[\w/])?"
_PAGE = (
    rf"https?://[^\s<>()\[\]\"'“”]{{0,500}}[\w/]|www\.[^\s<>()\[\]\"'“”]{{1,500}}[\w/]"
    rf"|(?<![\w@.-])(?:{_LABEL}\.){{1,6}}{any_of(_TOP_LEVEL_DOMAINS)}(?![\w-]|\.\w)(?:/{_PATH}|{_PATH})"
)
_MAIL = rf"(?<![\w.+-])[\w.+-]{{1,64}}@(?:{_LABEL}\.){{1,6}}[A-Za-z]{{2,24}}(?![\w-])>?"
_FILE = rf"(?<![\w.])(?:[\w-]{{1,60}}\.){{1,4}}{any_of(_FILE_ENDINGS)}(?![\w-]|\.\w)"
_FILE_PATH = r"(?<![\w.<)/])(?:(?:~|\.{1,2})(?:/[\w.-]{1,60}){1,12}|(?:/[\w.-]{1,60}){2,12})(?<![.-])"
_MACHINE = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2}|:\d{1,5})?(?![\w]|\.\d)"
# "1.000.000" is a number.
_VERSION = (
    r"(?<![\w.])(?!\d{1,3}(?:\.\d{3}){2,4}(?![.\d]))"
    r"(?:[vV]\d{1,4}(?:\.\d{1,5}){0,5}|\d{1,4}(?:\.\d{1,5}){2,5})(?![\w]|\.\d)"
)


def _address(match: re.Match[str]) -> str:
    written = re.sub(r"^https?://(www\.)?", "", match[0].rstrip(">")).rstrip("/")
    said = _SIGN.sub(lambda sign: _SIGNS[sign[0]], written)
    return re.sub(r"[^\w ]+", " ", re.sub(r"\d+", lambda figure: f" {digits(figure[0])} ", said)).replace(
        "_", " "
    )


def _numbers_with_points(match: re.Match[str]) -> str:
    """Of versions and machines: "3.11.2" -> "three point eleven point two"."""
    written = match[0]
    version = "version " if written[0] in "vV" else ""
    for sign, word in ((".", " point "), ("/", " slash "), (":", " port ")):
        written = written.replace(sign, word)
    return version + re.sub(r"\d+", lambda figure: cardinal(figure[0]), written.lstrip("vV"))


ELECTRONIC = (
    Rule(_MAIL, _address),
    Rule(_PAGE, _address),
    Rule(_FILE, _address),
    Rule(_FILE_PATH, _address),
    Rule(_MACHINE, _numbers_with_points),
)
VERSIONS = (Rule(_VERSION, _numbers_with_points),)
"""Apart, for "25.12.2024" is a date."""
