"""How deep a call goes into the stack.

Before a call the driver fills the stack below it with random words and looks afterwards how far down they changed. That
is what was written, not what was set aside; what called functions (here mocks and the driver's runtime) wrote is in it.
It is no proof: the figure passes through memory that a candidate can write.
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import HarnessError
from .inputs import Vector
from .locks import machine_lock
from .runner import Guest
from .toolchain import Build, Toolchain

WATCHED_BYTES = 1 << 18
"""From about where the call begins down; what is written further below is not seen."""
LIMIT_S = 120.0


def stack_bytes(build: Build, vectors: Sequence[Vector], toolchain: Toolchain, *, sandbox: bool) -> int | None:
    """Bytes of stack below the caller's stack pointer that the deepest of the calls wrote, one call for each vector.

    On x86-64 the return address is among them, as in ``gcc -fstack-usage``. None when no call came back by returning.
    Raises HarnessError when a call does not come back at all.
    """
    deepest = None
    with machine_lock.shared(), Guest(build, emulator=toolchain.emulator, sandbox=sandbox, cpu_s=600) as guest:
        for vector in vectors:
            guest.load(vector)
            guest.control.stack_fill = WATCHED_BYTES
            result = guest.call(LIMIT_S)
            if result.status != "done":
                raise HarnessError(f"the stack of {build.plan.task.id} was not measured: a call ended {result.status}")
            if not guest.control.unwound:
                deepest = max(deepest or 0, min(guest.control.stack_used, WATCHED_BYTES))
    return deepest
