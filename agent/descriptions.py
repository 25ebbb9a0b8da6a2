"""What each brain can and cannot do, in words for a person: `title`, `about`, `upgrade` of Health.facts."""

EMBEDDED = {
    "title": "SmolLM2 135M, with Whisper and Piper",
    "about": (
        "A very small brain that came with the package: it hears English, answers in a sentence or two, "
        "remembers this conversation, and is often wrong. It needs no GPU and tells nobody what you say."
    ),
    "upgrade": 'make run MODEL=NAME ARGS="--llm-url http://localhost:11434/v1"',
}

SCRIPTED = {
    "title": "the scripted agent",
    "about": (
        "It recites numbered sentences to whatever is said, and calls the first tool it is offered. "
        "It does not listen: it is for testing clients."
    ),
    "upgrade": "make run",
}


def chat_server(model: str) -> dict[str, str]:
    return {
        "title": f"{model}, with Whisper and Piper",
        "about": (
            f"{model} answers on a server of its own: what you say goes there as text. "
            "Ears and voice are Parlour's."
        ),
        "upgrade": "",
    }


def qwen2_audio(model: str) -> dict[str, str]:
    return {
        "title": f"{model.rstrip('/').split('/')[-1]}, which hears speech itself",
        "about": (
            "It hears how something is said, not only the words, and other sounds too. It runs on this "
            "machine, and tells nobody what you say. Whisper runs beside it, only to show your words."
        ),
        "upgrade": "",
    }
