"""Tasks on disk: ``NAME.c`` beside ``NAME.yaml`` (docs/tasks.md). Reads files, runs nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .entries import check_external, check_inputs, check_unreachable
from .errors import ConfigError

SPLITS = ("train", "valid", "test")
_KEYS: dict[str, type] = {
    "function": str,
    "level": str,
    "category": str,
    "split": str,
    "vectorizable": str,
    "summary": str,
    "observe": list,
    "inputs": dict,
    "cases": list,
    "externals": dict,
    "input_free": bool,
    "vectors": list,
    "provenance": str,
    "features": list,
    "memory": list,
    "edges": list,
    "draw": str,
    "unreachable": list,
}
_REQUIRED = ("function", "level", "split")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Task:
    """One task. Everything is as in the YAML; the C is read when its signature is needed."""

    id: str
    """Unique in a run: the file's stem, or ``folder/stem`` when two suites share a name."""
    suite: str
    """``bundled`` or the folder the user gave."""
    c_path: Path
    function: str
    level: str
    split: str
    category: str = ""
    vectorizable: str = ""
    summary: str = ""
    observe: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Mapping[str, Any], ...] = ()
    externals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    input_free: bool = False
    vectors: tuple[int, ...] = ()
    """Numbers of random vectors that belong to the fixed stage, since they show what others do not."""
    provenance: str = ""
    features: tuple[str, ...] = ()
    """What the function exercises, in the words of docs/tasks.md."""
    memory: tuple[str, ...] = ()
    """C declarations of further objects that pointers may point into."""
    edges: tuple[str, ...] = ()
    """Situations that the fixed stage goes through, for ``draw``."""
    draw: str = ""
    """Body of a Python function that returns the values of one vector."""
    unreachable: tuple[Mapping[str, Any], ...] = ()
    """Branches that no input can reach, each with the reason."""
    yaml_digest: str = ""
    """sha256 of the YAML text, so that caches notice a change of inputs."""

    @property
    def name(self) -> str:
        """The file's stem."""
        return self.c_path.stem

    @property
    def yaml_path(self) -> Path:
        return self.c_path.with_suffix(".yaml")

    def digest(self) -> str:
        """sha256 over C and YAML: names this version of the task."""
        return hashlib.sha256(self.c_path.read_bytes() + self.yaml_digest.encode()).hexdigest()


def load_task(yaml_path: Path, *, suite: str = "bundled") -> Task:
    """Read one task. Raises ConfigError naming the file, the key and the mend."""
    try:
        text = yaml_path.read_text(encoding="utf-8")
        raw = yaml.load(text, Loader=_Loader)
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{yaml_path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{yaml_path}:{mark.line + 1}" if mark else str(yaml_path)
        raise ConfigError(f"{where}: not valid YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{yaml_path}: expected keys such as function, level, split; see docs/tasks.md")
    for key, value in raw.items():
        if key not in _KEYS:
            raise ConfigError(f"{yaml_path}: unknown key {key!r}. Known: {', '.join(_KEYS)}.")
        if not isinstance(value, _KEYS[key]):
            raise ConfigError(f"{yaml_path}: {key} must be a {_KEYS[key].__name__}, not {value!r}")
    for key in _REQUIRED:
        if key not in raw:
            raise ConfigError(f"{yaml_path}: {key} is missing; add `{key}: ...`")
    if raw["split"] not in SPLITS:
        raise ConfigError(f"{yaml_path}: split {raw['split']!r} is none of {', '.join(SPLITS)}")
    if not all(isinstance(case, dict) for case in raw.get("cases", [])):
        raise ConfigError(f"{yaml_path}: cases must be a list of input entries by name; see docs/tasks.md")
    if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in raw.get("vectors", [])):
        raise ConfigError(f"{yaml_path}: vectors must be a list of numbers of random vectors, such as [17, 402]")
    for key in ("features", "memory", "edges", "observe"):
        if not all(isinstance(v, str) and v for v in raw.get(key, [])):
            raise ConfigError(f"{yaml_path}: {key} must be a list of words, not {raw[key]!r}")
    if raw.get("edges") and not raw.get("draw"):
        raise ConfigError(f"{yaml_path}: edges are for `draw`, which is missing")
    if raw.get("draw") and raw.get("cases"):
        raise ConfigError(f"{yaml_path}: cases and draw exclude each other; let `draw` pick the case")
    check_unreachable(f"{yaml_path}: unreachable", raw.get("unreachable", []))
    check_inputs(f"{yaml_path}: inputs", raw.get("inputs", {}))
    for i, case in enumerate(raw.get("cases", [])):
        check_inputs(f"{yaml_path}: cases[{i}]", {k: v for k, v in case.items() if k != "name"})
    for name, external in raw.get("externals", {}).items():
        check_external(f"{yaml_path}: externals.{name}", external)
    c_path = yaml_path.with_suffix(".c")
    if not c_path.is_file():
        raise ConfigError(f"{yaml_path}: {c_path.name} is missing beside it; a task is NAME.c and NAME.yaml")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return Task(
        id=yaml_path.stem,
        suite=suite,
        c_path=c_path,
        yaml_digest=hashlib.sha256(text.encode()).hexdigest(),
        **values,
    )


def load_suite(folder: Path, *, suite: str) -> list[Task]:
    """All tasks below ``folder``, sorted by level and name. Raises ConfigError when there are none."""
    if not folder.is_dir():
        raise ConfigError(f"suite {suite}: {folder} is not a folder")
    # prompts.yaml and the like may lie in a user's folder; a task is a YAML with its C beside it, or a C with its YAML
    files = sorted(p for p in folder.rglob("*.yaml") if p.with_suffix(".c").exists() or _looks_like_task(p))
    tasks = [load_task(p, suite=suite) for p in files]
    for lone in sorted(folder.rglob("*.c")):
        if not lone.with_suffix(".yaml").exists():
            raise ConfigError(f"{lone}: {lone.stem}.yaml is missing beside it; a task is NAME.c and NAME.yaml")
    if not tasks:
        raise ConfigError(f"suite {suite}: no task (NAME.c with NAME.yaml) in {folder}")
    return tasks


def _looks_like_task(path: Path) -> bool:
    return "function:" in path.read_text(errors="replace")


def bundled_folder() -> Path:
    """The bundled tasks: ``tasks/`` of the checkout, else the copy in the installed package."""
    package = Path(__file__).parent
    inside = package / "bundled" / "tasks"
    return inside if inside.is_dir() else package.parent / "tasks"


def load_suites(suites: Sequence[str]) -> list[Task]:
    """Tasks of several suites; no suite means the bundled ones. Ids are made unique across suites."""
    tasks: list[Task] = []
    for text in suites or ("bundled",):
        if text == "bundled" or text.startswith("bundled:"):
            folder = bundled_folder()
            level = text.partition(":")[2]
            if level:
                if not (folder / level).is_dir():
                    known = ", ".join(f"bundled:{p.name}" for p in sorted(folder.iterdir()) if any(p.glob("*.yaml")))
                    raise ConfigError(f"--nc-suite={text}: no such level. Known: {known}.")
                folder /= level
            tasks += load_suite(folder, suite="bundled")
        else:
            tasks += load_suite(Path(text).expanduser().resolve(), suite=text)
    return _with_unique_ids(tasks)


def _with_unique_ids(tasks: Iterable[Task]) -> list[Task]:
    by_name: dict[str, list[Task]] = {}
    for task in tasks:
        by_name.setdefault(task.name, []).append(task)
    unique = []
    for name, same in by_name.items():
        for task in same:
            parent = task.c_path.parent.name
            unique.append(task if len(same) == 1 else _renamed(task, f"{parent}/{name}"))
    ids = Counter(t.id for t in unique)
    for task in unique:
        if ids[task.id] > 1:
            raise ConfigError(f"{task.yaml_path}: another task is also called {task.id}; rename one")
    return sorted(unique, key=lambda t: (t.level, t.id))


def _renamed(task: Task, new: str) -> Task:
    return Task(**{**task.__dict__, "id": new})


def select(tasks: Sequence[Task], *, levels: Sequence[str], splits: Sequence[str]) -> list[Task]:
    """The tasks of the levels and splits named; an empty sequence means all. Raises ConfigError on unknown names."""
    known_levels = sorted({t.level for t in tasks})
    for level in levels:
        if level not in known_levels:
            raise ConfigError(f"--nc-level={level}: no task has this level. Known: {', '.join(known_levels)}.")
    for split in splits:
        if split not in SPLITS:
            raise ConfigError(f"--nc-split={split}: unknown split. Known: {', '.join(SPLITS)}.")
    return [t for t in tasks if (not levels or t.level in levels) and (not splits or t.split in splits)]
