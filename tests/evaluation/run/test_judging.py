"""A judge that prefers a place, answers prose, or dies: over a real socket, its replies counted."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, Response

from evaluation.errors import EvaluationError
from evaluation.record import Answer, Record
from evaluation.routes.judge import PROMPT, REMINDER, Judge, read_prompt
from evaluation.run.judging import Judgement, Judging, judgements, standing
from evaluation.run.limiter import Limiter
from tests.evaluation.run.scripted_server import Asked, Script, scripted_server


def _record(name: str, response: str | None = "a crow", details: Mapping[str, str] | None = None) -> Record:
    return Record(
        key=name,
        sample_id=name,
        benchmark="air",
        source="air_sound",
        audio="",
        audio_sha256="",
        audio_s=1.0,
        prompt=f"what is {name}?",
        reference="a raven {question}",
        details=details or {"meta_info": "a crow calls", "question": f"what is {name}?"},
        answer=None if response is None else Answer(response=response),
        error="" if response else "it failed",
    )


def _replied(content: str) -> Response:
    return JSONResponse({"choices": [{"message": {"content": content}}]})


def _text(asked: Asked) -> str:
    return str(asked.body["messages"][0]["content"])


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


class _SameJudge(Judge):
    """Comes back at another port, which a test cannot help."""

    def description(self) -> Mapping[str, str | int | float | bool | None]:
        return {**super().description(), "url": "http://judge"}


async def _judged(
    folder: Path, script: Script, records: list[Record], prompt: str = PROMPT
) -> tuple[list[Judgement], list[Asked]]:
    async with scripted_server(script) as server, _SameJudge(server.url, "j", prompt=prompt) as judge:
        judging = Judging(folder, judge, Limiter(8), retries=1, sleep=_at_once)
        return await judging.judge_all(records), server.asked


async def _by_length(asked: Asked) -> Response:
    """9 for a crow, 4 for a raven, and one more for who comes first."""
    first, second = re.findall(r"<assistant_\d>\n(.*)\n</assistant_\d>", _text(asked))
    marks = [9 if "crow" in answer else 4 for answer in (first, second)]
    return _replied(f"{marks[0] + 1} {marks[1]}")


async def test_both_orders_are_asked_and_each_mark_goes_to_its_answer(tmp_path: Path) -> None:
    found, asked = await _judged(tmp_path, _by_length, [_record("0001")])
    assert [(one.order, one.reference_mark, one.model_mark) for one in found] == [
        ("reference_first", 5, 9),
        ("model_first", 4, 10),
    ]
    assert len(asked) == 2
    assert all(one.body["temperature"] == 0.0 for one in asked)
    assert all("a crow calls" in _text(one) and "what is 0001?" in _text(one) for one in asked)


async def test_replies_are_kept_by_what_they_answer_and_never_asked_for_twice(tmp_path: Path) -> None:
    records = [_record("0001"), _record("0002")]
    first, _ = await _judged(tmp_path, _by_length, records)
    again, asked = await _judged(tmp_path, _by_length, records)
    assert again == first
    assert asked == []
    _, asked = await _judged(tmp_path, _by_length, [_record("0001", "a crow, twice"), records[1]])
    assert {one.sample_id for one in asked} == {"0001"}
    _, asked = await _judged(tmp_path, _by_length, records, prompt=PROMPT + "Be strict.\n")
    assert len(asked) == 4


async def test_prose_is_asked_again_with_a_reminder_and_counts_as_refused_in_the_end(tmp_path: Path) -> None:
    async def prose(asked: Asked) -> Response:
        if asked.sample_id == "0001":
            return _replied("I cannot hear recordings.")
        return _replied("7 6" if REMINDER in _text(asked) else "The first is better.")

    found, asked = await _judged(tmp_path, prose, [_record("0001"), _record("0002")])
    assert [one.is_refused for one in found] == [True, True, False, False]
    assert found[0].reply == "I cannot hear recordings."
    assert len(asked) == 2 * 3 + 2 * 2
    [line] = standing(found)
    assert line == (
        "air_sound: 6.50 of 10 by 2 marks, 2 refused; the reference answers 6.50; "
        "the model's was better in 50.0 %"
    )
    _, asked = await _judged(tmp_path, _by_length, [_record("0001"), _record("0002")])
    assert {one.sample_id for one in asked} == {"0001"}  # what was refused is asked again
    assert not any(one.is_refused for one in judgements(tmp_path))


async def test_a_judge_that_dies_leaves_what_it_gave(tmp_path: Path) -> None:
    async def down(asked: Asked) -> Response | None:
        return _replied("7 6") if asked.sample_id == "0001" else JSONResponse({}, 500)

    found, _ = await _judged(tmp_path, down, [_record("0001"), _record("0002")])
    assert [one.error for one in found] == ["", "", *["the server answered HTTP 500 ({})"] * 2]
    assert len(judgements(tmp_path)) == 4


async def test_what_has_no_answer_is_not_judged(tmp_path: Path) -> None:
    found, asked = await _judged(tmp_path, _by_length, [_record("0001", None)])
    assert (found, asked) == ([], [])


async def test_the_judges_text_takes_answers_as_they_are_braces_and_all() -> None:
    async with Judge("http://localhost", "j") as judge:
        fields = {"description": "{answer_1}", "question": "{", "answer_1": "{question}", "answer_2": "%s"}
        text = judge.request(fields)
    assert "is in it:\n{answer_1}\n" in text
    assert "<assistant_1>\n{question}\n</assistant_1>" in text


async def test_another_text_for_the_judge_must_show_it_all(tmp_path: Path) -> None:
    path = tmp_path / "judge.txt"
    path.write_text("{description} {question} {answer_1}")
    with pytest.raises(EvaluationError, match=r"lacks \{answer_2\}"):
        read_prompt(path)
    path.write_text("{description} {question} {answer_1} {answer_2}")
    assert read_prompt(path) == path.read_text()


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "judge.jsonl").write_text(json.dumps({"key": 1}) + "\n")
    with pytest.raises(EvaluationError, match=r"judge\.jsonl, line 1"):
        judgements(tmp_path)
