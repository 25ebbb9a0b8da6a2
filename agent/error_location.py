"""How a bug is told without telling what people said."""

import traceback


def place(bug: Exception) -> str:
    """The bug's type and where it happened; its message might hold words of the conversation."""
    frames = traceback.extract_tb(bug.__traceback__)
    return f"{type(bug).__name__} at " + " < ".join(
        f"{frame.name}:{frame.lineno}" for frame in reversed(frames)
    )
