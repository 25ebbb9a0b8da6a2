"""Ports for the programs that tests start, which cannot be told to choose one themselves."""

import random
import socket

_BELOW_THE_SYSTEMS_OWN = range(20_000, 32_000)
"""Linux takes the ports of outgoing connections from 32768 on: there, a port that was free a moment ago may
be taken by any client of any test beside."""


def free_port(host: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """One at which nobody listens."""
    while True:
        port = random.choice(_BELOW_THE_SYSTEMS_OWN)
        with socket.socket(socket.AF_INET, kind) as tried:
            try:
                tried.bind((host, port))
            except OSError:
                continue
            return port
