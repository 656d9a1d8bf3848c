"""Several processes that train one network together, each on its own device, started by ``torchrun``.

All processes draw the same batch from the same random sequence. Each sends its own part of the crops through
the networks; outputs are gathered, with gradient, so that every process sees the whole batch's logits and
features, and computes the same losses, prototypes and memory as one process would. On the way back each
process keeps the gradient of its own part, and DistributedDataParallel adds the parts up. So N processes
learn what one process learns from the same batch; only the order of some sums differs.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from pccs.errors import OthersGone, TrainingError, is_out_of_memory
from pccs.nets.numerics import Numerics
from pccs.nets.passes import Outputs, Passes

_PATIENCE = timedelta(minutes=10)
"""How long one process waits for another; reading a large image the first time takes a while."""


class Team:
    """The processes of a run. Make one with :meth:`joined`, end it with :meth:`leave`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        # Said of filters of one channel, whose two memory orders are the same bytes.
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        backend = "nccl" if device.type == "cuda" else "gloo"
        store, rank, size = next(rendezvous("env://", timeout=_PATIENCE))
        # torchrun may give a restarted job the store of the attempt before, with addresses of dead processes.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.PrefixStore(f"attempt-{attempt}", store)  # type: ignore[attr-defined]
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        # What processes agree on is read by the host at every step; through a GPU that would stall it.
        self._hosts = dist.new_group(backend="gloo", timeout=_PATIENCE)

    @classmethod
    def joined(cls, device: str) -> Team:
        """The team this process was started for; ``RANK``, ``WORLD_SIZE`` … say which.

        Parameters
        ----------
        device
            What the user asked for: ``cpu``, or ``auto`` or ``cuda`` for a GPU for each process.

        Raises
        ------
        TrainingError
            If this computer has no GPU for this process.
        OthersGone
            If the others do not come.
        """
        own = _own_device(device)
        try:
            return cls(own)
        except RuntimeError as error:
            raise OthersGone(
                "the other processes of this run cannot be reached",
                remedy="Run the same command again, without --fresh: it goes on from the last checkpoint",
            ) from error

    @property
    def leads(self) -> bool:
        """Whether this process writes to the project and speaks to the user."""
        return self.rank == 0

    def leave(self) -> None:
        """End the connections. Not after an error: the others may never come."""
        dist.destroy_process_group()

    # ------------------------------------------------------------- together

    def share(self, net: nn.Module, numerics: Numerics, *, trains: bool) -> SharedPasses:
        """Passes of ``net`` in which every process does its part; with ``trains`` gradients are added up."""
        if trains:
            ids = [self.device.index] if self.device.type == "cuda" else None
            # The projection head is idle while nothing looks at features.
            net = DistributedDataParallel(net, device_ids=ids, find_unused_parameters=True)
        return SharedPasses(self, Passes(net, self.device, numerics))

    def add(self, part: Tensor) -> Tensor:
        """The gradient of the whole batch, from what each process has of it after :class:`SharedPasses`."""
        whole = part.contiguous()
        dist.all_reduce(whole)
        return whole / self.size

    def same(self, value: Tensor) -> Tensor:
        """The leader's ``value``, in place: decisions that rest on it must be the same everywhere."""
        dist.broadcast(value, 0)
        return value

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        told = torch.tensor([flag], dtype=torch.uint8)
        dist.all_reduce(told, dist.ReduceOp.MAX, group=self._hosts)
        return bool(told.item())

    def told(self, facts: Mapping[str, Any] | None) -> dict[str, Any]:
        """The leader's ``facts``, as JSON; the others' are not looked at."""
        text = json.dumps(facts if self.leads else None).encode()
        length = torch.tensor([len(text)])
        dist.broadcast(length, 0, group=self._hosts)
        data = torch.zeros(int(length.item()), dtype=torch.uint8)
        if self.leads:
            data.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        dist.broadcast(data, 0, group=self._hosts)
        found: dict[str, Any] = json.loads(bytes(data.tolist()))
        return found

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Errors that one process alone cannot mend, in words.

        Raises
        ------
        TrainingError
            When memory runs out here.
        OthersGone
            When another process has ended.
        """
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise TrainingError(
                    f"memory ran out in process {self.rank} of {self.size}",
                    remedy="Train with smaller crops or fewer of them (--set data.crop=64, "
                    "--set data.unlabelled=4), or with more processes",
                ) from error
            if _lost(error):
                raise OthersGone(
                    "another process of this run has ended",
                    remedy="Run the same command again, without --fresh: it goes on from the last checkpoint",
                ) from error
            raise


class SharedPasses:
    """As :class:`~pccs.nets.passes.Passes`, each process doing its part of the crops."""

    def __init__(self, team: Team, passes: Passes) -> None:
        self._team, self._passes = team, passes

    def __call__(self, images: Tensor, *, embed: bool) -> Outputs:
        """Logits and features of all ``images [B, C, s, s]``."""
        return self._gathered(self._passes(self._own(images), embed=embed), len(images))

    def _own(self, images: Tensor) -> Tensor:
        """This process's crops: as many for each, so the last ones may be repetitions that nobody reads."""
        each = -(-len(images) // self._team.size)
        begin = self._team.rank * each
        return images[torch.arange(begin, begin + each).clamp_(max=len(images) - 1).to(images.device)]

    def _gathered(self, found: Outputs, count: int) -> Outputs:
        logits, z = found
        return self._whole(logits)[:count], None if z is None else self._whole(z)[:count]

    def _whole(self, part: Tensor) -> Tensor:
        found: Tensor = _Gathered.apply(part, self._team.size, self._team.rank)  # type: ignore[no-untyped-call]
        return found


class _Gathered(torch.autograd.Function):
    """The parts of all processes, one behind the other; on the way back, one's own part.

    Every process computes the same loss from the whole, so the gradient of a part needs no sum over
    processes, as it would after ``torch.distributed.nn.all_gather``. Parameters' gradients are averaged by
    DistributedDataParallel, where a sum is wanted: hence the factor.
    """

    @staticmethod
    def forward(ctx: Any, part: Tensor, size: int, rank: int) -> Tensor:
        """``[b, …]`` of each process → ``[size · b, …]``."""
        ctx.size, ctx.rank = size, rank
        whole = part.new_empty((size * len(part), *part.shape[1:]))
        dist.all_gather(list(whole.chunk(size)), part.contiguous())
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """``[size · b, …]`` → ``[b, …]``."""
        return gradients[0].chunk(ctx.size)[ctx.rank] * ctx.size, None, None


def _own_device(wish: str) -> torch.device:
    """A GPU for each process of this computer, or its processor."""
    if wish == "cpu" or (wish == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if wish not in ("auto", "cuda") or number >= there:
        raise TrainingError(
            f"process {number + 1} on this computer finds no GPU of its own ({there} are there)",
            allowed="--device auto, cuda or cpu, and as many processes as GPUs",
        )
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


def _lost(error: BaseException) -> bool:
    """Whether this is how the connection to a process that has ended fails."""
    text = str(error).lower()
    return isinstance(error, dist.DistError) or "gloo" in text or "nccl" in text or "connection" in text
