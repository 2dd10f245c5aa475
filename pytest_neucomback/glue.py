"""C source of a task's glue: how the driver calls the candidate, and the task's mocks.

The glue is the task's own file without the body of its function, so every type is the task's, followed by
``nc_invoke``, which loads the arguments from the control block, calls through the trampoline with the right
prototype and stores the result. Letting the compiler build the call means that stack arguments, structs by value and
floating-point arguments need no code of ours on any architecture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .arches import Arch
from .errors import ConfigError
from .layout import CONTROL_ADDR, MAX_ARGS, Control, Placed
from .mocks import mock_sources
from .signature import CType, Signature
from .tasks import Task

RUNTIME = frozenset({"memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"})
"""What a compiler may call without being told."""
SUPPORT = frozenset(
    f"__{name}"
    for name in (
        "popcountdi2", "clzdi2", "ctzdi2", "ffsdi2", "paritydi2", "clrsbdi2", "bswapsi2", "bswapdi2",
        "udivti3", "umodti3", "divti3", "modti3", "udivmodti4",
    )
)  # fmt: skip
"""What compilers call where the ISA level lacks an instruction, as libgcc has it. Allowed, but nothing to recommend."""
PURE = frozenset({"sinf", "cosf", "sin", "cos", "sqrtf", "sqrt", "fabsf", "fabs"})
"""Functions of libm that the runtime has; ``kind: pure`` externals."""
_PAIRS = {"sincosf": {"sinf", "cosf"}, "sincos": {"sin", "cos"}}
"""What compilers make of two calls on the same argument."""
PROVIDED = RUNTIME | SUPPORT | PURE | set(_PAIRS)

_INTS = {1: "char", 2: "short", 4: "int", 8: "long"}


def _c_type(type_: CType) -> str:
    """A type with the same ABI, spelled without the task's typedefs where that is possible."""
    if type_.kind == "void":
        return "void"
    if type_.kind == "pointer":
        return "void *"
    if type_.kind == "int" and type_.spelling != "_Bool":
        return f"{'signed' if type_.signed else 'unsigned'} {_INTS[type_.size]}"
    return type_.spelling.removeprefix("const ")


def argument_slots(signature: Signature) -> list[int]:
    """The first slot (8 bytes each) of every argument in the control block; a record takes as many as it needs.

    Raises ConfigError when they do not fit.
    """
    slots, next_slot = [], 0
    for parameter in signature.params:
        slots.append(next_slot)
        next_slot += -(-max(parameter.type.size, 8) // 16) * 2
    if next_slot > MAX_ARGS:
        raise ConfigError(f"{signature.function}: arguments take more than {MAX_ARGS * 8} bytes")
    return slots


def callable_names(task: Task) -> frozenset[str]:
    """Every function that a candidate for the task may call."""
    pairs = {pair for pair, parts in _PAIRS.items() if parts <= set(task.externals)}
    return frozenset(task.externals) | RUNTIME | SUPPORT | pairs


@dataclass(frozen=True)
class ArgumentUse:
    """What the arguments of a call occupy; where a struct makes it hard to tell, more rather than less."""

    int_args: int
    fp_args: int
    narrow_fp_args: int
    """A bit for each floating-point register that holds a float."""
    stack_bytes: int
    result_address: bool


def argument_use(signature: Signature, arch: Arch) -> ArgumentUse:
    """Registers and stack that a task's arguments take: everything else a call may find in any state."""
    types = [p.type for p in signature.params]
    result_address = signature.returns.kind == "record"
    if any(t.kind == "record" or t.size > 8 for t in types):
        total = sum(-(-t.size // 16) * 16 for t in types)
        return ArgumentUse(arch.int_args, arch.fp_args, 0, total, result_address)
    floats = [t for t in types if t.kind == "float"]
    ints = len(types) - len(floats) + (result_address and arch.struct_address)
    spilled = max(0, len(floats) - arch.fp_args)
    if arch.fp_args_spill:
        ints, spilled = ints + spilled, 0
    words = max(0, ints - arch.int_args) + spilled
    narrow = sum(1 << i for i, t in enumerate(floats[: arch.fp_args]) if t.size == 4)
    return ArgumentUse(min(ints, arch.int_args), min(len(floats), arch.fp_args), narrow, 8 * words, result_address)


def glue_source(task: Task, signature: Signature, arch: Arch) -> str:
    """The C source. Raises ConfigError when the task declares something the harness cannot provide."""
    types, values = [], []
    for parameter, slot in zip(signature.params, argument_slots(signature), strict=True):
        narrow = parameter.type.kind == "int" and parameter.type.size < 8 and arch.undefined_arg_bits < 64
        # Passed as a whole register, so that the parent decides what the undefined upper bits hold.
        c_type = "unsigned long" if narrow else _c_type(parameter.type)
        types.append(c_type)
        values.append(f"*({c_type} *)(nc_args + {slot * 8})")
    if signature.returns.size > Control.ret.size:
        raise ConfigError(f"{task.c_path}: {task.function} returns more than {Control.ret.size} bytes")
    returns = _c_type(signature.returns)
    call = f"(({returns} (*)({', '.join(types) or 'void'}))nc_call)({', '.join(values)})"
    if signature.returns.kind != "void":
        call = f"*({returns} *)nc_ret = {call}"
    use = argument_use(signature, arch)
    records = [t for t in (signature.returns, *(p.type for p in signature.params)) if t.kind == "record"]
    facts = {
        "int_args": use.int_args,
        "fp_args": use.fp_args,
        "narrow_fp_args": use.narrow_fp_args,
        "stack_args": use.stack_bytes,
        "result_address": int(use.result_address),
        "result_in_memory": int(signature.returns.kind == "record" and signature.returns.size > 16),
        "copy_bytes": max((t.size for t in records), default=0),
        "x87_result": int(signature.returns.kind == "float" and signature.returns.size > 8),
    }
    return "\n".join(
        [
            f'#line 1 "{task.c_path.name}"',
            signature.prototype_source,
            '#line 1 "glue"',
            "extern void nc_call(void);",
            '#include "nc_mock.h"',
            f"void (*const nc_candidate_entry)(void) = (void (*)(void)){signature.function};",
            f"static char *const nc_args = (char *){CONTROL_ADDR + Control.args.offset}ul;",
            f"static char *const nc_ret = (char *){CONTROL_ADDR + Control.ret.offset}ul;",
            *(f"const unsigned nc_{name} = {value};" for name, value in facts.items()),
            "void nc_invoke(void)",
            "{",
            "    (void)nc_args; (void)nc_ret;",
            f"    {call};",
            "}",
            *_externals(task, signature, arch),
            "",
        ]
    )


def addresses(signature: Signature, objects: Iterable[Placed]) -> str:
    """C source that gives the task's mutable globals their fixed addresses, as absolute symbols."""
    names = {g.name for g in signature.globals}
    # Through the assembler and not --defsym: ld's expression parser trips over names such as `bb`.
    return "".join(f'__asm__(".globl {o.name}\\n.set {o.name}, {o.addr:#x}");\n' for o in objects if o.name in names)


def _externals(task: Task, signature: Signature, arch: Arch) -> list[str]:
    declared = {e.name: e for e in signature.externals}
    for name, entry in task.externals.items():
        kind = entry.get("kind")
        if name not in declared:
            raise ConfigError(f"{task.yaml_path}: externals names {name}, which {task.c_path.name} does not declare")
        if kind not in ("mock", "pure"):
            raise ConfigError(f"{task.yaml_path}: externals.{name}: kind must be mock or pure, not {kind!r}")
        if kind == "pure" and name not in PURE:
            raise ConfigError(
                f"{task.yaml_path}: externals.{name}: no such pure function here. Known: {', '.join(sorted(PURE))}."
            )
    for external in declared.values():
        if external.name not in RUNTIME and external.name not in task.externals:
            raise ConfigError(
                f"{task.yaml_path}: {task.c_path.name} declares {external.name}; say what it is: "
                f"`externals: {{{external.name}: {{kind: mock}}}}` (docs/tasks.md)"
            )
    lines = []
    for mock, definition in mock_sources(task, signature, prefix="nc_impl_"):
        # What the candidate calls is a stub that looks at the stack pointer first and leaves junk in registers
        # afterwards. Stubs have addresses of their own, so that a pointer to a mock is the same in every build.
        lines += [
            mock.stub(arch.call_stub.format(target=f"nc_impl_{mock.name}")),
            "#ifdef __x86_64__",
            "__attribute__((force_align_arg_pointer))",
            "#endif",
            *definition,
        ]
    return lines
