"""Every instrument of the gateway, each with its unit and its buckets."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.4, 1.7, 2.0, 3.0, 5.0, 10.0, 30.0)
_LAG_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_STAGE_S = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 5.0)


class Metrics:
    """One set of instruments for one server; a registry of its own, so that tests can have many."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.sessions = Gauge("parlour_sessions", "Sessions that are open now.", registry=self.registry)
        self.sessions_ended = Counter(
            "parlour_sessions_ended", "Sessions by how they ended.", ["why"], registry=self.registry
        )
        self.refused = Counter(
            "parlour_connections_refused",
            "Connections refused, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.turns = Counter(
            "parlour_turns", "Answers by their outcome.", ["outcome"], registry=self.registry
        )
        self.completions_open = Gauge(
            "parlour_chat_completions_open", "Chat completions being made now.", registry=self.registry
        )
        self.completions = Counter(
            "parlour_chat_completions",
            "Requests for chat completions by their outcome.",
            ["outcome"],
            registry=self.registry,
        )
        self.decision = self._latency("parlour_turn_decision_seconds", "End of speech to end of turn.")
        self.first_token = self._latency(
            "parlour_turn_first_token_seconds", "End of speech (typed: request) to the first token of text."
        )
        self.first_audio = self._latency(
            "parlour_turn_first_audio_seconds", "End of speech (typed: request) to the first audio sent."
        )
        self.stage = Histogram(
            "parlour_turn_stage_seconds",
            "Parts of the way to the first audio.",
            ["stage"],
            buckets=_STAGE_S,
            registry=self.registry,
        )
        self.loop_lag = Histogram(
            "parlour_loop_lag_seconds",
            "How late the event loop runs what is due.",
            buckets=_LAG_S,
            registry=self.registry,
        )
        self.devices_online = Gauge(
            "parlour_mqtt_devices_online",
            "MQTT devices that say they are there, and that this server serves.",
            registry=self.registry,
        )
        self.mqtt_dropped = Counter(
            "parlour_mqtt_dropped",
            "MQTT messages that were too many: sound and events from devices, errors and notices to them.",
            ["what"],
            registry=self.registry,
        )
        self.agent_ready = Gauge(
            "parlour_agent_ready", "1 while the agent can answer.", registry=self.registry
        )

    def _latency(self, name: str, what: str) -> Histogram:
        return Histogram(name, what, buckets=_LATENCY_S, registry=self.registry)
