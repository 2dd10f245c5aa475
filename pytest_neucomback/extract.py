"""From a model's reply to the assembly in it, or to one sentence saying why there is none.

Pure text work. The rules, in the order they apply:

1. Reasoning (``<think>…</think>``) is cut away; it is never searched for code.
2. Fenced blocks are collected, leniently: what models send is rarely tidy Markdown.
3. Blocks in other languages and diffs are dropped, whatever their language tag says.
4. The last complete block that defines the function wins, because models correct themselves.
5. Without such a block: the only block that looks like assembly, then assembly outside any fence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .types import Candidate, NoCandidate

_CUT_OFF = frozenset({"length", "max_tokens", "model_length"})
"""Finish reasons, lower case, with which endpoints say that the token limit ended the reply."""

_QUOTED_CHARS = 100
"""How much of a reply without assembly is quoted back in the reason."""

_LONGEST_INSTRUCTION = 400
"""Characters. Longer lines are prose or garbage, and splitting them would take quadratic time."""

# --- characters -------------------------------------------------------------------------------------------

_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_INVISIBLE = (
    "\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff\0"
)
_MENDS = {ord(c): " " for c in _SPACES} | {ord(c): "" for c in _INVISIBLE} | {0x2212: "-"}  # 0x2212: minus sign
_LINE_END = re.compile("\r\n|[\n\r\u2028\u2029]")

# --- reasoning --------------------------------------------------------------------------------------------

_THINK_BLOCK = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_THINK_CLOSE = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_THINK_OPEN = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)

# --- fences -----------------------------------------------------------------------------------------------

_FENCE_LINE = re.compile(r"^\s*(?P<fence>`{3,}|~{3,})\s*(?P<info>[^`~]*)$")
# "Here is the code: ```asm": an opening fence that shares its line with prose.
_FENCE_AFTER_PROSE = re.compile(r"^[^`]*\S\s*(?P<fence>`{3,})(?P<info>[\w+-]*)\s*$")
# "    ret```": a closing fence that shares its line with the last instruction.
_FENCE_AFTER_CODE = re.compile(r"^(?P<code>[^`]*\S)\s*(?P<fence>`{3,})\s*$")

# --- lines of code ----------------------------------------------------------------------------------------

_BLOCK_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_DIRECTIVE = re.compile(r"^\s*\.[A-Za-z_][\w.]*(?:\s|$)")
_LABEL = re.compile(r'^\s*(?:"[^"]+"|[A-Za-z_.$@?][\w.$@?]*|\d+)\s*:(?!:)')
_ONLY_COMMENT = re.compile(r"^\s*(?:#|//|;|/\*|\*/|\*\s)")
_MNEMONIC = re.compile(r"^\s*(?P<word>[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z0-9]+)*)(?:\s+(?P<operands>\S.*))?$")
_HEADING = re.compile(r"^\s*[A-Z][a-z]+:\s*$")
# "# ... rest unchanged": the model left code out.
_ELLIPSIS = re.compile(r"^\s*(?:#|//|;|/\*|\*)?\s*[\[(<]?\s*(?:\.\.\.|…)")
_ENDS_FLOW = re.compile(
    r"^\s*(?:rep\s+|repz\s+|bnd\s+|notrack\s+)?"
    r"(?:(?:ret[lqw]?|retaa|retab|jr|c\.jr|ud2|hlt|brk|udf|ebreak|unimp)(?:\s|$)|"
    # A jump to a local label is a loop; to anything else it is a tail call.
    r"(?:jmp[lqw]?|b|br|j|c\.j|tail)\s+(?!\.L|\d+[bf]\b)(?P<target>\S+))",
    re.IGNORECASE,
)
# Instructions that may stand alone on a line. Any other lone word is prose.
_NO_OPERANDS = re.compile(
    r"^(?:"
    r"ret|retq|retl|leave|leaveq|nop|cltq|cltd|cqto|cwtl|cqo|cdq|cdqe|cwde|cwd|ud2|hlt|syscall|vzeroupper|"
    r"vzeroall|emms|cld|std|clc|stc|cmc|sahf|lahf|pause|mfence|lfence|sfence|endbr64|movsb|movsw|movsl|"
    r"movsq|stosb|stosw|stosl|stosd|stosq|lodsb|lodsq|scasb|cmpsb|rep|repe|repz|repne|repnz|lock|fabs|fchs|"
    r"fsqrt|fld1|fldz|fldpi|fninit|retaa|paciasp|autiasp|isb|ebreak|ecall|fence|unimp"
    r")$"
)
# Mnemonics whose operand may be a bare symbol. After any other word "foo" alone is prose.
_ONE_SYMBOL = re.compile(
    r"^(?:jn?[abceglopsz]|jn?[abgl]e|jp[eo]|j[er]?cxz|jmp[ql]?|call[ql]?|push[ql]?|pop[ql]?|rep\w*|lock|loop|bnd|"
    r"notrack|b|bl|b\.?(?:eq|ne|[gl][te]|h[is]|l[os]|c[cs]|mi|pl|v[cs]|al)|cb?n?z|jalr?|jr?|tail|la|lla|"
    r"global|extern|section|bits|default|align)$",
    re.IGNORECASE,
)
# Between commas an operand holds no blank, save in the few shapes below; sentences do.
_PLAIN_OPERAND = re.compile(r"^[-+*%$#=:!~&|^<>()\[\]{}\w.@'/]+$")
_SPACED_OPERAND = re.compile(
    r"^(?:(?:lsl|lsr|asr|ror|uxt[bhwx]|sxt[bhwx]|msl|mul)\s+#?\w+|(?:offset|short)\s+\S+|"
    r"(?:(?:byte|[dqtoz]?word|[xyz]mmword)\s+)?(?:ptr\s+)?[\w:%$#.+*@-]*\s?\[.*\].*|"
    r"[-\w%$#.+*@]*(?:\{.*\}|\((?:[^\s()]|,\s+)*\)).*|-?[\w.$]+(?:\s*[-+]\s*[\w.]+)+(?:\(\S+\))?)$",
    re.IGNORECASE,
)
# A sigil, a bracket, a local label or a register of any arch.
_REGISTER_LIKE = re.compile(
    r"[%$#\[\](){}]|(?:^|[\s,])\.L\w|\b(?:[re]?(?:[abcd]x|[sd]i|[sb]p)|[abcd][lh]|r\d+[dwb]?|[xyz]mm\d+|k[0-7]|"
    r"[xwvqdsbh]\d+|sp|lr|xzr|wzr|ra|gp|tp|zero|[ast]\d+|f[ast]\d+)\b",
    re.IGNORECASE,
)

_FOREIGN = re.compile(
    r"^\s*(?:"
    # C family: a parenthesis followed by an opening brace, a lone brace, preprocessor, declarations
    r"[A-Za-z_][^()]*\(.*\)\s*(?:->\s*[\w<>*&\s]+)?\{|[{}]\s*$|#\s*include\b|"
    r"(?:static|const|unsigned|signed|void|float|double|char|long|short|struct|typedef|return|u?int\d+_t)\s+[\w*(]|"
    r"int\s+\**[A-Za-z_]|(?:for|while|if)\s*\(|"
    # LLVM IR
    r"define\b.*@|declare\b.*@|source_filename\b|target\s+(?:triple|datalayout)\b|%[\w.\-]+\s*=\s*[a-z]|"
    r"ret\s+(?:void|i\d+|float|double|ptr)\b|br\s+(?:label|i1)\b|store\s+\S+\s.*\bptr\s|attributes\s+#\d|"
    # Python
    r"def\s+\w+\s*\(.*:\s*$|import\s+\w|from\s+\w+\s+import\b"
    r")"
)
_DIFF_LINE = re.compile(r"^(?:@@|[-+]\s*[\w.%\"]|[-+]{3}\s)")

# --- Intel syntax -----------------------------------------------------------------------------------------

_X86_ARCHES = frozenset({"x86_64", "amd64", "x86-64", "i386", "i686"})
_SYNTAX_DIRECTIVE = re.compile(r"^\s*\.(?:intel|att)_(?:syntax|mnemonic)\b", re.MULTILINE)
_X86_REGISTER = (
    r"(?:[re]?(?:[abcd]x|[sd]i|[sb]p)|[abcd][lh]|(?:si|di|sp|bp)l|r(?:[89]|1[0-5])[dwb]?|"
    r"[xyz]mm(?:[12]?\d|3[01])|st\(\d\))"
)
_AT_AND_T = re.compile(rf"%{_X86_REGISTER}\b|%(?:rip|st)\b", re.IGNORECASE)
_BARE_REGISTER = re.compile(rf"(?<![%\w.$@]){_X86_REGISTER}(?![\w.:@(])", re.IGNORECASE)


@dataclass(frozen=True)
class _Block:
    """One stretch of the reply that may be code."""

    lines: tuple[str, ...]
    closed: bool = True
    """False when the reply ended before the closing fence."""
    mended: bool = False
    """True when characters an assembler refuses were replaced or removed."""


def extract(
    reply_text: str, function: str, *, arch: str = "x86_64", finish_reason: str = "stop"
) -> Candidate | NoCandidate:
    """Take the assembly that defines ``function`` out of a model's reply.

    ``arch`` decides about comment characters and whether Intel syntax is looked for; ``finish_reason`` is the
    endpoint's word, of which only those for "token limit reached" matter. Never raises: whatever cannot be used is
    a ``NoCandidate`` whose reason is one sentence addressed to the model.
    """
    cut_off = finish_reason.lower() in _CUT_OFF
    answer, reasoning_open = _without_reasoning(reply_text)
    if not answer.translate(_MENDS).strip():
        return NoCandidate(_why_empty(reply_text, function, cut_off=cut_off, reasoning_open=reasoning_open))
    result = _extract_from_answer(answer, function, arch, cut_off=cut_off and not reasoning_open)
    if isinstance(result, NoCandidate) and reasoning_open:
        return NoCandidate(_why_empty(reply_text, function, cut_off=cut_off, reasoning_open=True))
    return result


def _without_reasoning(text: str) -> tuple[str, bool]:
    """The answer without its reasoning, and whether the reply ended inside the reasoning."""
    text = _THINK_BLOCK.sub("\n", text)
    # Chat templates often swallow the opening tag, so a lone closing tag ends a reasoning that began at the start.
    text = _THINK_CLOSE.split(text)[-1]
    opening = _THINK_OPEN.search(text)
    return (text[: opening.start()], True) if opening else (text, False)


def _why_empty(reply_text: str, function: str, *, cut_off: bool, reasoning_open: bool) -> str:
    if reasoning_open:
        limit = " at the token limit" if cut_off else ""
        return (
            f"The reasoning was cut off{limit} before any answer; "
            f"reason more briefly and answer with one fenced block that defines `{function}:`."
        )
    if cut_off:
        return (
            "The reply was cut off at the token limit before any answer; "
            f"reason more briefly and answer with one fenced block that defines `{function}:`."
        )
    if reply_text.strip():
        return f"The reply holds only reasoning and no answer; answer with one fenced block that defines `{function}:`."
    return f"The reply is empty; answer with one fenced block that defines `{function}:`."


def _extract_from_answer(answer: str, function: str, arch: str, *, cut_off: bool) -> Candidate | NoCandidate:
    blocks, outside = _split_fences(answer)
    diffs = [block for block in blocks if _is_diff(block)]
    usable = [block for block in blocks if block not in diffs and not _is_foreign(block, arch)]
    definers = [block for block in usable if _defines(block, function, arch)]
    complete = [block for block in definers if _is_complete(block, function, arch)]

    if cut_off:
        # Only what was surely finished before the limit may be judged; half a function must not count as wrong.
        finished = [block for block in complete if block.closed]
        if finished:
            return _as_candidate(finished[-1], arch)
        return NoCandidate(
            f"The reply was cut off at the token limit before the assembly of `{function}` was complete; "
            "answer more briefly, with one fenced block and nothing else."
        )
    if definers:
        return _as_candidate((complete or definers)[-1], arch)

    looking = [block for block in usable if _looks_like_assembly(block, arch)]
    if len(looking) == 1:
        return _as_candidate(looking[0], arch, f"no label `{function}:` in the reply's only assembly block")
    if len(looking) > 1:
        return NoCandidate(
            f"The reply has {len(looking)} blocks of assembly and none defines `{function}:`; "
            "answer with one fenced block that does."
        )

    runs = _assembly_runs(outside, function, arch)
    defining_runs = [run for run in runs if _defines(run, function, arch)]
    complete_runs = [run for run in defining_runs if _is_complete(run, function, arch)]
    if defining_runs:
        return _as_candidate((complete_runs or defining_runs)[-1], arch, "no code fence: took the lines of assembly")
    long_runs = [run for run in runs if _looks_like_assembly(run, arch) and len(run.lines) >= 3]
    if len(long_runs) == 1:
        note = f"no code fence and no label `{function}:`: took the lines of assembly"
        return _as_candidate(long_runs[0], arch, note)
    if diffs:
        return NoCandidate(
            "The reply shows a diff, not the whole function; "
            f"answer with one fenced block that holds all of `{function}:`."
        )
    return NoCandidate(
        f"The reply holds no assembly that defines `{function}:` (it begins: {_quote(answer)}); "
        "answer with one fenced block that does."
    )


def _quote(text: str) -> str:
    flat = " ".join(text.translate(_MENDS).split())
    return f'"{flat[:_QUOTED_CHARS]}…"' if len(flat) > _QUOTED_CHARS else f'"{flat}"'


# --- splitting --------------------------------------------------------------------------------------------


def _split_fences(answer: str) -> tuple[list[_Block], list[tuple[str, bool]]]:
    """Fenced blocks in order, and the lines outside them, each with whether its characters were mended."""
    lines = [(raw.translate(_MENDS), raw != raw.translate(_MENDS)) for raw in _LINE_END.split(answer)]
    blocks: list[_Block] = []
    outside: list[tuple[str, bool]] = []
    inside: list[tuple[str, bool]] = []
    fence = ""
    for line, mended in lines:
        match = _FENCE_LINE.match(line)
        if not fence:
            match = match or (_FENCE_AFTER_PROSE.match(line) if "```" in line else None)
            if match:
                fence = match["fence"]
            else:
                outside.append((line, mended))
            continue
        if match and match["fence"][0] == fence[0] and len(match["fence"]) >= len(fence):
            blocks += _blocks_in(inside, fence, closed=True)
            inside = []
            # A language tag cannot stand on a closing fence: the model forgot to close and opens the next block.
            fence = match["fence"] if match["info"].strip() else ""
            continue
        tail = _FENCE_AFTER_CODE.match(line) if "```" in line else None
        if tail and tail["fence"][0] == fence[0] and len(tail["fence"]) >= len(fence):
            inside.append((tail["code"], mended))
            blocks += _blocks_in(inside, fence, closed=True)
            inside, fence = [], ""
            continue
        inside.append((line, mended))
    if fence:
        blocks += _blocks_in(inside, fence, closed=False)
    return blocks, outside


def _blocks_in(lines: list[tuple[str, bool]], fence: str, *, closed: bool) -> list[_Block]:
    """The block these lines are, or the blocks inside it when a longer fence wraps a whole Markdown answer."""
    while lines and not lines[0][0].strip():
        lines = lines[1:]
    while lines and not lines[-1][0].strip():
        lines = lines[:-1]
    if not lines:
        return []
    if len(fence) > 3 and any(_FENCE_LINE.match(line) for line, _ in lines):
        inner, _ = _split_fences("\n".join(line for line, _ in lines))
        if inner:
            return inner
    return [_Block(tuple(line for line, _ in lines), closed, any(mended for _, mended in lines))]


def _assembly_runs(lines: list[tuple[str, bool]], function: str, arch: str) -> list[_Block]:
    """Stretches of assembly between prose, in order, each trimmed to its first and last line of code."""
    runs: list[_Block] = []
    current: list[tuple[str, bool]] = []
    for index, (line, mended) in enumerate(lines):
        if not line.strip() or _ONLY_COMMENT.match(line) or _is_code(line, arch) or _is_wedged(lines, index, arch):
            current.append((line, mended))
            continue
        runs += _trimmed(current, function, arch)
        current = []
    return runs + _trimmed(current, function, arch)


def _is_wedged(lines: list[tuple[str, bool]], index: int, arch: str) -> bool:
    """An unknown line directly between two lines of code is code we fail to recognise, not prose."""
    return 0 < index < len(lines) - 1 and _is_code(lines[index - 1][0], arch) and _is_code(lines[index + 1][0], arch)


def _trimmed(lines: list[tuple[str, bool]], function: str, arch: str) -> list[_Block]:
    code = [
        index
        for index, (line, _) in enumerate(lines)
        # "Explanation:" reads like a label, and at either end of a run it never is one.
        if _is_code(line, arch) and (not _HEADING.match(line) or line.strip() == f"{function}:")
    ]
    if not code:
        return []
    kept = lines[code[0] : code[-1] + 1]
    block = _Block(tuple(line for line, _ in kept), True, any(mended for _, mended in kept))
    return [] if _is_foreign(block, arch) else [block]


# --- judging blocks ---------------------------------------------------------------------------------------


def _bare_lines(block: _Block, arch: str) -> list[str]:
    """The block's lines without comments; ``;`` is left, since it separates statements on every arch here."""
    text = _BLOCK_COMMENT.sub(lambda m: "\n" * m[0].count("\n"), "\n".join(block.lines))
    hash_comment = re.compile(r"^\s*#.*") if arch in {"aarch64", "arm64"} else re.compile(r"#.*")
    return [hash_comment.sub("", line.split("//", 1)[0]) for line in text.split("\n")]


def _is_diff(block: _Block) -> bool:
    text = _BLOCK_COMMENT.sub("", "\n".join(block.lines))
    return any(_DIFF_LINE.match(line) for line in text.split("\n"))


def _is_foreign(block: _Block, arch: str) -> bool:
    """C, LLVM IR and the like, told by content: language tags on fences are too often wrong."""
    if any(re.match(r"\s*#\s*include\b", line) for line in block.lines):
        return True
    return any(_FOREIGN.match(line.split(";", 1)[0]) for line in _bare_lines(block, arch))


def _defining_line(block: _Block, function: str, arch: str) -> int | None:
    pattern = re.compile(rf'^\s*"?{re.escape(function)}"?\s*:(?!:)')
    return next((index for index, line in enumerate(_bare_lines(block, arch)) if pattern.match(line)), None)


def _defines(block: _Block, function: str, arch: str) -> bool:
    if _defining_line(block, function, arch) is None:
        return False
    return any(_is_instruction(_LABEL.sub("", line), arch) for line in _bare_lines(block, arch))


def _is_complete(block: _Block, function: str, arch: str) -> bool:
    """Control flow ends after the label, and nothing is left out with an ellipsis."""
    start = _defining_line(block, function, arch)
    if start is None or any(_ELLIPSIS.match(line) for line in block.lines):
        return False
    lines = _bare_lines(block, arch)
    labels = {label[0].strip().rstrip(":").rstrip() for label in map(_LABEL.match, lines) if label}
    statements = [s for line in lines[start:] for s in _LABEL.sub("", line).split(";")]
    endings = [ending for ending in map(_ENDS_FLOW.match, statements) if ending]
    return any(ending["target"] is None or ending["target"] not in labels for ending in endings)


def _looks_like_assembly(block: _Block, arch: str) -> bool:
    """Most lines that are neither blank nor comment read as assembly, and one of them is an instruction."""
    lines = [line for line in _bare_lines(block, arch) if line.strip() and not _ONLY_COMMENT.match(line)]
    code = [line for line in lines if _is_code(line, arch)]
    has_instruction = any(_is_instruction(_LABEL.sub("", line), arch) for line in lines)
    return has_instruction and len(code) >= 0.6 * len(lines)


def _is_code(line: str, arch: str) -> bool:
    if _DIRECTIVE.match(line):
        return True
    label = _LABEL.match(line)
    rest = line[label.end() :] if label else line
    if label and (not rest.strip() or _ONLY_COMMENT.match(rest) or _DIRECTIVE.match(rest)):
        return True
    return _is_instruction(rest, arch)


def _is_instruction(line: str, arch: str) -> bool:
    """A mnemonic with operands that no English sentence has."""
    if len(line) > _LONGEST_INSTRUCTION:
        return False
    line = _STRING.sub('""', line)
    comment = re.search(r"//|/\*|;|\s@\s" if arch in {"aarch64", "arm64"} else r"//|/\*|;|#", line)
    match = _MNEMONIC.match(line[: comment.start()].rstrip() if comment else line.rstrip())
    if not match:
        return False
    word, operands = match["word"].lower(), match["operands"]
    if operands is None:
        return bool(_NO_OPERANDS.match(word))
    parts = [part.strip() for part in re.split(r",(?![^\[({]*[\])}])", operands)]
    if not all(_PLAIN_OPERAND.match(part) or _SPACED_OPERAND.match(part) for part in parts):
        return False
    return bool(_REGISTER_LIKE.search(operands)) or bool(_ONE_SYMBOL.match(word) or _NO_OPERANDS.match(word))


# --- mending ----------------------------------------------------------------------------------------------


def _as_candidate(block: _Block, arch: str, *notes: str) -> Candidate:
    assembly = "\n".join(line.rstrip() for line in block.lines) + "\n"
    if block.mended:
        notes += ("characters: replaced non-breaking spaces and removed invisible characters",)
    if not block.closed:
        notes += ("fence: the closing fence was missing",)
    if arch in _X86_ARCHES and _is_unmarked_intel(block, assembly, arch):
        assembly = ".intel_syntax noprefix\n" + assembly
        notes += ("intel syntax: put `.intel_syntax noprefix` in front",)
    return Candidate(assembly, notes)


def _is_unmarked_intel(block: _Block, assembly: str, arch: str) -> bool:
    """Registers appear without ``%``, none with it, and no directive names a syntax."""
    if _SYNTAX_DIRECTIVE.search(assembly):
        return False
    lines = [_STRING.sub('""', line).split(";", 1)[0] for line in _bare_lines(block, arch)]
    if any(_AT_AND_T.search(line) for line in lines):
        return False
    instructions = [_LABEL.sub("", line) for line in lines if not _DIRECTIVE.match(line)]
    operands = [match["operands"] for match in map(_MNEMONIC.match, instructions) if match and match["operands"]]
    return any(_BARE_REGISTER.search(text) for text in operands)
