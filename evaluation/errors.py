"""What a person who evaluates did or has that cannot be used: one sentence, with the line or file."""


class EvaluationError(Exception):
    """Told as one sentence, without a traceback; the command ends with exit code 2."""
