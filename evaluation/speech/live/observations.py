"""What one event of a conversation says about one figure, and all figures with their words."""

from collections.abc import Mapping
from typing import Literal

import msgspec

Of = Literal["rate", "delay", "frequency"]


class Observation(msgspec.Struct, frozen=True):
    """at_s, label: the event, to be found in the recording.

    value: of a rate 0 or 1, of a delay seconds, of a frequency how often. per: of a frequency, in how much.
    """

    figure: str
    value: float
    at_s: float
    label: str = ""
    per: float = 1.0


class Definition(msgspec.Struct, frozen=True):
    """of: a share of events, a mean of seconds, or how often per unit. source: who defined it."""

    of: Of
    higher_is_better: bool
    source: str
    words: str


FDB, TAU, EOT, OWN = "Full-Duplex-Bench", "tau-voice", "eot-bench", "Parlour"

DEFINITIONS: Mapping[str, Definition] = {
    "take_over": Definition("rate", True, OWN, "turns answered before the user speaks again"),
    "response_latency_s": Definition("delay", False, OWN, "end of a turn to the start of its answer"),
    "pauses_survived": Definition("rate", True, OWN, "pauses in a turn in which no answer begins"),
    "barge_in_stops": Definition(
        "rate", True, OWN, "interruptions that stop the answer before they end or 2 s"
    ),
    "barge_in_latency_s": Definition("delay", False, OWN, "start of an interruption to silence"),
    **{
        f"false_interruption_{kind}": Definition("rate", False, OWN, f"{words} over an answer that stop it")
        for kind, words in (
            ("backchannel", "back-channels"),
            ("cough", "coughs"),
            ("side_talk", "words to others"),
            ("music", "pieces of music"),
            ("noise", "noises"),
        )
    },
    "false_answer": Definition("rate", False, OWN, "sounds in silence, of any kind above, that are answered"),
    "fdb_pause_take_over": Definition("rate", False, FDB, "pauses answered by 1 s or over 3 words"),
    "fdb_turn_take_over": Definition("rate", True, FDB, "turns answered by 1 s or over 3 words"),
    "fdb_turn_latency_s": Definition("delay", False, FDB, "end of such a turn to the answer, early is 0"),
    "fdb_interruption_take_over": Definition(
        "rate", True, FDB, "interruptions answered by 1 s or over 3 words"
    ),
    "fdb_interruption_latency_s": Definition("delay", False, FDB, "end of an interruption to the answer"),
    "fdb_backchannels_per_min": Definition("frequency", True, FDB, "own back-channels in the user's minute"),
    "fdb_stop_latency_s": Definition("delay", False, FDB, "v1.5: start of an overlap to silence"),
    "fdb_response_latency_s": Definition("delay", False, FDB, "v1.5: end of an overlap to the next go"),
    "tau_response_rate": Definition("rate", True, TAU, "R_R: turns answered before the user speaks again"),
    "tau_response_latency_s": Definition("delay", False, TAU, "L_R: end of a turn to the answer"),
    "tau_yield_rate": Definition("rate", True, TAU, "R_Y: interruptions that get silence within 2 s"),
    "tau_yield_latency_s": Definition("delay", False, TAU, "L_Y: start of an interruption to silence"),
    "tau_agent_interruptions": Definition(
        "frequency", False, TAU, "I_A: answers begun over the user, a turn"
    ),
    "tau_selectivity_backchannel": Definition("rate", True, TAU, "S_BC: back-channels talked through"),
    "tau_selectivity_vocal_tic": Definition("rate", True, TAU, "S_VT: coughs ignored"),
    "tau_selectivity_non_directed": Definition("rate", True, TAU, "S_ND: words to others ignored"),
    "eot_false_cut_offs": Definition("rate", False, EOT, "pauses of 0.2 to 5 s taken for the end of a turn"),
    "eot_delay_s": Definition("delay", False, EOT, "end of a turn to its being told"),
}
