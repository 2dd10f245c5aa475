"""Learned prompts on disk: ``prompts/learned/ARCH/LEVEL/MODEL.yaml``, and the versions that came before.

A stored prompt is an ordinary prompt file with a ``parent`` for its templates; its provenance says how it came about.
When a new winner is stored the old file moves to ``history/`` beside it, numbered.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .atomic import replace_file
from .errors import ConfigError, NeucombackError
from .prompts import Prompt, Rule, bundled_folder, learned_path, read_prompt, safe_path

HISTORY = "history"


@dataclass(frozen=True)
class Stored:
    """One learned prompt."""

    where: str
    """``ARCH/LEVEL/MODEL``."""
    path: Path
    prompt: Prompt


def prompt_yaml(prompt: Prompt, *, name: str, description: str, parent: str, provenance: Mapping[str, Any]) -> str:
    """The text of a prompt file."""

    def rules(some: Sequence[Rule]) -> list[dict[str, Any]]:
        return [
            {
                "id": r.id, "kind": r.kind, "text": r.text, "sources": list(r.sources), "helped": r.helped,
                "harmed": r.harmed,
            }
            for r in some
        ]  # fmt: skip

    data = {
        "name": name,
        "description": description,
        "parent": parent,
        "correctness_rules": rules(prompt.correctness_rules),
        "performance_rules": rules(prompt.performance_rules),
        "provenance": dict(provenance),
    }
    return _dumped(data)


def store(where: str, text: str, project: Path) -> Path:
    """Write a winner; an earlier one is kept in ``history/``. Raises NeucombackError when the disk does not take it."""
    path = project / "prompts" / "learned" / f"{safe_path(where)}.yaml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            if path.read_text(encoding="utf-8") == text:
                return path
            earlier = path.parent / HISTORY
            earlier.mkdir(exist_ok=True)
            last = max((number for number, _ in _numbered(path)), default=0)
            path.rename(earlier / f"{path.stem}-{last + 1}.yaml")
        replace_file(path, text.encode())
    except OSError as error:
        raise NeucombackError(f"{path} cannot be written ({error.strerror})") from error
    return path


def stored(project: Path) -> Iterator[Stored]:
    """All learned prompts of a project and the bundled ones; the project's come first and hide bundled twins."""
    seen = set[str]()
    for folder in (project / "prompts", bundled_folder()):
        for path in sorted((folder / "learned").rglob("*.yaml")):
            where = path.relative_to(folder / "learned").with_suffix("").as_posix()
            if path.parent.name == HISTORY or where in seen:
                continue
            seen.add(where)
            yield Stored(where, path, read_prompt(path, label=where, project=project))


def find(where: str, project: Path) -> Stored:
    """One learned prompt by ``ARCH/LEVEL/MODEL`` (or an unambiguous part of it), or any prompt by name or path.

    ``#2`` behind it names an earlier version, as ``versions`` numbers them. Raises ConfigError, listing what there is.
    """
    if match := re.fullmatch(r"(.+?)\s*#(\d+)", where):
        last = find(match[1], project)
        named = f"{last.where} #{match[2]}"
        for one in versions(last, project):
            if one.where == named:
                return one
        raise ConfigError(f"no earlier version {named}; neucomback prompts history lists what there is")
    if path := learned_path(where, project):
        return Stored(where, path, read_prompt(path, label=where, project=project))
    for candidate in (Path(where), project / "prompts" / f"{where}.yaml", bundled_folder() / f"{where}.yaml"):
        if candidate.is_file():
            return Stored(where, candidate, read_prompt(candidate, label=where, project=project))
    known = list(stored(project))
    matching = [s for s in known if safe_path(where) in s.where]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(s.where for s in matching or known) or "none yet; pytest --nc-learn-prompt makes them"
    raise ConfigError(f"no learned prompt {where!r}. Stored: {names}.")


def versions(found: Stored, project: Path) -> list[Stored]:
    """The earlier versions of a learned prompt, oldest first, then itself."""
    earlier = [
        Stored(f"{found.where} #{n}", p, read_prompt(p, label=found.where, project=project))
        for n, p in _numbered(found.path)
    ]
    return [*earlier, found]


def _numbered(path: Path) -> list[tuple[int, Path]]:
    """Earlier versions of a file with their numbers, in order."""
    # the whole stem: gpt-5-1 is also the first version of gpt-5, but gpt-5-1-1 is no version of it
    pattern = re.compile(rf"{re.escape(path.stem)}-(\d+)")
    found = [(p, pattern.fullmatch(p.stem)) for p in (path.parent / HISTORY).glob("*.yaml")]
    return sorted((int(match[1]), p) for p, match in found if match)


def rules_text(prompt: Prompt) -> str:
    """All rules, a line each, as ``show`` prints them and ``diff`` compares them."""
    lines = []
    for title, rules in (("correctness", prompt.correctness_rules), ("performance", prompt.performance_rules)):
        lines += [f"{title}:", *(f"  [{r.kind}] {r.text}" for r in rules)] if rules else [f"{title}: no rules"]
    return "\n".join(lines) + "\n"


def diff(one: Stored, other: Stored) -> str:
    """The rules of two prompts, compared line by line."""
    a, b = (rules_text(s.prompt).splitlines(keepends=True) for s in (one, other))
    return "".join(difflib.unified_diff(a, b, one.where, other.where, n=1)) or "the rules are the same\n"


def export_yaml(found: Stored) -> str:
    """A prompt as one file with all its templates, for a project that does not have its parent."""
    text = prompt_yaml(
        found.prompt, name=Path(found.where).name, description=f"Exported from {found.where}.", parent="",
        provenance=found.prompt.provenance,
    )  # fmt: skip
    return without_parent(text, found.prompt.templates)


def without_parent(text: str, templates: Mapping[str, str]) -> str:
    """A prompt file's text with templates of its own instead of a parent."""
    data = yaml.safe_load(text)
    del data["parent"]
    return _dumped({**data, **templates})


def _dumped(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=116)
