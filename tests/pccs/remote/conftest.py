"""The other computer."""

from __future__ import annotations

from remote_server import relay, server, sshd

__all__ = ["relay", "server", "sshd"]
