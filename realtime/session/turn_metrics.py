"""From a turn's record to the gateway's instruments."""

from realtime.metrics import Metrics
from realtime.session.turn_trace import TurnRecord


def observe_turn(metrics: Metrics, record: TurnRecord) -> None:
    """Count one finished answer. The record's times are milliseconds, the instruments' seconds."""
    metrics.turns.labels(record.outcome).inc()
    if record.spoken:
        metrics.decision.observe(record.decision_ms / 1000.0)
    if record.first_token_ms is not None:
        metrics.first_token.observe(record.first_token_ms / 1000.0)
    if record.first_audio_ms is not None:
        metrics.first_audio.observe(record.first_audio_ms / 1000.0)
    for stage, duration_ms in record.stages.items():
        metrics.stage.labels(stage).observe(duration_ms / 1000.0)
