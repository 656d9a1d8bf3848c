"""Which end has the newer state of each run: what both have now, and had when they last agreed, decides."""

from __future__ import annotations

from dataclasses import dataclass, field

from pccs.remote.messages import Runs


@dataclass
class Plan:
    """What has to happen so that both ends have the same runs."""

    fetch: list[str] = field(default_factory=list)
    """The keeper's state goes to the proxy; a run the keeper does not have any more is deleted there."""
    push: list[str] = field(default_factory=list)
    """The proxy's state goes to the keeper, in the same way."""
    both: list[str] = field(default_factory=list)
    """Both have changed it, or made another of that name: each keeps its own, under two names."""


def plan(here: Runs, there: Runs, agreed: Runs) -> Plan:
    """Compare the runs of the proxy (``here``) and of the keeper (``there``)."""
    found = Plan()
    for name in sorted({*here, *there}):
        mine, theirs, before = here.get(name), there.get(name), agreed.get(name)
        if mine == theirs:
            continue
        if mine == before:
            found.fetch.append(name)
        elif theirs == before:
            found.push.append(name)
        elif mine is None:  # deleted here while it was trained there: work is not thrown away
            found.fetch.append(name)
        elif theirs is None:
            found.push.append(name)
        else:
            found.both.append(name)
    return found
