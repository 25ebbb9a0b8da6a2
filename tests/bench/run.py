"""All benchmarks, one after another, in bounded time: what `make bench` calls.

    python -m tests.bench.run [--quick] [--peer-env DIRECTORY | --no-peer]

About ten minutes; with --quick about two, with fewer steps and no peer. Nothing else should run on
the machine: what the others took of the gateway's core is shown beside each figure.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

from tests.bench import bench_barge_in, bench_gateway, bench_latency, machine, report

PEER_ENVIRONMENT = ".venv/pipecat"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of each. hold_s: at each number of sessions; loads: other sessions at the barge-ins."""

    utterances: int
    barge_ins: int
    loads: Sequence[int]
    sizes: Sequence[int]
    peer_sizes: Sequence[int]
    hold_s: float


FULL = Plan(36, 60, (0, 50), (50, 100, 150, 200, 225, 250, 275, 300), (10, 20, 30, 40, 50, 60), 10.0)
QUICK = Plan(6, 12, (0,), (50, 100, 200), (), 5.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--model", default="embedded", help="the model whose latency is measured")
    parser.add_argument(
        "--peer-env", default=PEER_ENVIRONMENT, help="Pipecat's environment; made if not there"
    )
    parser.add_argument("--no-peer", action="store_true", help="leave Pipecat out")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    facts = machine.describe()
    print(f"Machine: {facts}\n", flush=True)

    latency = uvloop.run(bench_latency.bench_latency(options.model, plan.utterances))
    print(bench_latency.table(latency) + "\n", flush=True)

    barge_ins = [uvloop.run(bench_barge_in.bench_barge_in(plan.barge_ins, others)) for others in plan.loads]
    print(bench_barge_in.table(*barge_ins) + "\n", flush=True)

    servers = [uvloop.run(bench_gateway.bench_gateway(plan.sizes, plan.hold_s))]
    if plan.peer_sizes and not options.no_peer:
        servers.append(uvloop.run(bench_gateway.bench_peer(options.peer_env, plan.peer_sizes, plan.hold_s)))
    print(bench_gateway.table(*servers) + "\n", flush=True)

    results = {"machine": facts, "latency": latency, "barge_in": barge_ins, "gateway": servers}
    print(report.save("all", results))


if __name__ == "__main__":
    main()
