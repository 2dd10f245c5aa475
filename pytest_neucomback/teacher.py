"""The teacher of prompt learning: what it is asked, and how its answers are read. Asks nobody, reads template files.

Templates are in ``prompts/teacher.yaml``, or in a file of that name in a project's ``prompts/``. Each answer is read
from one fenced block (docs/prompt-learning.md); what does not fit its lines is left out, never guessed at.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from .arches import Arch
from .errors import ConfigError
from .prompts import RULE_KINDS, Rule, bundled_folder, checked_template
from .types import Message

Fragment = Literal["correctness", "performance"]
FRAGMENTS: tuple[Fragment, ...] = ("correctness", "performance")
_ARCH = frozenset({"arch_title", "syntax"})
TEMPLATES: Mapping[str, frozenset[str]] = {
    "system": _ARCH,
    "extract": _ARCH | {"trajectory", "ending"},
    "extract_speed": _ARCH | {"trajectory"},
    "merge": _ARCH | {"topic", "rules", "insights"},
    "review": _ARCH | {"topic", "rules", "changes"},
}
"""Names each template may use; all but those of the architecture have to be there."""
MAX_INSIGHTS = 6
"""Of one answer; a teacher that rambles would drown the others."""
MAX_RULE_CHARS = 400
MAX_ASSEMBLY_LINES = 240
"""Of one round in a trajectory as the teacher sees it; longer code is cut in the middle."""
TOPICS: Mapping[Fragment, str] = {"correctness": "correct assembly", "performance": "fast assembly"}


@dataclass(frozen=True)
class Insight:
    """What one trajectory taught."""

    kind: str
    text: str
    task: str


@dataclass(frozen=True)
class Change:
    """One line of a proposal."""

    action: Literal["add", "drop", "change"]
    old: Rule | None
    new: Rule | None

    def __str__(self) -> str:
        if self.action == "add":
            assert self.new is not None
            return f"add [{self.new.kind}] {self.new.text}"
        assert self.old is not None
        if self.new is None:
            return f"drop {self.old.id}: {self.old.text}"
        return f"change {self.old.id}: {self.old.text} => {self.new.text}"


@dataclass(frozen=True)
class Decision:
    """What review said of a change."""

    apply: bool
    why: str = ""


@dataclass(frozen=True)
class TeacherPrompt:
    """The teacher's templates for one architecture."""

    templates: Mapping[str, str]
    values: Mapping[str, str]
    digest: str
    """Names this version of the templates."""

    def ask(self, template: str, **values: str) -> tuple[Message, ...]:
        """The messages of one request."""
        filled = {name: self._fill(name, values) for name in ("system", template)}
        return ({"role": "system", "content": filled["system"]}, {"role": "user", "content": filled[template]})

    def _fill(self, template: str, values: Mapping[str, str]) -> str:
        text = string.Template(self.templates[template]).safe_substitute({**self.values, **values})
        return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def load_teacher(arch: Arch, project: Path) -> TeacherPrompt:
    """The project's ``prompts/teacher.yaml``, else the bundled one. Raises ConfigError naming file and key."""
    own = project / "prompts" / "teacher.yaml"
    path = own if own.is_file() else bundled_folder() / "teacher.yaml"
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected templates such as extract, merge, review")
    templates = {}
    for name, allowed in TEMPLATES.items():
        if not isinstance(raw.get(name), str):
            raise ConfigError(f"{path}: {name} is missing; it has to be text")
        templates[name] = checked_template(path, name, raw[name], allowed, allowed - _ARCH, reader="teacher")
    digest = hashlib.sha256("\0".join(templates[n] for n in TEMPLATES).encode()).hexdigest()
    return TeacherPrompt(templates, {"arch_title": arch.title, "syntax": arch.syntax}, digest)


# --- what it is shown ------------------------------------------------------------------------------------------------


def show_trajectory(rounds: Sequence[Mapping[str, Any]]) -> str:
    """Rounds of a trial (as ``learn.trial_rounds`` keeps them) in words."""
    parts = []
    for number, entry in enumerate(rounds, 1):
        kinds = {"generate": "first attempt", "debug": "repair", "optimise": "attempt to speed it up"}
        head = f"Round {number}, {kinds.get(entry['kind'], entry['kind'])}: {entry['outcome'].replace('_', ' ')}"
        text = entry["assembly"] if entry["assembly"] is not None else entry["reply"][:2000]
        parts.append(f"{head}\n\n```assembly\n{_cut_lines(text)}\n```")
        if entry["diagnostic"]:
            parts.append(f"What was said of it:\n{entry['diagnostic']}")
        if entry.get("measured"):
            parts.append(f"Measured: {entry['measured']}")
    return "\n\n".join(parts)


def _cut_lines(text: str) -> str:
    lines = text.rstrip().splitlines()
    if len(lines) <= MAX_ASSEMBLY_LINES:
        return "\n".join(lines)
    half = MAX_ASSEMBLY_LINES // 2
    return "\n".join([*lines[:half], f"... ({len(lines) - 2 * half} lines left out)", *lines[-half:]])


def show_rules(rules: Sequence[Rule]) -> str:
    """``R3 [semantic] text``, a line each."""
    return "\n".join(f"{r.id} [{r.kind}] {r.text}" for r in rules) or "(none yet)"


def show_insights(insights: Sequence[Insight]) -> str:
    """``I1 [semantic] text (s112)``, a line each."""
    return "\n".join(f"I{i} [{x.kind}] {x.text} ({x.task})" for i, x in enumerate(insights, 1))


def show_changes(changes: Sequence[Change]) -> str:
    """``1. add [semantic] text``, a line each."""
    return "\n".join(f"{i}. {change}" for i, change in enumerate(changes, 1))


# --- what it answers -------------------------------------------------------------------------------------------------


_RULE_LINE = re.compile(r"[-*]?\s*(R\d+|new)\s*\[(\w+)\]\s*(.+?)(?:\s*\(((?:I\d+[,\s]*)+)\))?", re.IGNORECASE)
_FENCE = re.compile(r"\s*```\s*(\w*)[^`]*")
"""A line that opens or, without a word, closes a block; a fence within a line is text, for rules may speak of it."""


def _block(reply: str, name: str, *, whole: bool = False) -> list[str] | None:
    """Lines of the last fenced block of that name; a block without a name will do when there is no other.

    With ``whole`` a block that nothing closes does not count: the reply was cut off in it.
    """
    found: dict[str, list[str]] = {}
    word: str | None = None
    lines: list[str] = []
    for line in reply.split("\n"):
        fence = _FENCE.fullmatch(line)
        if fence and word is None:
            word, lines = fence[1].lower(), []
        elif fence and fence[1].lower() == name:  # the block before it was never closed
            word, lines = name, []
        elif word is not None and line.strip() == "```":
            found[word] = lines
            word = None
        elif word is not None and line.strip():
            lines.append(line.strip())
    if word is not None and not whole:
        found[word] = lines
    return found.get(name, found.get(""))


def _kind(text: str, fragment: Fragment) -> str:
    word = text.strip().lower()
    if word in RULE_KINDS:
        return word
    return "performance" if fragment == "performance" else "semantic"


def read_insights(reply: str, task: str, fragment: Fragment) -> list[Insight]:
    """Insights of an extract answer; none when it says so or has no block."""
    found = []
    for line in _block(reply, "insights") or []:
        match = re.fullmatch(r"[-*]\s*\[(\w+)\]\s*(.+)", line)
        if match:
            found.append(Insight(_kind(match[1], fragment), _one_line(match[2]), task))
    return found[:MAX_INSIGHTS]


def read_rules(
    reply: str, rules: Sequence[Rule], insights: Sequence[Insight], fragment: Fragment, *, first_id: int
) -> list[Rule] | None:
    """The fragment as a merge answer wants it; None when the answer has no whole block, so that nothing changes.

    A rule that is not repeated is dropped, so half a block would drop rules that the teacher wanted to keep. New rules
    get ids from ``first_id`` on; a rule that comes twice keeps its first wording.
    """
    lines = _block(reply, "rules", whole=True)
    if lines is None:
        return None
    by_id = {rule.id: rule for rule in rules}
    found: list[Rule] = []
    next_id = first_id
    for line in lines:
        match = _RULE_LINE.fullmatch(line)
        if not match:
            continue
        text, kind = _one_line(match[3]), _kind(match[2], fragment)
        numbers = [int(n) for n in re.findall(r"\d+", match[4] or "")]
        sources = tuple(dict.fromkeys(insights[n - 1].task for n in numbers if 0 < n <= len(insights)))
        name = match[1].upper()
        if name in by_id:
            old = by_id.pop(name)
            merged = tuple(dict.fromkeys((*old.sources, *sources)))
            found.append(Rule(text, kind, merged, old.id, old.helped, old.harmed))
        elif name == "NEW":
            found.append(Rule(text, kind, sources, f"R{next_id}"))
            next_id += 1
    return found


def changes_between(old: Sequence[Rule], new: Sequence[Rule]) -> list[Change]:
    """What a proposal changes, line by line."""
    before, after = {r.id: r for r in old}, {r.id: r for r in new}
    changes = [Change("drop", rule, None) for rule in old if rule.id not in after]
    for rule in new:
        previous = before.get(rule.id)
        if previous is None:
            changes.append(Change("add", None, rule))
        elif previous.text != rule.text:
            changes.append(Change("change", previous, rule))
    return changes


def read_decisions(reply: str, count: int) -> list[Decision]:
    """A decision for each change; what the answer does not mention is refused: nothing unread goes in."""
    decisions = {i: Decision(False, "the review did not mention it") for i in range(1, count + 1)}
    for line in _block(reply, "decisions") or []:
        match = re.fullmatch(r"[-*]?\s*(apply|refuse)\s+(\d+)\.?\s*:?\s*(.*)", line, re.IGNORECASE)
        if match and int(match[2]) in decisions:
            decisions[int(match[2])] = Decision(match[1].lower() == "apply", _one_line(match[3]) if match[3] else "")
    return list(decisions.values())


def apply_changes(old: Sequence[Rule], changes: Sequence[Change], decisions: Sequence[Decision]) -> list[Rule]:
    """The rules after the changes that were let through."""
    rules = {rule.id: rule for rule in old}
    for change, decision in zip(changes, decisions, strict=True):
        if not decision.apply:
            continue
        if change.action == "drop":
            assert change.old is not None
            rules.pop(change.old.id, None)
        else:
            assert change.new is not None
            rules[change.new.id] = change.new
    return list(rules.values())


def _one_line(text: str) -> str:
    # half a surrogate pair, as a cut reply may hold, can be written to no file
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= MAX_RULE_CHARS else line[: MAX_RULE_CHARS - 3] + "..."
