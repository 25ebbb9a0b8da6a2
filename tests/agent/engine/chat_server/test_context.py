"""How much a chat server reads: told, set, or learned from what it refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.api import AgentError, AssistantMessage, Message, TextPart, Truncation, UserMessage
from agent.engine.base import EngineRequest
from agent.engine.chat_server.context import (
    Context,
    ContextRefusal,
    context_of_models,
    context_of_props,
    context_refusal,
    corrected,
    estimate,
    learned,
)


@pytest.mark.parametrize(
    ("listing", "tokens"),
    [
        ({"data": [{"id": "m", "max_model_len": 4096}]}, 4096),
        ({"data": [{"id": "other", "max_model_len": 4096}]}, 4096),
        ({"data": [{"id": "a", "max_model_len": 4096}, {"id": "m", "max_model_len": 8192}]}, 8192),
        ({"data": [{"id": "a", "context_length": 4096}, {"id": "b", "context_length": 8192}]}, None),
        ({"data": [{"id": "m", "context_length": 131072.0}]}, 131072),
        ({"data": [{"id": "m", "context_window": 32768}]}, 32768),
        ({"data": [{"id": "m", "max_context_length": 32768}]}, 32768),
        (
            {"data": [{"id": "m", "meta": {"n_ctx_train": 32768}}]},
            None,
        ),  # of its training
        ({"data": [{"id": "m", "meta": {"n_ctx": 4096}}]}, 4096),
        *[
            ({"data": [{"id": "m", "max_model_len": what}]}, None)
            for what in (None, "4096", True, 0, -1, 1e999)
        ],
        *[(what, None) for what in (None, [], {}, {"data": None}, {"data": [None]}, {"data": {}}, "no")],
    ],
)
def test_the_servers_list_of_models_is_read(listing: object, tokens: int | None) -> None:
    assert context_of_models(listing, "m") == tokens


def test_the_settings_of_llama_cpp_are_read() -> None:
    assert context_of_props({"default_generation_settings": {"n_ctx": 2048}, "total_slots": 4}) == 2048
    assert context_of_props({"n_ctx": 4096}) == 4096
    assert context_of_props({"default_generation_settings": None}) is None
    assert context_of_props([]) is None


LLAMA_CPP = "request (2825 tokens) exceeds the available context size (2048 tokens), try increasing it"
REFUSALS = [
    (LLAMA_CPP, 2048, 2825),
    ({"error": {"code": 400, "message": LLAMA_CPP, "n_prompt_tokens": 2826, "n_ctx": 2049}}, 2049, 2826),
    (
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4500 in the "
        "messages, 500 in the completion). Please reduce the length of the messages or completion.",
        4096,
        4500,
    ),
    (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 5,012 "
        "tokens.",
        4096,
        5012,
    ),
    (
        "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is "
        "8192 tokens and your request has 5000 input tokens (4096 > 8192 - 5000).",
        8192,
        5000,
    ),
    ("prompt is too long: 208310 tokens > 200000 maximum", 200000, 208310),
    (
        "The input token count (1048579) exceeds the maximum number of tokens allowed (1048576).",
        1048576,
        1048579,
    ),
    (
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context "
        "length",
        32768,
        40000,
    ),
    (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3900 `inputs` "
        "tokens and 512 `max_new_tokens`. The prompt is too long",
        4096,
        3900,
    ),
    ("This model's maximum context length is 3000 tokens (context_length_exceeded)", 3000, None),
    (
        "max_tokens=4096 cannot be greater than max_model_len=2048. Please request fewer output tokens. "
        "(parameter=max_tokens, value=4096)",
        2048,
        None,
    ),
    (
        "This model's maximum context length is 2048 tokens. However, your prompt contains 90000 characters "
        "(more than 32768 characters, which is the upper bound for 2048 input tokens). Please reduce the "
        "length of the input prompt.",
        2048,
        None,
    ),
    (
        "The decoder prompt (length 2048) plus the number of requested output tokens (at least 1) is longer "
        "than the maximum model length of 2048.",
        2048,
        None,
    ),
    ({"error": {"message": "Too long.", "code": "context_length_exceeded"}}, None, None),
    ("the request exceeds the available context size, try increasing it", None, None),
    ("Please reduce the length of the messages or completion.", None, None),
    ("The number of tokens to keep from the initial prompt is greater than the context length", None, None),
    (
        "Trying to keep the first 5011 tokens when context the overflows. However, the model is loaded with "
        "context length of only 4096 tokens",
        4096,
        None,
    ),
]


@pytest.mark.parametrize(("refusal", "tokens", "prompt_tokens"), REFUSALS)
def test_what_is_too_long_is_told_in_many_ways(
    refusal: Any, tokens: int | None, prompt_tokens: int | None
) -> None:
    body = refusal if isinstance(refusal, str) else json.dumps(refusal)
    assert context_refusal(400, body) == ContextRefusal(tokens, prompt_tokens)


AT_LEAST = (
    "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input "
    "tokens, which exceeds this limit even without any output tokens."
)
"""vLLM counts no further."""


def test_where_the_server_stopped_counting_there_is_more() -> None:
    assert context_refusal(400, AT_LEAST) == ContextRefusal(2048, 2049, has_more=True)


def test_refused_twice_without_a_count_every_byte_may_be_a_token() -> None:
    context = learned(Context(2048), ContextRefusal(2048, 2049, has_more=True), 1500)
    assert 1.4 < context.tokens_per_estimate < 1.5
    assert context.is_guess
    context = learned(context, ContextRefusal(2048, 2049, has_more=True), 1050, refused_before=1)
    assert context.tokens_per_estimate > 3
    assert learned(context, ContextRefusal(2048, 3000), 600).is_guess is False


def test_a_guess_is_corrected_by_what_the_server_counts_of_an_answered_prompt() -> None:
    guess = Context(2048, 3.15, has_refused=True, is_guess=True)
    assert corrected(guess, 400, 600) == Context(2048, 1.5 * 1.05, has_refused=True)
    assert corrected(guess, 40, 60) == guess, "in so short a prompt the template counts for more"
    assert corrected(guess, 400, 0) == guess, "not every server counts"
    counted = Context(2048, 2.0, has_refused=True)
    assert corrected(counted, 400, 600) == counted


def test_a_limit_of_the_answer_that_is_too_high_says_nothing_of_the_prompt() -> None:
    too_high = context_refusal(400, "max_tokens=4096 cannot be greater than max_model_len=2048.")
    assert too_high is not None
    assert learned(Context(), too_high, 130, answer_tokens=4096) == Context(2048, 1.0, has_refused=True)


@pytest.mark.parametrize(
    "body",
    [
        "Extra inputs are not permitted: stream_options",
        "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "max_tokens is too large: 4096. This model supports at most 2048 completion tokens.",
        "conversation roles must alternate user/assistant/user/assistant/...",
        "Invalid tool_call_id",
        '{"error": {"message": "The name of a tool is too long"}}',
        "",
    ],
)
def test_other_refusals_are_not_taken_for_it(body: str) -> None:
    assert context_refusal(400, body) is None


def test_a_body_too_large_is_one_whatever_it_says() -> None:
    assert context_refusal(413, "Payload Too Large") == ContextRefusal()


def asked(*texts: str, **fields: Any) -> EngineRequest:
    messages: list[Message] = [
        UserMessage((TextPart(text),)) if n % 2 == 0 else AssistantMessage(text)
        for n, text in enumerate(texts)
    ]
    return EngineRequest("c", "Be kind.", tuple(messages), **fields)


def test_without_a_word_of_its_length_everything_is_sent() -> None:
    made = Context().fit(asked("word " * 100_000))
    assert not made.is_cut
    assert Context().answer_tokens(asked("Hi")) == 4096
    assert Context().answer_tokens(asked("Hi", max_tokens=9)) == 9


def test_prompt_and_answer_share_the_context() -> None:
    context = Context(1000)
    assert context.answer_tokens(asked("Hi")) == 250
    assert context.answer_tokens(asked("Hi", tokens_max=100)) == 100
    assert context.answer_tokens(asked("Hi", max_tokens=4096)) == 500
    made = context.fit(asked(*["word " * 60] * 21))
    assert estimate("Be kind.", (), made.messages) <= 750


def test_instructions_that_may_fit_by_the_servers_count_are_sent() -> None:
    """The estimate is a careful one: English has fewer tokens."""
    instructions = "word " * 420  # 700 tokens as estimated, about 420 as counted
    request = EngineRequest("c", instructions, (UserMessage((TextPart("Hi"),)),))
    assert Context(1000).fit(request).messages == request.messages
    with pytest.raises(AgentError) as failure:
        Context(1000, has_refused=True).fit(request)
    assert failure.value.code == "context_length_exceeded"


def test_of_the_instructions_length_as_much_is_known_as_of_the_context() -> None:
    assert Context().instructions_bytes_max == 0
    assert Context(4096).instructions_bytes_max == (3072 - 64) * 4


@given(
    st.lists(st.integers(1, 3000), min_size=1, max_size=30),
    st.one_of(st.none(), st.integers(256, 4000)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.4, 0.8, 1.0, 1.7, 3.0]),
)
def test_whatever_a_server_says_of_it_what_it_refused_is_sent_shorter(
    lengths: list[int], known: int | None, names_context: bool, names_prompt: bool, rate: float
) -> None:
    """rate: of the server's tokens to our estimate. It refuses more than three quarters of 2,000."""
    request = asked(*["x" * length for length in lengths])
    context, last = Context(known), None
    for _ in range(12):
        try:
            made = context.fit(request)
        except AgentError:
            return  # the last turn and the instructions alone are longer
        estimated = estimate("Be kind.", (), made.messages)
        tokens = int(estimated * rate)
        if tokens <= 1500:
            return
        if context.tokens is None and tokens < 512:
            return
        assert last is None or estimated < last or known is not None
        last = estimated
        refusal = ContextRefusal(2000 if names_context else None, tokens if names_prompt else None)
        context = learned(context, refusal, estimated)
    raise AssertionError("it does not get shorter")


def test_a_short_request_that_is_refused_says_nothing_of_the_context() -> None:
    """Else one odd refusal would leave every later conversation without a memory."""
    assert learned(Context(), ContextRefusal(), 150) == Context()


def test_with_truncation_disabled_nothing_leaves() -> None:
    with pytest.raises(AgentError):
        Context(1000).fit(asked(*["word " * 100] * 21, truncation=Truncation(None)))
