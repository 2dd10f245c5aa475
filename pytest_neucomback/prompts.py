"""Prompts: YAML files with templates and rules, rendered into messages. Reads files, asks nobody.

A prompt file has ``system``, ``initial``, ``debug`` and ``optimise`` templates and two lists of rules. A learned
prompt names a ``parent`` whose templates it takes and brings rules of its own. ``${name}`` is filled in, all else is
text; an unknown name is an error when the file is read, not when a model is asked.
"""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .arches import Arch, load_arches
from .errors import ConfigError
from .glue import RUNTIME
from .tasks import Task
from .types import Message

_COMMON = frozenset(
    {"arch_title", "triple", "march", "syntax", "source_kind", "source_language", "source", "function", "abi_facts",
     "task_facts", "rules"}
)  # fmt: skip
PLACEHOLDERS: Mapping[str, frozenset[str]] = {
    "system": frozenset({"arch_title", "triple", "march", "syntax"}),
    "initial": _COMMON,
    "debug": frozenset({"outcome", "diagnostic", "rules", "function", "arch_title", "syntax", "abi_facts"}),
    "optimise": _COMMON | {"assembly", "measurement", "reference"},
}
"""Names each template may use."""
REQUIRED: Mapping[str, frozenset[str]] = {
    "initial": frozenset({"source", "function", "rules"}),
    "debug": frozenset({"diagnostic", "rules"}),
    "optimise": frozenset({"assembly", "rules"}),
}
RULE_KINDS = ("formatting", "syntactic", "semantic", "performance")
_KEYS = {"name", "description", "parent", *PLACEHOLDERS, "correctness_rules", "performance_rules", "provenance"}


@dataclass(frozen=True)
class Rule:
    """One learned rule."""

    text: str
    kind: str = "semantic"
    """One of formatting, syntactic, semantic, performance (the paper's table 7)."""
    sources: tuple[str, ...] = ()
    """Ids of the trajectories it was learned from."""
    id: str = ""
    """``R3``; stays when the rule is reworded."""
    helped: int = 0
    """Tasks that a proposal with this rule in it won, as far as a gate looked."""
    harmed: int = 0


@dataclass(frozen=True)
class Prompt:
    """Templates and rules."""

    label: str
    """As the user named it; part of item ids."""
    templates: Mapping[str, str]
    correctness_rules: tuple[Rule, ...] = ()
    performance_rules: tuple[Rule, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All of them: those for correctness, then those for performance."""
        return (*self.correctness_rules, *self.performance_rules)

    def digest(self) -> str:
        """sha256 of everything a model gets to see of it."""
        rules = "\n".join(r.text for r in self.correctness_rules)
        if self.performance_rules:  # apart: a rule reads differently in the other list
            rules += "\0" + "\n".join(r.text for r in self.performance_rules)
        return hashlib.sha256("\0".join([*(self.templates[k] for k in PLACEHOLDERS), rules]).encode()).hexdigest()

    def rules_text(self, *, performance: bool) -> str:
        """The learned rules as a section of the prompt, or an empty string."""
        sections = [("Rules for correct assembly:", self.correctness_rules)]
        if performance:
            sections.append(("Rules for fast assembly:", self.performance_rules))
        parts = [f"\n{title}\n" + "\n".join(f"- {r.text}" for r in rules) + "\n" for title, rules in sections if rules]
        return "".join(parts)

    def render(self, template: str, values: Mapping[str, str]) -> str:
        """A template filled in; blank lines left by empty values are closed up."""
        return closed_up(string.Template(self.templates[template]).substitute(values)).strip() + "\n"


def closed_up(text: str) -> str:
    """A text without more than one blank line in a row, as messages have it."""
    return re.sub(r"\n{3,}", "\n\n", text)


@dataclass(frozen=True)
class Conversation:
    """What is the same in every message about one task on one arch under one prompt."""

    prompt: Prompt
    values: Mapping[str, str]

    def opening(self) -> tuple[Message, ...]:
        """The first request."""
        return (*self._system(), self._user("initial", rules=self.prompt.rules_text(performance=True)))

    def debug(self, history: Sequence[Message], reply: str, outcome: str, diagnostic: str) -> tuple[Message, ...]:
        """The request of a self-debug round: all that was said so far, the reply, and what is wrong with it."""
        values = {"outcome": outcome.replace("_", " "), "diagnostic": diagnostic}
        asked = self._user("debug", rules=self.prompt.rules_text(performance=False), **values)
        return (*history, {"role": "assistant", "content": reply or "(empty reply)"}, asked)

    def optimise(self, assembly: str, measurement: str, reference: str) -> tuple[Message, ...]:
        """The request of an optimisation round: a fresh conversation about the best correct candidate."""
        values = {"assembly": assembly.rstrip(), "measurement": measurement, "reference": reference}
        return (*self._system(), self._user("optimise", rules=self.prompt.rules_text(performance=True), **values))

    def _system(self) -> tuple[Message, ...]:
        text = self.prompt.render("system", self.values).strip()
        return ({"role": "system", "content": text},) if text else ()

    def _user(self, template: str, **more: str) -> Message:
        return {"role": "user", "content": self.prompt.render(template, {**self.values, **more})}


def converse(prompt: Prompt, task: Task, arch: Arch, *, march: str, source: str, source_kind: str) -> Conversation:
    """A conversation about a task; ``source`` is what the model reads, of kind ``c`` or ``ir-O0`` … ``ir-O3``."""
    is_c = source_kind == "c"
    values = {
        "arch_title": arch.title,
        "triple": arch.triple,
        "march": march,
        "syntax": arch.syntax,
        "source_kind": "C function" if is_c else f"LLVM IR (made with -{source_kind.removeprefix('ir-')})",
        "source_language": "c" if is_c else "llvm",
        "source": source.strip(),
        "function": task.function,
        "abi_facts": arch.abi_facts.strip(),
        "task_facts": _task_facts(task),
    }
    return Conversation(prompt, values)


def _task_facts(task: Task) -> str:
    callable_ = sorted({*task.externals, *RUNTIME})
    return (
        "- Global variables belong to the caller: refer to them by name, define none of them. Constants of your own go "
        "into .rodata.\n"
        f"- It may call {', '.join(callable_)} and nothing else."
    )


# --- finding and reading ------------------------------------------------------------------------------------------


def bundled_folder() -> Path:
    """The bundled prompts: ``prompts/`` of the checkout, else the copy in the installed package."""
    package = Path(__file__).parent
    inside = package / "bundled" / "prompts"
    return inside if inside.is_dir() else package.parent / "prompts"


def load_prompt(label: str, *, model: str, arch: str, level: str, project: Path) -> Prompt:
    """The prompt a user named.

    ``learned`` is the stored winner for model, arch and level; ``learned:ARCH/LEVEL/MODEL`` another's; a name is a file
    of the project's ``prompts/`` or of the bundled ones, NAME.yaml or else NAME-ARCH.yaml; anything else is a path.
    Raises ConfigError.
    """
    if label == "learned" or label.startswith("learned:"):
        where = label.partition(":")[2] or f"{arch}/{level}/{model}"
        path = learned_path(where, project)
        if path is None:
            raise ConfigError(
                f"--nc-prompt={label}: no learned prompt is stored for {where} (looked for "
                f"prompts/learned/{safe_path(where)}.yaml in {project} and among the bundled ones)"
            )
        return read_prompt(path, label=label, project=project)
    # Rules about one instruction set are no use to another, so that a name may stand for a file for each.
    for name in (label, f"{label}-{arch}") if re.fullmatch(r"[\w.-]+", label) else ():
        for folder in (project / "prompts", bundled_folder()):
            if (folder / f"{name}.yaml").is_file():
                return read_prompt(folder / f"{name}.yaml", label=label, project=project)
    path = Path(label).expanduser()
    if path.is_file():
        return read_prompt(path, label=label, project=project)
    others = tuple(f"-{other}" for other in load_arches() if other != arch)
    stems = [p.stem for p in bundled_folder().glob("*.yaml")]
    known = sorted({stem.removesuffix(f"-{arch}") for stem in stems if not stem.endswith(others)})
    raise ConfigError(
        f"--nc-prompt={label}: no such prompt. Known: {', '.join(known)}, learned, or the path of a file."
    )


def safe_path(where: str) -> str:
    return "/".join(re.sub(r"[^\w.+-]", "_", part) for part in where.split("/", 2))


def learned_path(where: str, project: Path) -> Path | None:
    """The file of a learned prompt, ``ARCH/LEVEL/MODEL``, in the project or among the bundled ones."""
    candidates = [folder / "learned" / f"{safe_path(where)}.yaml" for folder in (project / "prompts", bundled_folder())]
    return next((c for c in candidates if c.is_file()), None)


def read_prompt(path: Path, *, label: str, project: Path, depth: int = 0) -> Prompt:
    """Read a prompt file. Raises ConfigError naming file and key."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: expected a prompt file with keys such as initial, debug, optimise")
    if unknown := sorted(set(raw) - _KEYS, key=str):
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}. Known: {', '.join(sorted(_KEYS))}.")
    templates: dict[str, str] = {}
    if "parent" in raw:
        if depth > 4:
            raise ConfigError(f"{path}: parents form a loop")
        named = [folder / f"{raw['parent']}.yaml" for folder in (path.parent, project / "prompts", bundled_folder())]
        parent = next((p for p in named if p.is_file() and p != path), None)
        if parent is None:
            raise ConfigError(f"{path}: parent {raw['parent']!r} is not found")
        templates.update(read_prompt(parent, label=label, project=project, depth=depth + 1).templates)
    for name, allowed in PLACEHOLDERS.items():
        if name in raw:
            templates[name] = checked_template(path, name, raw[name], allowed, REQUIRED.get(name, frozenset()))
        elif name not in templates:
            raise ConfigError(f"{path}: {name} is missing; add it or name a `parent:` to take it from")
    provenance = raw.get("provenance") or {}
    if not isinstance(provenance, dict):
        raise ConfigError(f"{path}: provenance must be a mapping, not {provenance!r}")
    return Prompt(
        label=label,
        templates=templates,
        correctness_rules=_rules(path, "correctness_rules", raw.get("correctness_rules") or []),
        performance_rules=_rules(path, "performance_rules", raw.get("performance_rules") or []),
        provenance=provenance,
        path=path,
    )


def checked_template(
    path: Path, name: str, text: Any, allowed: frozenset[str], required: frozenset[str], *, reader: str = "model"
) -> str:
    """The text of a template. Raises ConfigError for placeholders that nobody fills, or that the reader would miss."""
    if not isinstance(text, str):
        raise ConfigError(f"{path}: {name} must be text")
    template = string.Template(text)
    if not template.is_valid():
        raise ConfigError(f"{path}: {name}: a lone $ or a broken ${{...}}; write $$ for a dollar sign")
    used = set(template.get_identifiers())
    if unknown := sorted(used - allowed):
        raise ConfigError(f"{path}: {name}: unknown ${{{unknown[0]}}}. Known: {', '.join(sorted(allowed))}.")
    if missing := sorted(required - used):
        raise ConfigError(f"{path}: {name}: ${{{missing[0]}}} is missing; the {reader} would never see it")
    return text


def _rules(path: Path, key: str, raw: Any) -> tuple[Rule, ...]:
    rules = []
    for entry in raw if isinstance(raw, list) else [None]:
        if isinstance(entry, str):
            rules.append(Rule(entry, "performance" if key.startswith("performance") else "semantic"))
        elif isinstance(entry, dict) and isinstance(entry.get("text"), str):
            kind = entry.get("kind", "semantic")
            if kind not in RULE_KINDS:
                raise ConfigError(f"{path}: {key}: kind {kind!r} is none of {', '.join(RULE_KINDS)}")
            sources = entry.get("sources") or []
            if not isinstance(sources, list):
                raise ConfigError(f"{path}: {key}: sources must be a list, not {sources!r}")
            counts = [entry.get(name, 0) for name in ("helped", "harmed")]
            if not all(isinstance(c, int) and c >= 0 for c in counts):
                raise ConfigError(f"{path}: {key}: helped and harmed must be whole numbers, not {counts!r}")
            sourced = tuple(str(s) for s in sources)
            rules.append(Rule(entry["text"], kind, sourced, str(entry.get("id", "")), counts[0], counts[1]))
        else:
            raise ConfigError(f"{path}: {key} must be a list of texts or of {{text, kind, sources}}")
    return tuple(rules)
