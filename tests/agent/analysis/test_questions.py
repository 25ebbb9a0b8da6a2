"""Which instructions ask about a clip, in many wordings, and their neighbours, which do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.analysis.phrases import NEEDS_HEARING, PHRASES, WORDS, Topic
from agent.analysis.questions import CHARS_MAX, asked

ABOUT_THE_CLIP = {
    "TRANSCRIPT": (
        "transcribe",
        "Transcribe this.",
        "Please transcribe the audio word for word.",
        "Could you transcribe this recording for me, please?",
        "What is said?",
        "What's being said in this clip?",
        "What does the speaker say?",
        "What did he say in the recording?",
        "what is the man saying",
        "Write down what she says.",
        "Give me a full transcript of the audio file",
        "Convert it to text",
        "Listen to the audio and tell me what is said.",
    ),
    "LANGUAGE TRANSCRIPT": ("Detect the language and recognize the speech: <|en|>",),
    "DURATION": (
        "How long is it?",
        "how long is this clip",
        "Tell me how long the recording is.",
        "What is the duration of the audio in seconds?",
        "How many seconds does it last?",
        "duration?",
    ),
    "LEVEL": (
        "How loud is it?",
        "How loud is the speaker?",
        "Is it too quiet?",
        "Is the audio clipped?",
        "Is there any clipping?",
        "What's the peak level?",
        "what is the volume of this recording",
    ),
    "SPEECH": (
        "Is there speech in it?",
        "Is anybody speaking?",
        "Is somebody talking in this file?",
        "Does anyone say anything?",
        "Do you hear a voice?",
        "Can you hear anybody?",
        "Is this speech or music?",
        "When does the speaker start?",
        "How long does she speak?",
    ),
    "SILENCE": (
        "How much silence is there?",
        "Where is the silence?",
        "Is it silent?",
        "Is there silence at the beginning?",
    ),
    "PAUSES": (
        "How many pauses are there?",
        "How many pauses does the speaker make?",
        "What is the longest pause?",
        "how many turns are there in this recording",
    ),
    "LANGUAGE": (
        "What language is it?",
        "Which language is spoken in this clip?",
        "What language does he speak?",
        "What language are they speaking?",
        "Is it English?",
        "Is the speaker speaking French or German?",
        "Tell me what language this is.",
        "Identify the language",
    ),
    "NOISE": (
        "How noisy is it?",
        "Is there any background noise?",
        "Is there a lot of noise in the background?",
    ),
    "OVERVIEW": (
        "Describe this audio.",
        "Analyse this clip in detail.",
        "What do you hear?",
        "What can you hear in this recording?",
        "What is this?",
        "What's in this audio file?",
    ),
    "FEELING": (
        "What is the emotion of the speaker?",
        "How does she feel?",
        "How does the speaker sound?",
        "Does he sound angry?",
        "Is she happy or sad?",
        "What mood is the speaker in?",
        "Recognize the emotion with keywords in English:",
    ),
    "SPEAKER": (
        "Is it a man or a woman?",
        "Is the speaker male or female?",
        "What is the gender of the speaker?",
        "What is the speaker's gender?",
        "How old is the speaker?",
        "Who is speaking?",
        "How many people are speaking?",
        "How many speakers are there in this clip?",
        "What accent does he have?",
    ),
    "SOUNDS": (
        "Is there music?",
        "Is there music in the background?",
        "What kind of music is this?",
        "What instrument is playing?",
        "What sound is this?",
        "What is that noise in the background?",
        "Do you hear a dog?",
        "Is somebody laughing?",
        "Classify the human vocal sound to VocalSound in English:",
        "What is making that noise?",
        "Where was it recorded?",
    ),
    "DURATION LANGUAGE": ("How long is it and what language is it?",),
    "DURATION LEVEL": ("How long and how loud is it?",),
    "TRANSCRIPT FEELING": ("Transcribe it, and tell me how the speaker feels.",),
    "TRANSCRIPT DURATION": ("Please transcribe this. Then tell me the duration.",),
    "SPEAKER LANGUAGE DURATION": ("Who is speaking, what language is spoken and how long is the clip?",),
}

ABOUT_SOMETHING_ELSE = (
    "Answer in five words.",
    "What is the capital of France?",
    "Summarise what is said.",
    "Summarize this recording.",
    "What does the speaker ask for?",
    "What did the speaker ask for?",
    "What is said about dogs?",
    "What does he say about the weather?",
    "How long is the Nile?",
    "How long does he want to stay?",
    "How long does the journey take?",
    "How loud is a jet engine?",
    "What language is spoken in Brazil?",
    "Is anybody speaking about money?",
    "What music does she like?",
    "How old is the speaker's son?",
    "Is the speaker happy with the service?",
    "How does she feel about the offer?",
    "What emotions does he talk about?",
    "Translate it into German.",
    "Translate this to French and transcribe it.",
    "What is this about?",
    "What is the topic of the recording?",
    "What is the man's name?",
    "Why is he angry?",
    "Who is the president?",
    "Who is speaking at the conference tomorrow?",
    "Where is the meeting?",
    "When does the meeting start?",
    "When does the train leave?",
    "Is there a train to Paris?",
    "Are there any questions?",
    "How many people live in Berlin?",
    "How many pauses should I make?",
    "What is the length of a marathon?",
    "Describe the city he talks about.",
    "What can you tell me about dogs?",
    "Reply to this message.",
    "Answer the question.",
    "Say hello.",
    "Is it far?",
    "Is it true?",
    "What is it?s name",
    "Tell me a joke.",
    "Is he going to come?",
    "What do you think?",
    "What time is it?",
    "Turn on the light.",
    "Write an email that says what he wants.",
    "Give me the key points.",
    "Is there anything I should do?",
    "What should I answer?",
    "Correct the grammar of what is said.",
    "How do you spell the name?",
    "What words does he misuse?",
    "Continue the sentence.",
    "Repeat after me",
    "Do you speak English?",
    "How are you?",
    "Who are you?",
    "Who is he?",
    "Write a text about it.",
    "What are you?",
    "Is there a deadline?",
)


@pytest.mark.parametrize(
    ("topics", "instruction"),
    [(topics, one) for topics, wordings in ABOUT_THE_CLIP.items() for one in wordings],
)
def test_a_question_about_the_clip_is_understood(topics: str, instruction: str) -> None:
    found = asked(instruction)
    assert found is not None
    assert " ".join(topic.name for topic in found.topics) == topics


@pytest.mark.parametrize("instruction", ABOUT_SOMETHING_ELSE)
def test_what_is_about_something_else_is_left_to_the_model(instruction: str) -> None:
    assert asked(instruction) is None


@pytest.mark.parametrize("topics", ABOUT_THE_CLIP)
def test_politeness_case_and_punctuation_change_nothing(topics: str) -> None:
    for plain in ABOUT_THE_CLIP[topics]:
        bare = plain.rstrip("?.: ")
        for said in (bare.upper(), f"  {bare} ?!", f"Hey Parlour, {bare}, please", f"{bare}. Thank you!"):
            found = asked(said)
            assert found is not None, said
            assert " ".join(topic.name for topic in found.topics) == topics, said


def test_a_question_with_something_else_beside_it_is_the_models() -> None:
    assert asked("How long is it?") is not None
    for beside in ("How long is it, and what is the capital of France?", "How long is it? Answer in French."):
        assert asked(beside) is None


@pytest.mark.parametrize(
    ("instruction", "names_it"),
    [
        ("How long is it?", False),
        ("How long is that?", False),
        ("How long is the recording?", True),
        ("How loud was that clip?", True),
        ("What is said in the audio file?", True),
        ("Who is speaking?", False),
    ],
)
def test_whether_the_clip_is_named_is_known(instruction: str, names_it: bool) -> None:
    found = asked(instruction)
    assert found is not None
    assert found.names_clip is names_it


def test_every_topic_has_phrases_and_an_answer() -> None:
    assert set(PHRASES) == set(Topic)
    assert set(Topic) > NEEDS_HEARING


@pytest.mark.parametrize("nothing", ["", " ", "?!", "please", "Hello.", "x" * (CHARS_MAX + 1)])
def test_what_asks_for_nothing_is_no_question(nothing: str) -> None:
    assert asked(nothing) is None


_SOUP = sorted({word for phrase in (*WORDS.values(), *PHRASES.values()) for word in phrase.lower().split()})


@given(st.lists(st.sampled_from([word for word in _SOUP if word.isalpha()]), max_size=60))
def test_any_words_are_read_without_an_error(words: list[str]) -> None:
    found = asked(" ".join(words))
    assert found is None or found.topics
