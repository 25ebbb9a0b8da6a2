"""Which models a machine gets."""

import pytest

from agent.models.embedded import plan_of
from agent.settings import AgentSettings


@pytest.mark.parametrize(
    ("settings", "cores", "recogniser"),
    [
        (AgentSettings(), 1, "tiny.en"),
        (AgentSettings(), 2, "base"),
        (AgentSettings(language="fr"), 1, "base"),
        (AgentSettings(recogniser="tiny.en"), 8, "tiny.en"),
    ],
)
def test_the_machine_and_the_language_choose_the_recogniser(
    settings: AgentSettings, cores: int, recogniser: str
) -> None:
    assert plan_of(settings, cores).recogniser == recogniser


@pytest.mark.parametrize(
    ("settings", "cores", "installed", "voice"),
    [
        (AgentSettings(), 4, True, "kokoro"),
        (AgentSettings(), 3, True, "piper"),
        (AgentSettings(), 8, False, "piper"),
        (AgentSettings(threads=2), 8, True, "piper"),
        (AgentSettings(threads=8), 2, True, "piper"),
        (AgentSettings(voice="piper"), 8, True, "piper"),
        (AgentSettings(voice="kokoro"), 1, False, "kokoro"),
    ],
)
def test_the_better_voice_speaks_where_there_are_cores_for_it(
    settings: AgentSettings, cores: int, installed: bool, voice: str
) -> None:
    assert plan_of(settings, cores, installed).voice == voice


@pytest.mark.parametrize(
    "settings",
    [
        AgentSettings(recogniser="huge"),
        AgentSettings(recogniser="tiny.en", language="fr"),
        AgentSettings(voice="x"),
        AgentSettings(language="xx"),
        AgentSettings(threads=-3),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(settings: AgentSettings) -> None:
    with pytest.raises(ValueError, match=r"must be|English only|expected 0"):
        plan_of(settings, 2)
