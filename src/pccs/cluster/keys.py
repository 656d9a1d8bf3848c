"""Keys for one call: whoever can speak to a scheduler can run anything as its owner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pccs.cluster.packages import needing

_ROLES = ("scheduler", "worker", "client")


def private() -> Any:
    """Keys that only processes started by this one are given."""
    from distributed.security import Security

    with needing("cryptography"):
        pass
    return Security.temporary()


def private_in(folder: Path) -> Any:
    """The same as files in ``folder``, which only its owner reads: jobs on other machines find them there."""
    from distributed.security import Security

    made = private()
    kinds = {"tls_ca_file": made.tls_ca_file}
    for role in _ROLES:
        kinds |= {f"tls_{role}_{kind}": getattr(made, f"tls_{role}_{kind}") for kind in ("cert", "key")}
    files = {}
    for kind, text in kinds.items():
        files[kind] = str(folder / f"{kind}.pem")
        Path(files[kind]).touch(mode=0o600)
        Path(files[kind]).write_text(text, encoding="ascii")
    return Security(require_encryption=True, **files)
