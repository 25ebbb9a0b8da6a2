"""Small data sets in the form that their makers publish them in, with real speech for clips."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from tests.recordings import recording
from tests.speech import HZ, utterance

CLIP_S = 1.0


@cache
def clip(ending: str, seconds: float = CLIP_S, hz: int = HZ) -> bytes:
    """Speech as a file of that ending. hz: what the file says, whatever the voice then sounds like."""
    pcm = np.frombuffer(utterance("forever_4").pcm16k, "<i2")[: int(seconds * hz)]
    container, codec = {
        "wav": ("wav", "pcm_s16le"),
        "flac": ("flac", "flac"),
        "mp3": ("mp3", "libmp3lame"),
        "mp4": ("mp4", "aac"),
        "g722": ("g722", "g722"),
    }[ending]
    return recording((pcm / 32768.0)[:, None], hz, container, codec)


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_clip(path: Path, seconds: float = CLIP_S) -> Path:
    """A clip in the format of its ending."""
    return put(path, clip(path.suffix[1:], seconds))


def librispeech(root: Path, splits: tuple[str, ...] = ("test-clean", "dev-other")) -> Path:
    for split in splits:
        chapter = root / "LibriSpeech" / split / "1089" / "134686"
        put(
            chapter / "1089-134686.trans.txt",
            "1089-134686-0000 HE HOPED THERE WOULD BE STEW\n1089-134686-0001 STUFF IT INTO YOU\n",
        )
        for number in range(2):
            put_clip(chapter / f"1089-134686-000{number}.flac")
    return root


def common_voice(root: Path, locale: str) -> Path:
    """The first sentence begins with a quotation mark, as many do."""
    folder = root / "cv-corpus-15.0-2023-09-08" / locale
    rows = [
        "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tvariant\tlocale\tsegment",
        f'a1\tcommon_voice_{locale}_1.mp3\t"Oui", dit-elle.\t2\t0\t\t\t\t\t{locale}\t',
        f"b2\tcommon_voice_{locale}_2.mp3\tNon.\t2\t0\t\t\t\t\t{locale}\t",
    ]
    put(folder / "test.tsv", "\n".join(rows) + "\n")
    for number in (1, 2):
        put_clip(folder / "clips" / f"common_voice_{locale}_{number}.mp3")
    return root


def fleurs(root: Path) -> Path:
    folder = root / "data" / "cmn_hans_cn"
    rows = [
        "1675\t111.wav\t这并不是告别。\t这 并 不 是 告 别\t这 | 并\t16000\tMALE",
        "1675\t222.wav\t这并不是告别。\t这 并 不 是 告 别\t这 | 并\t16000\tFEMALE",
    ]
    put(folder / "test.tsv", "\n".join(rows) + "\n")
    for name in ("111.wav", "222.wav"):
        put_clip(folder / "audio" / "test" / name)
    return root


def aishell2(root: Path) -> Path:
    for channel, letter in (("iOS", "I"), ("Android", "A"), ("Mic", "M")):
        folder = root / "AISHELL-DEV-TEST-SET" / channel / "test"
        names = [f"{letter}T000{number}W0001" for number in (1, 2)]
        put(folder / "trans.txt", f"{names[0]}\t今天天气\n{names[1]}\t打开灯\n")
        put(
            folder / "wav.scp",
            "".join(f"{name}\twav/T000{n}/{name}.wav\n" for n, name in enumerate(names, 1)),
        )
        for number, name in enumerate(names, 1):
            put_clip(folder / "wav" / f"T000{number}" / f"{name}.wav")
    return root


def covost2(root: Path) -> Path:
    """One direction by the splitting script, one as downloaded, over clips of another release."""
    put(
        root / "covost_v2.en_de.test.tsv",
        'path\tsentence\ttranslation\tclient_id\ncommon_voice_en_7.mp3\tHi.\tHallo, \\"du\\".\tc1\n',
    )
    put(
        root / "covost_v2.zh-CN_en.tsv",
        "path\ttranslation\tsplit\n"
        "common_voice_zh-CN_8.mp3\tSpring is here.\ttest\n"
        "common_voice_zh-CN_9.mp3\tNot asked.\ttrain\n",
    )
    put_clip(root / "en" / "clips" / "common_voice_en_7.mp3")
    put_clip(root / "zh-CN" / "clips" / "common_voice_zh-CN_8.mp3")
    return root


def meld(root: Path) -> Path:
    """The training set numbers its films alike."""
    folder = root / "MELD.Raw"
    rows = [
        "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime",
        '1,"Why, do all your coffee mugs have numbers?",Mark,surprise,positive,0,0,3,19,"00:14:38,127"',
        "2,Oh.,Rachel,anger,negative,0,1,3,19,0",
    ]
    put(folder / "test_sent_emo.csv", "\n".join(rows) + "\n")
    for number in (0, 1):
        put_clip(folder / "output_repeated_splits_test" / f"dia0_utt{number}.mp4")
        put_clip(folder / "train_splits" / f"dia0_utt{number}.mp4")
    return root


def vocalsound(root: Path) -> Path:
    entries = [
        {"wav": "/data/sls/audio/f0003_0_cough.wav", "labels": "/m/01b_21"},
        {"wav": "/data/sls/audio/m0004_0_throatclearing.wav", "labels": "/m/0dl9sf8"},
    ]
    put(root / "datafiles" / "te.json", json.dumps({"data": entries}))
    for name in ("f0003_0_cough", "m0004_0_throatclearing"):
        put_clip(root / "audio_16k" / f"{name}.wav")
    return root


AIRBENCH = [
    {
        "path": "a.wav",
        "question": "What does she want?",
        "answer_gt": "A table.",
        "meta_info": "A woman asks for a table.",
        "task_name": "speech_dialogue_QA",
        "dataset_name": "fisher",
        "uniq_id": 7,
    },
    {
        "path": "b.wav",
        "question": "What plays while she speaks?",
        "answer_gt": "A guitar.",
        "meta_info": "A woman speaks over a guitar.",
        "task_name": "speech_and_music_QA",
        "dataset_name": "mixed",
        "uniq_id": "8",
    },
]


def airbench(root: Path) -> Path:
    put(root / "Chat" / "Chat_meta.json", json.dumps(AIRBENCH))
    for entry in AIRBENCH:
        put_clip(root / "Chat" / f"{entry['task_name']}_{entry['dataset_name']}" / str(entry["path"]))
    return root


def jsonl(path: Path, lines: list[dict[str, object]]) -> Path:
    return put(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
