"""Which inputs leave the task's C undefined: no verdict may rest on those.

The C is built once more with clang's UndefinedBehaviorSanitizer in trap mode, which needs no runtime and so links with
the freestanding driver, and runs on every input before the golden build does. It always runs on the host: what C
leaves undefined does not depend on the architecture, and an emulated kernel would cost seconds. Accesses outside an
object are caught by the sanitizer where it knows the bound, and by the guard pages around every object.
AddressSanitizer needs a runtime with libc and cannot be used; reads of uninitialised locals are not found.

What was found out about the fixed vectors of a task is kept beside the builds, since it never changes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from . import draws, entries, inputs
from .atomic import replace_file
from .glue import argument_slots
from .inputs import Vector
from .runner import Guest
from .toolchain import Build, Plan, Toolchain

CALL_LIMIT_S = 20.0
"""A checked call that takes longer tells nothing."""

Check = Callable[[Vector], bool]


class DefinedInputs:
    """Tells for one task whether its C is defined on an input. Not thread-safe."""

    def __init__(self, plan: Plan, toolchain: Toolchain, host: Toolchain | None, *, sandbox: bool) -> None:
        self._plan, self._toolchain, self._host, self._sandbox = plan, toolchain, host, sandbox
        self.why = ""
        """The last reason for a no, in words."""

    @functools.cached_property
    def _build(self) -> Build | None:
        """The instrumented build; None where the host cannot run one."""
        if self._host is None:
            return None
        build = self._host.instrumented(self._plan.task, signed_char=self._toolchain.arch.name == "x86_64")
        layout = [(o.name, o.addr, o.size) for o in self._plan.objects]
        return build if layout == [(o.name, o.addr, o.size) for o in build.plan.objects] else None

    @contextlib.contextmanager
    def checking(self) -> Iterator[Check]:
        """A function that tells whether the C is defined on an input; its process starts when first needed."""
        known = self._load()
        before = dict(known)
        with contextlib.ExitStack() as stack:
            guest: Guest | None = None

            def is_defined(vector: Vector) -> bool:
                nonlocal guest
                lasting = vector.spec.startswith("fixed:")
                if lasting and vector.spec in known:
                    self.why = known[vector.spec]
                    return not self.why
                build = self._build
                if build is None:
                    return True
                if guest is None or not guest.alive:
                    guest = stack.enter_context(Guest(build, emulator=(), sandbox=self._sandbox, cpu_s=600))
                guest.load(self._for_host(vector))
                result = guest.call(CALL_LIMIT_S)
                why = ""
                if result.status == "fault":
                    trap = guest.control.signal in (4, 5)
                    why = "the sanitizer stopped it" if trap else "it leaves an object"
                if lasting:
                    known[vector.spec] = why
                self.why = why
                return not why

            yield is_defined
        if known != before:
            self._store(known)

    def _for_host(self, vector: Vector) -> Vector:
        """Narrow integer arguments extended, as every ABI allows; the arch's own junk above them is not the host's."""
        args = list(vector.args)
        signature = self._plan.signature
        for variable, slot in zip(signature.params, argument_slots(signature), strict=True):
            type_ = variable.type
            if type_.kind == "int" and type_.size < 8:
                bits = 8 * type_.size
                value = args[slot] & (1 << bits) - 1
                if type_.signed and value >> (bits - 1):
                    value -= 1 << bits
                args[slot] = value & (1 << 64) - 1
        return dataclasses.replace(vector, args=tuple(args))

    # --- what is known of the fixed vectors ---------------------------------------------------------------------

    @functools.cached_property
    def _file(self) -> Path | None:
        if self._build is None:
            return None
        # Who draws a vector is part of what it is.
        parts = [self._plan.task.digest(), self._plan.arch.name, self._build.path.parent.name, _digest_of_drawing()]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return self._toolchain.cache / "build" / "defined" / f"{key}.json"

    def _load(self) -> dict[str, str]:
        try:
            found = json.loads(self._file.read_bytes()) if self._file else {}
        except (OSError, ValueError):
            return {}
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def _store(self, known: dict[str, str]) -> None:
        if self._file is None:
            return
        with contextlib.suppress(OSError):  # only time is lost
            self._file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self._file, json.dumps(known).encode(), private=True)


@functools.cache
def _digest_of_drawing() -> str:
    files = [Path(str(module.__file__)) for module in (inputs, draws, entries)]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
