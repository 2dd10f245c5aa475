"""What a task's C says: the function's signature, types with sizes and offsets, globals and externals.

Read by libclang for one target, so sizes and layouts are that target's. Nothing here runs a process; headers come
from the resource folder of the installed clang, which the caller names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import clang.cindex as ci

from .errors import ConfigError


@dataclass(frozen=True)
class CType:
    """A C type as laid out on one target."""

    kind: Literal["void", "int", "float", "pointer", "array", "record"]
    spelling: str
    size: int
    """Bytes; 0 for void."""
    align: int
    signed: bool = False
    const: bool = False
    element: CType | None = None
    """What a pointer points to or an array holds."""
    count: int = 0
    """Elements of an array."""
    fields: tuple[Field, ...] = ()
    is_union: bool = False
    is_bool: bool = False
    restrict: bool = False
    """Of a pointer: what it points to is reached through it alone."""
    enumerators: tuple[int, ...] = ()
    """Values of an enum."""

    def leaf(self) -> CType:
        """The scalar at the bottom of nested arrays."""
        return self.element.leaf() if self.kind == "array" and self.element else self


@dataclass(frozen=True)
class Field:
    """One member of a struct or union."""

    name: str
    type: CType
    offset_bits: int
    width_bits: int | None
    """Of a bit-field, else None."""


@dataclass(frozen=True)
class Variable:
    """A parameter or a global."""

    name: str
    type: CType


@dataclass(frozen=True)
class External:
    """A function that the task declares and does not define."""

    name: str
    returns: CType
    params: tuple[Variable, ...]
    variadic: bool


@dataclass(frozen=True)
class Signature:
    """Everything the harness needs to know of a task's C."""

    function: str
    returns: CType
    params: tuple[Variable, ...]
    globals: tuple[Variable, ...]
    """Mutable globals declared ``extern``, in order of declaration."""
    externals: tuple[External, ...]
    prototype_source: str
    """The C source with the body of the task's function taken out: types and declarations for the glue."""
    const_params: frozenset[str]
    """Pointer parameters through which the function may not write."""
    memory: tuple[Variable, ...] = ()
    """Further objects that pointers may point into, as the task's ``memory`` declares them."""


_UNSIGNED = tuple(getattr(ci.TypeKind, n) for n in ("BOOL", "CHAR_U", "UCHAR", "USHORT", "UINT", "ULONG", "ULONGLONG"))
_SIGNED = tuple(getattr(ci.TypeKind, n) for n in ("CHAR_S", "SCHAR", "SHORT", "INT", "LONG", "LONGLONG"))
_FLOATS = (ci.TypeKind.FLOAT, ci.TypeKind.DOUBLE)


class _UnsupportedTypeError(Exception):
    """A type that the harness cannot fill or compare; becomes a ConfigError with the file's name."""


def _convert(type_: Any, depth: int = 0) -> CType:
    canonical = type_.get_canonical()
    kind = canonical.kind
    common = {
        "spelling": type_.spelling,
        "size": max(canonical.get_size(), 0),
        "align": max(canonical.get_align(), 1),
        "const": canonical.is_const_qualified(),
    }
    if kind == ci.TypeKind.VOID:
        return CType("void", **{**common, "size": 0})
    if kind == ci.TypeKind.ENUM:
        declaration = canonical.get_declaration()
        unsigned = declaration.enum_type.get_canonical().kind in _UNSIGNED
        constants = (c for c in declaration.get_children() if c.kind == ci.CursorKind.ENUM_CONSTANT_DECL)
        return CType("int", **common, signed=not unsigned, enumerators=tuple(c.enum_value for c in constants))
    if kind in (*_UNSIGNED, *_SIGNED):
        return CType("int", **common, signed=kind in _SIGNED, is_bool=kind == ci.TypeKind.BOOL)
    if kind in _FLOATS:
        return CType("float", **common, signed=True)
    if kind == ci.TypeKind.POINTER:
        pointee = canonical.get_pointee()
        element = _convert(pointee, depth + 1) if depth < 4 and pointee.kind != ci.TypeKind.FUNCTIONPROTO else None
        return CType("pointer", **common, element=element, restrict=canonical.is_restrict_qualified())
    if kind == ci.TypeKind.CONSTANTARRAY:
        element = _convert(canonical.get_array_element_type(), depth)
        return CType("array", **common, element=element, count=canonical.get_array_size())
    if kind == ci.TypeKind.RECORD:
        members = tuple(
            Field(
                "" if "(" in f.spelling else f.spelling,  # "(anonymous at ...)" in newer libclang
                _convert(f.type, depth + 1),
                f.get_field_offsetof(),
                f.get_bitfield_width() if f.is_bitfield() else None,
            )
            for f in canonical.get_fields()
        )
        is_union = canonical.get_declaration().kind == ci.CursorKind.UNION_DECL
        return CType("record", **common, fields=members, is_union=is_union)
    raise _UnsupportedTypeError(f"type {type_.spelling!r} is not supported in a task's interface")


def _convert_parameter(type_: Any) -> CType:
    """A parameter's type; one that is written as an array is a pointer (C11 6.7.6.3)."""
    canonical = type_.get_canonical()
    if canonical.kind in (ci.TypeKind.CONSTANTARRAY, ci.TypeKind.INCOMPLETEARRAY):
        element = _convert(type_.element_type if type_.kind == canonical.kind else canonical.element_type)
        spelling = f"{element.spelling} *"
        if element.kind == "array":
            head, _, dims = element.spelling.partition("[")
            spelling = f"{head.strip()} (*)[{dims}"
        return CType("pointer", spelling, 8, 8, element=element)
    return _convert(type_)


def read_signature(
    path: Path, function: str, *, triple: str, resource_dir: Path, memory: Sequence[str] = ()
) -> Signature:
    """Parse ``path`` for ``triple``; ``memory`` are declarations of further objects.

    Raises ConfigError, naming the file, when the C does not parse, the function is missing, a global is defined where
    it has to be declared, or a function keeps state in a static variable of its own.
    """
    try:
        return _read_signature(path, function, triple=triple, resource_dir=resource_dir, memory=memory)
    except _UnsupportedTypeError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read_signature(path: Path, function: str, *, triple: str, resource_dir: Path, memory: Sequence[str]) -> Signature:
    index = ci.Index.create()
    arguments = [f"--target={triple}", "-std=gnu11", "-nostdinc", f"-isystem{resource_dir / 'include'}", "-fno-builtin"]
    source = path.read_bytes()
    lines = source.count(b"\n") + 1
    extra = "".join(f"\nextern {declaration};" for declaration in memory)
    unit = index.parse(str(path), args=arguments, unsaved_files=[(str(path), source.decode() + extra)])
    for diagnostic in unit.diagnostics:
        if diagnostic.severity >= ci.Diagnostic.Error:
            line = diagnostic.location.line
            place = f"{path}:{line}" if line <= lines else f"{path.with_suffix('.yaml')}: memory[{line - lines - 1}]"
            raise ConfigError(f"{place}: {diagnostic.spelling}")
    target = None
    variables: dict[str, Variable] = {}
    further: dict[str, Variable] = {}
    functions: dict[str, Any] = {}
    for cursor in unit.cursor.get_children():
        if cursor.location.file is None or cursor.location.file.name != str(path):
            continue
        if cursor.kind == ci.CursorKind.FUNCTION_DECL:
            _refuse_local_statics(path, cursor)
            if cursor.spelling == function and cursor.is_definition():
                target = cursor
            if functions.get(cursor.spelling) is None or cursor.is_definition():
                functions[cursor.spelling] = cursor
        elif cursor.kind == ci.CursorKind.VAR_DECL:
            _note_global(path, cursor, variables if cursor.location.line <= lines else further)
    if target is None:
        known = ", ".join(sorted(n for n, c in functions.items() if c.is_definition())) or "none"
        raise ConfigError(f"{path}: no function {function!r} is defined here (defined: {known}); correct `function:`")
    body = next(c for c in target.get_children() if c.kind == ci.CursorKind.COMPOUND_STMT)
    start, end = body.extent.start.offset, body.extent.end.offset
    params = tuple(
        Variable(p.spelling or f"arg{i}", _convert_parameter(p.type)) for i, p in enumerate(target.get_arguments())
    )
    return Signature(
        function=function,
        returns=_convert(target.result_type),
        params=params,
        globals=tuple(variables.values()),
        memory=tuple(further.values()),
        externals=tuple(
            External(
                name,
                _convert(c.result_type),
                tuple(
                    Variable(a.spelling or f"nc_{i}", _convert_parameter(a.type))
                    for i, a in enumerate(c.get_arguments())
                ),
                c.type.kind == ci.TypeKind.FUNCTIONPROTO and c.type.is_function_variadic(),
            )
            for name, c in functions.items()
            if not c.is_definition()
        ),
        prototype_source=(source[:start] + b";" + source[end:]).decode(),
        const_params=frozenset(
            p.name for p in params if p.type.kind == "pointer" and p.type.element is not None and p.type.element.const
        ),
    )


def _refuse_local_statics(path: Path, function: Any) -> None:
    for cursor in function.walk_preorder():
        if (
            cursor.kind == ci.CursorKind.VAR_DECL
            and cursor.storage_class == ci.StorageClass.STATIC
            and _mutable(cursor)
        ):
            raise ConfigError(
                f"{path}:{cursor.location.line}: static variable {cursor.spelling!r} keeps its value between calls, "
                "unseen by the harness. Make it const, or a global declared `extern`."
            )


def _mutable(variable: Any) -> bool:
    # clang's canonical array types carry the qualifiers of their elements themselves
    leaf = variable.type.get_canonical()
    while leaf.kind == ci.TypeKind.CONSTANTARRAY and not leaf.is_const_qualified():
        leaf = leaf.get_array_element_type().get_canonical()
    return not leaf.is_const_qualified()


def _note_global(path: Path, cursor: Any, variables: dict[str, Variable]) -> None:
    static = cursor.storage_class == ci.StorageClass.STATIC
    if not _mutable(cursor):
        return  # a table of the task's own: part of its code
    if cursor.storage_class == ci.StorageClass.EXTERN:
        variables[cursor.spelling] = Variable(cursor.spelling, _convert(cursor.type))
        return
    hint = "make it const" if static else f"write `extern {cursor.type.spelling} ...` and give its values in the YAML"
    raise ConfigError(
        f"{path}:{cursor.location.line}: mutable global {cursor.spelling!r} is defined here; the harness has to own "
        f"it to compare it. {hint[0].upper()}{hint[1:]}."
    )


def used_bits(record: CType) -> list[int]:
    """A mask for every byte of a struct: the bits that belong to a member."""
    return _bits(record, lambda leaf: [0xFF] * leaf.size)


def visible_bits(record: CType) -> list[int]:
    """Like ``used_bits`` without what right programs differ in: bits of NaN, and pointers into their constants."""
    return _bits(record, lambda leaf: [0 if leaf.kind in ("float", "pointer") else 0xFF] * leaf.size)


def _bits(record: CType, of_scalar: Callable[[CType], list[int]]) -> list[int]:
    masks = [0] * record.size
    for member in record.fields:
        if member.width_bits is not None:
            for bit in range(member.offset_bits, member.offset_bits + member.width_bits):
                masks[bit // 8] |= 1 << bit % 8
            continue
        leaf, start = member.type.leaf(), member.offset_bits // 8
        inner = _bits(leaf, of_scalar) if leaf.kind == "record" else of_scalar(leaf)
        for i in range(member.type.size):
            masks[start + i] |= inner[i % len(inner)]
    return masks
