"""``compiler:gcc-O2``: a real compiler posing as a model.

It takes the same path as a model's reply, needs no network, and must reach ACC 100 %: where it does not, the harness
is wrong.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..types import ModelRequest, Reply
from .files import fenced
from .protocol import NoMoreReplies

CompileSource = Callable[[str, str, Path, str, str], str]
"""``(cc, opt, source, arch, march) -> assembly``, e.g. ``("gcc", "-O2", Path("s000.c"), "x86_64", "x86-64-v3")``."""

COMPILERS = ("clang", "gcc")
LEVELS = ("-O0", "-O1", "-O2", "-O3", "-Os")


class CompilerModel:
    """Answers the first turn with the compiler's assembly, and rests its case afterwards."""

    cacheable = False  # compiling again is cheaper than keeping, and a new compiler must not be hidden

    def __init__(self, name: str, compile_source: CompileSource) -> None:
        """``name`` is ``compiler:CC-OLEVEL``; raises ``ConfigError`` when it names no known compiler or level."""
        self.name = name
        self._cc, self._opt = parse_compiler(name)
        self._compile_source = compile_source

    @property
    def compiler(self) -> str:
        """clang or gcc."""
        return self._cc

    def identity(self) -> dict[str, Any]:
        return {"kind": "compiler", "cc": self._cc, "opt": self._opt}

    async def complete(self, request: ModelRequest) -> Reply:
        """Compile the task's source; what ``compile_source`` raises (``ToolMissing``, …) passes through."""
        if request.turn > 1:
            raise NoMoreReplies(f"{self.name}: a compiler does not change its mind")
        assembly = await asyncio.to_thread(
            self._compile_source, self._cc, self._opt, Path(request.source_path), request.arch, request.march
        )
        return Reply(text=f"This is what {self._cc} {self._opt} makes of it.\n\n{fenced(assembly)}", model_id=self.name)

    async def aclose(self) -> None:
        """Nothing to release."""


def parse_compiler(name: str) -> tuple[str, str]:
    """``compiler:gcc-O2`` -> ``("gcc", "-O2")``; raises ``ConfigError`` that lists what is known."""
    match = re.fullmatch(r"compiler:(\w+)(-O\w+)", name)
    if match and match[1] in COMPILERS and match[2] in LEVELS:
        return match[1], match[2]
    known = ", ".join(f"compiler:{cc}{opt}" for cc in COMPILERS for opt in LEVELS)
    if match and match[2] == "-Ofast":
        raise ConfigError(f"{name}: -Ofast changes floating-point results, so it cannot be exact. Known: {known}.")
    raise ConfigError(f"{name}: no such compiler. Known: {known}.")
