"""C source of a task's mocks: external functions that are recorded and give seeded answers.

The same source serves the driver and the stand-alone program of a repro; both implement ``driver/nc_mock.h``. What a
mock records of its arguments follows their types, and for pointers the task's YAML: which object and where in it, and
with ``reads`` what is found there. Nothing here runs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError
from .layout import MAX_FILLS, MAX_MOCKS, STUB_BYTES, STUBS_ADDR
from .signature import CType, External, Signature, Variable
from .tasks import Task

MAX_READ_MEMBERS = 64
"""Members of one struct that a mock looks at one by one."""


@dataclass(frozen=True)
class Mock:
    """One recorded external function."""

    number: int
    """Its place among the task's mocks."""
    external: External
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.external.name

    @property
    def address(self) -> int:
        """Of its stub, the same in every build."""
        return STUBS_ADDR + STUB_BYTES * self.number

    def stub(self, code: str) -> str:
        """C that puts ``code`` at ``address`` under the mock's name; stubs follow one another in order of number."""
        align = STUB_BYTES.bit_length() - 1
        return (
            f'__asm__(".section .nc_stubs,\\"ax\\",%progbits\\n.p2align {align}\\n.globl {self.name}\\n'
            f'{self.name}: {code}\\n.text\\n");'
        )


@dataclass(frozen=True)
class Fill:
    """A parameter behind which a mock writes."""

    slot: int
    mock: str
    parameter: str
    element: CType
    most: int
    """Elements written by one call, at most."""
    size_from: str | None
    """The parameter that says how many elements; None when it is always ``most``."""

    @property
    def stride(self) -> int:
        return self.most * self.element.size


def mocks(task: Task, signature: Signature) -> list[Mock]:
    """The task's mocks in order of declaration. Raises ConfigError when there are too many."""
    found = [e for e in signature.externals if task.externals.get(e.name, {}).get("kind") == "mock"]
    if len(found) > MAX_MOCKS:
        raise ConfigError(f"{task.yaml_path}: externals has {len(found)} mocks; at most {MAX_MOCKS} are possible")
    return [Mock(number, external, task.externals[external.name]) for number, external in enumerate(found)]


def fills(task: Task, signature: Signature) -> list[Fill]:
    """What the task's mocks write. Raises ConfigError for names and sizes that do not fit the C."""
    found: list[Fill] = []
    for mock in mocks(task, signature):
        for name, size in mock.entry.get("fills", {}).items():
            where = f"{task.yaml_path}: externals.{mock.name}.fills.{name}"
            parameter = _parameter(where, mock.external, name)
            element = parameter.type.element
            if element is None or not element.size or element.const:
                raise ConfigError(f"{where}: {name} is a {parameter.type.spelling}; nothing can be written there")
            size_from, most = (None, size) if isinstance(size, int) else (str(size[0]), int(size[1]))
            if size_from is not None:
                _count_parameter(where, mock.external, size_from)
            found.append(Fill(len(found), mock.name, name, element, most, size_from))
    if len(found) > MAX_FILLS:
        raise ConfigError(f"{task.yaml_path}: mocks fill {len(found)} parameters; at most {MAX_FILLS} are possible")
    return found


def _parameter(where: str, external: External, name: str) -> Variable:
    for parameter in external.params:
        if parameter.name == name:
            if parameter.type.kind != "pointer":
                raise ConfigError(f"{where}: parameter {name} is no pointer")
            return parameter
    known = ", ".join(p.name for p in external.params) or "none"
    raise ConfigError(f"{where}: {external.name} has no parameter {name!r} (its parameters: {known})")


def _count_parameter(where: str, external: External, name: str) -> None:
    if not any(p.name == name and p.type.kind == "int" for p in external.params):
        raise ConfigError(f"{where}: {external.name} has no integer parameter {name!r} to take the number from")


def mock_sources(task: Task, signature: Signature, *, prefix: str) -> Iterator[tuple[Mock, list[str]]]:
    """The definition of every mock, under its name with ``prefix``. Raises ConfigError for what cannot be recorded."""
    written = {(f.mock, f.parameter): f for f in fills(task, signature)}
    for mock in mocks(task, signature):
        yield mock, _definition(task, mock, prefix, {p: f for (m, p), f in written.items() if m == mock.name})


def _definition(task: Task, mock: Mock, prefix: str, written: Mapping[str, Fill]) -> list[str]:
    external = mock.external
    where = f"{task.yaml_path}: externals.{mock.name}"
    reads: Mapping[str, Any] = mock.entry.get("reads", {})
    for name, count in reads.items():
        _parameter(f"{where}.reads.{name}", external, name)
        if isinstance(count, str) and count != "string":
            _count_parameter(f"{where}.reads.{name}", external, count)
    body = [f"    nc_mock_begin({mock.number});"]
    for parameter in external.params:
        body += _recorded(where, parameter, reads.get(parameter.name), is_format=_is_format(external, parameter))
    if external.variadic:
        last = external.params[-1].name
        body += [
            "    nc_mock_variadic();",
            "    __builtin_va_list nc_list;",
            f"    __builtin_va_start(nc_list, {last});",
            f"    nc_mock_format({_format_of(where, external)}, &nc_list);",
            "    __builtin_va_end(nc_list);",
        ]
    for name, fill in written.items():
        count = str(fill.most)
        if fill.size_from is not None:
            size = f"(unsigned long)({fill.size_from})"
            count = f"({size} < {fill.most}ul ? {size} : {fill.most}ul)"
        body.append(f"    if ({name}) nc_mock_fill({fill.slot}, {name}, {count} * {fill.element.size}ul);")
    returns = external.returns
    if mock.entry.get("noreturn"):
        body.append("    nc_unwind();")
    elif returns.kind == "float":
        bits = "unsigned int" if returns.size == 4 else "unsigned long"
        body.append(f"    union {{ {bits} u; {returns.spelling} f; }} nc_r = {{ ({bits})nc_mock_return() }};")
        body.append("    return nc_r.f;")
    elif returns.kind == "int" and returns.size < 8:
        # Whatever the type, 32 bits in a wider register are sign-extended where they are extended at all.
        kind = "int" if returns.size == 4 else returns.spelling
        body.append(f"    return nc_mock_narrow((unsigned long)({kind})nc_mock_return(), {8 * returns.size});")
    elif returns.kind in ("int", "pointer"):
        body.append(f"    return ({returns.spelling})nc_mock_return();")
    elif returns.kind != "void":
        raise ConfigError(f"{where}: it returns {returns.spelling}; only scalars and pointers can be returned")
    declared = [_declare(p) for p in external.params] + (["..."] if external.variadic else [])
    head = f"{prefix}{mock.name}({', '.join(declared) or 'void'})"
    if returns.kind == "int" and returns.size < 8:
        return [f"unsigned long {head}", "{", *body, "}"]
    return [_declare(Variable(head, returns)), "{", *body, "}"]


def _declare(variable: Variable) -> str:
    spelling = variable.type.spelling
    if "(*)" in spelling:
        return spelling.replace("(*)", f"(*{variable.name})", 1)
    if "[" in spelling:  # only in typedef-less pointers to arrays, which the case above covers
        raise ConfigError(f"{variable.name}: {spelling} cannot be declared")
    return f"{spelling} {variable.name}" if not spelling.endswith("*") else f"{spelling}{variable.name}"


def _is_format(external: External, parameter: Variable) -> bool:
    return external.variadic and parameter is external.params[-1] and _is_text(parameter.type)


def _is_text(type_: CType) -> bool:
    element = type_.element
    return type_.kind == "pointer" and element is not None and element.kind == "int" and element.size == 1


def _format_of(where: str, external: External) -> str:
    last = external.params[-1]
    if not _is_text(last.type):
        raise ConfigError(f"{where}: a variadic mock needs a format string as its last named parameter")
    return last.name


def _recorded(where: str, parameter: Variable, count: int | str | None, *, is_format: bool) -> list[str]:
    """Statements that record one argument."""
    type_, name = parameter.type, parameter.name
    if type_.kind != "pointer":
        return [f"    {s}" for s in _value(where, name, type_)]
    lines = [f"    nc_mock_pointer({name});"]
    if is_format or count is None:
        return lines  # a format is read with its arguments
    if count == "string":
        return [*lines, f"    if ({name}) nc_mock_text((const char *){name});"]
    element = type_.element
    if element is None or not element.size:
        raise ConfigError(f"{where}.reads.{name}: {type_.spelling} points to nothing of known size")
    number = f"(unsigned long)({count})"
    bound = f"({number} < NC_MOST ? {number} : NC_MOST)"
    leaf = element.leaf()
    if leaf.kind == "int":
        return [*lines, f"    if ({name}) nc_mock_bytes({name}, {bound} * {element.size}ul);"]
    inner = _value(f"{where}.reads.{name}", f"{name}[nc_i]", element)
    return [
        *lines,
        f"    if ({name})",
        f"        for (unsigned long nc_i = 0; nc_i < {bound}; nc_i++) {{",
        *(f"            {s}" for s in inner),
        "        }",
    ]


def _value(where: str, expression: str, type_: CType, depth: int = 0) -> list[str]:
    """Statements that record a value, member by member; padding and what unions hold are left out."""
    if type_.kind == "int":
        return [f"nc_mock_arg((unsigned long)({expression}));"]
    if type_.kind == "float":
        bits = "unsigned int" if type_.size == 4 else "unsigned long"
        kind = "float" if type_.size == 4 else "double"
        return [
            f"{{ union {{ {kind} f; {bits} u; }} nc_b = {{ {expression} }}; "
            f"nc_mock_arg(nc_b.f == nc_b.f ? nc_b.u : 1); }}"
        ]
    if type_.kind == "pointer":
        return [f"nc_mock_pointer({expression});"]
    if type_.kind == "array" and type_.element is not None:
        index = f"nc_j{depth}"
        inner = _value(where, f"{expression}[{index}]", type_.element, depth + 1)
        return [f"for (unsigned long {index} = 0; {index} < {type_.count}; {index}++) {{", *inner, "}"]
    if type_.kind == "record":
        if type_.is_union:
            raise ConfigError(
                f"{where}: it holds a union, of which nobody knows what it holds; give its parts one by one"
            )
        lines = [s for f in type_.fields for s in _value(where, _member(expression, f.name), f.type, depth)]
        if len(lines) > MAX_READ_MEMBERS:
            raise ConfigError(f"{where}: {type_.spelling} has more than {MAX_READ_MEMBERS} members")
        return lines
    raise ConfigError(f"{where}: {type_.spelling} arguments cannot be recorded")


def _member(expression: str, name: str) -> str:
    return f"{expression}.{name}" if name else expression


# --- what was recorded -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One entry of the driver's log."""

    number: int
    values: tuple[tuple[str, int, bytes], ...]
    """Kind (``scalar``, ``pointer``, ``bytes``), value or length, and the first bytes."""
    memory: int
    """Digest of what memory held."""


def read_log(words: Sequence[int]) -> list[Call]:
    """Calls in order. The log is the candidate's to spoil: what makes no sense ends it."""
    calls: list[Call] = []
    at = 0
    number, memory, values = -1, 0, list[tuple[str, int, bytes]]()

    def finish() -> None:
        if number >= 0:
            calls.append(Call(number, tuple(values), memory))

    while at < len(words):
        tag, rest = words[at] & 0xFF, words[at] >> 8
        size = {1: 0, 2: 1, 3: 1, 4: 3, 5: 1}.get(tag)
        if size is None or at + size >= len(words) + (size == 0):
            break
        held = words[at + 1 : at + 1 + size]
        if tag == 1:
            finish()
            number, memory, values = rest, 0, []
        elif tag == 5:
            memory = held[0]
        elif tag == 4:
            raw = b"".join(w.to_bytes(8, "little") for w in held)
            values.append(("bytes", rest, raw[: min(rest, 24)]))
        else:
            values.append(("scalar" if tag == 2 else "pointer", held[0], b""))
        at += 1 + size
    finish()
    return calls


def describe_call(call: Call, known: Sequence[Mock], *, place: Mapping[int, str] | None = None) -> str:
    """``uart_write(0, 18, "OK")`` for people and models; ``place`` names addresses."""
    if not 0 <= call.number < len(known):
        return "an unknown function"
    mock = known[call.number]
    types = [p.type for p in mock.external.params]
    parts: list[str] = []
    scalars_seen = 0
    for kind, value, data in call.values:
        if kind == "bytes":
            text = _shown_bytes(value, data)
            if parts and parts[-1] in ("pointer", "null"):
                parts[-1] = text
            elif parts and not parts[-1].startswith(('"', "{")):
                parts[-1] += f" = {text}"
            else:
                parts.append(text)
            continue
        type_ = types[scalars_seen] if scalars_seen < len(types) else None
        scalars_seen += 1
        if kind == "pointer":
            parts.append("null" if not value else (place or {}).get(value, "pointer"))
        else:
            parts.append(_shown_scalar(value, type_))
    return f"{mock.name}({', '.join(parts)})"


def _shown_scalar(value: int, type_: CType | None) -> str:
    if type_ is not None and type_.kind == "float":
        raw = struct.unpack("<f", (value & 0xFFFFFFFF).to_bytes(4, "little"))[0] if type_.size == 4 else (
            struct.unpack("<d", value.to_bytes(8, "little"))[0]
        )  # fmt: skip
        return f"{raw:.9g}" if type_.size == 4 else f"{raw:.17g}"
    if type_ is not None and not type_.signed:
        return str(value)
    return str(value - (1 << 64) if value >> 63 else value)


def _shown_bytes(count: int, data: bytes) -> str:
    more = "..." if count > len(data) else ""
    if data and all(32 <= b < 127 for b in data):
        return f'"{data.decode()}{more}"'
    return "{" + data.hex(" ") + more + f"}} ({count} bytes)"
