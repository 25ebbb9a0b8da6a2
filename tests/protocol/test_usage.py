"""Every answer that has used tokens tells how many, cut off or not."""

from hypothesis import given
from hypothesis import strategies as st

from agent.api import (
    AgentRequest,
    AudioPart,
    GenerationDone,
    GenerationFailed,
    PromptRead,
    TextDelta,
    TextPart,
    Usage,
    UserMessage,
)
from realtime.protocol.estimated_usage import estimated_input
from tests.protocol.driver import Driver


def usage_of(driver: Driver) -> tuple[int, int, int]:
    usage = driver.last("response.done")["response"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    return usage["input_tokens"], usage["input_token_details"]["cached_tokens"], usage["output_tokens"]


def test_a_cancelled_answer_has_the_engines_count_of_its_prompt_and_its_own_words() -> None:
    driver = Driver()
    driver.write("What time is it?")
    driver.client("response.create")
    driver.agent_says(PromptRead(Usage(40, cached_tokens=30)))
    for word in ("It", " is", " late"):
        driver.agent_says(TextDelta(word))
    driver.client("response.cancel")
    assert usage_of(driver) == (40, 30, 3)


def test_an_answer_that_is_cut_off_by_speech_too() -> None:
    driver = Driver()
    driver.speak()
    driver.agent_says(PromptRead(Usage(7, 25)))
    driver.say("Well", 0.5)
    driver.begin_speech()
    assert usage_of(driver) == (32, 0, 1)


def test_where_no_engine_has_counted_the_prompt_is_estimated() -> None:
    driver = Driver()
    driver.client("session.update", session={"instructions": "x" * 40})
    driver.write("y" * 20)
    driver.client("response.create")
    driver.client("response.cancel")
    assert usage_of(driver) == (15, 0, 0)


def test_what_an_engine_says_in_the_end_is_what_counts() -> None:
    driver = Driver()
    driver.client("response.create")
    driver.agent_says(PromptRead(Usage(40)))
    driver.agent_says(TextDelta("word"))
    driver.finish(GenerationDone(usage=Usage(41, output_text_tokens=2)))
    assert usage_of(driver) == (41, 0, 2)


def test_a_failed_answer_has_used_what_it_said_and_one_without_a_word_nothing() -> None:
    driver = Driver()
    for words, used in ((("one", "two"), 2), ((), None)):
        driver.client("response.create")
        for word in words:
            driver.agent_says(TextDelta(word))
        driver.finish(GenerationFailed("agent_error", "broken"))
        usage = driver.last("response.done")["response"]["usage"]
        assert (usage and usage["output_tokens"]) == used


@given(st.text(max_size=50), st.integers(0, 100_000), st.none() | st.text(max_size=50))
def test_audio_counts_as_sound_or_as_its_words(text: str, n_samples: int, transcript: str | None) -> None:
    audio = AudioPart(bytes(2 * n_samples), transcript)
    request = AgentRequest("s", "r", text, (UserMessage((TextPart(text), audio)),))
    usage = estimated_input(request)
    assert usage.input_text_tokens == -(-(2 * len(text) + len(transcript or "")) // 4)
    assert (usage.input_audio_tokens > 0) == (transcript is None and n_samples > 320)
