"""Ports of loopback for servers that live as long as a test."""

import socket


def free_port() -> int:
    """Give a port that nobody has right now; somebody may take it before you do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
