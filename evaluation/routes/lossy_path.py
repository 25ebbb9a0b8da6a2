"""A network in the way of a clip's packets: each is lost, or late, the same ones at every run. Pure."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """loss: share of packets that are lost. jitter_s: each takes up to so much longer, evenly spread, so that
    packets overtake each other where it is more than their distance."""

    loss: float = 0.0
    jitter_s: float = 0.0
    seed: int = 0

    def path(self, name: str) -> "LossyPath":
        """name: of what is sent on it; another one loses other packets."""
        return LossyPath(self, random.Random(f"{self.seed} {name}"))


class LossyPath:
    """Draws the fate of one packet after another."""

    def __init__(self, network: Network, chance: random.Random) -> None:
        self.n_sent = 0
        self.n_lost = 0
        self._network = network
        self._chance = chance

    def delay_s(self) -> float | None:
        """Of the next packet; None: it is lost."""
        # Both are drawn for each packet: the delays are the same at every share of loss.
        is_lost = self._chance.random() < self._network.loss
        delay_s = self._chance.uniform(0.0, self._network.jitter_s)
        self.n_sent += 1
        self.n_lost += is_lost
        return None if is_lost else delay_s
