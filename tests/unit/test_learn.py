"""The course of learning, over a bench whose student makes known mistakes and whose teacher states the cure."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback.errors import BudgetSpent, ModelUnavailable
from pytest_neucomback.learn import (
    Answer,
    Learned,
    Learner,
    LearnSettings,
    Score,
    Standing,
    Trial,
    alike,
    leak,
    numbered,
    score_of,
)
from pytest_neucomback.ledger import Ledger
from pytest_neucomback.options import LEARN_EXTENSIONS
from pytest_neucomback.prompts import Prompt, Rule
from pytest_neucomback.teacher import TeacherPrompt
from pytest_neucomback.types import Message

TEMPLATES = {"system": "${syntax}", "initial": "${source}", "debug": "${diagnostic}", "optimise": "${assembly}"}
BASE = Prompt("baseline", TEMPLATES)
TEACHER = TeacherPrompt(
    {
        "system": "Teach.",
        "extract": "EXTRACT ${ending}\n${trajectory}",
        "extract_speed": "SPEED\n${trajectory}",
        "merge": "MERGE ${topic}\nRULES\n${rules}\nINSIGHTS\n${insights}",
        "review": "REVIEW ${topic}\n${rules}\nCHANGES\n${changes}",
    },
    {},
    "digest",
)
MISTAKES = {"t1": "stack", "t2": "flags", "t3": "", "t4": "carry", "v1": "stack", "v2": "flags", "v3": ""}
"""By task the mistake that the student makes in it until a rule says `avoid` and its name."""
TRAIN, VALID = ("t1", "t2", "t3", "t4"), ("v1", "v2", "v3")
RULE = "Always avoid {} when writing code."
ALL = frozenset(LEARN_EXTENSIONS)


class Killed(BaseException):
    """The process is gone."""


def block(name: str, *lines: str) -> str:
    return "Some thoughts.\n\n```{}\n{}\n```\n".format(name, "\n".join(lines))


class World:
    """A bench: a student that can be told, a teacher that tells. Everything that is asked is noted."""

    def __init__(self, mistakes: Mapping[str, str] = MISTAKES) -> None:
        self.mistakes = dict(mistakes)
        self.hard: set[str] = set()
        """Tasks whose mistake self-debugging does not mend."""
        self.breaks: dict[str, set[str]] = {}
        """By a word in a rule the tasks that fail because of it."""
        self.cures: dict[str, str] = {}
        """By mistake the teacher's insight, where it is not the one that helps."""
        self.replies: dict[str, Callable[[str], str]] = {}
        """By MERGE, REVIEW and so on what the teacher says instead."""
        self.sources: dict[str, str] = {}
        self.timed = False
        self.asked: list[str] = []
        self.tried: Counter[str] = Counter()
        self.sourced: set[str] = set()
        self.requests: list[str] = []
        """What the teacher was asked."""
        self.left: int | None = None
        """Answers until the end of the process."""
        self.ending: BaseException = Killed()

    def _answer(self, name: str) -> None:
        if self.left is not None:
            if not self.left:
                raise self.ending
            self.left -= 1
        self.asked.append(name)

    async def trial(self, task: str, prompt: Prompt, *, opt_rounds: int) -> Trial:
        await asyncio.sleep(0)
        self._answer(json.dumps(self.trial_key(task, prompt, opt_rounds=opt_rounds)))
        self.tried[task] += 1
        rules = [r.text for r in (*prompt.correctness_rules, *prompt.performance_rules)]
        if any(word in rule and task in tasks for word, tasks in self.breaks.items() for rule in rules):
            return Trial(task, "crashed", "crashed", 2, None, (self._round("generate", "crashed", "broken"),), 100, 10)
        mistake = self.mistakes[task]
        erred = bool(mistake) and not any(f"avoid {mistake}" in rule for rule in rules)
        rounds = [self._round("generate", "wrong_output" if erred else "correct", mistake if erred else "")]
        outcome = "correct"
        if erred:
            outcome = "wrong_output" if task in self.hard else "correct"
            rounds.append(self._round("debug", outcome, ""))
        faster = None
        if self.timed and outcome == "correct":
            fast = any("vector" in rule for rule in rules)
            faster = fast or opt_rounds > 0
            rounds += [self._round("optimise", "correct", "", "speed-up 1.20, faster")] * opt_rounds
        return Trial(task, outcome, rounds[0]["outcome"], int(erred), faster, tuple(rounds), 100 * len(rounds), 10, 0.5)

    @staticmethod
    def _round(kind: str, outcome: str, mistake: str, measured: str = "") -> dict[str, Any]:
        diagnostic = f"mistake <{mistake}>" if mistake else ""
        return {
            "kind": kind, "outcome": outcome, "diagnostic": diagnostic, "assembly": f"code of {kind}", "reply": "",
            "measured": measured,
        }  # fmt: skip

    async def teach(self, messages: tuple[Message, ...]) -> Answer:
        await asyncio.sleep(0)
        text = messages[-1]["content"]
        self._answer(text)
        self.requests.append(text)
        kind = text.split()[0]
        return Answer(self.replies.get(kind, getattr(self, f"_{kind.lower()}"))(text), 7, 3, 0.25)

    def _extract(self, text: str) -> str:
        cures = (self.cures.get(m, RULE.format(m)) for m in re.findall(r"mistake <(\w+)>", text))
        return block("insights", *(f"- [semantic] {cure}" for cure in cures))

    def _speed(self, text: str) -> str:
        return block("insights", "- [performance] Use vector code.")

    def _merge(self, text: str) -> str:
        rules = re.findall(r"(?m)^(R\d+ \[\w+\] .+)$", text)
        insights = dict[str, list[str]]()
        for number, kind, insight in re.findall(r"(?m)^I(\d+) \[(\w+)\] (.+) \([\w/]+\)$", text):
            if not any(insight in rule for rule in rules):
                insights.setdefault(f"[{kind}] {insight}", []).append(f"I{number}")
        return block("rules", *(f"- {r}" for r in rules), *(f"- new {i} ({', '.join(n)})" for i, n in insights.items()))

    def _review(self, text: str) -> str:
        return block("decisions", *(f"apply {n}" for n in re.findall(r"(?m)^(\d+)\. ", text.split("CHANGES")[1])))

    def trial_key(self, task: str, prompt: Prompt, *, opt_rounds: int) -> object:
        return [task, prompt.digest(), opt_rounds]

    def teacher_key(self) -> object:
        return "teacher"

    def source(self, task: str) -> str:
        self.sourced.add(task)
        return self.sources.get(task, "")


def learner(
    world: World, folder: Path, *extensions: str, base: Prompt = BASE, noted: Any = lambda _: None, **settings: Any
) -> Learner:
    chosen = LearnSettings(**{"batch": 2, "extensions": frozenset(extensions), **settings})
    train, valid = ([t for t in world.mistakes if t[0] == first] for first in "tv")
    return Learner(world, Ledger(folder), TEACHER, chosen, base=base, train=train, valid=valid, noted=noted)


def learn(world: World, folder: Path, *extensions: str, **more: Any) -> Learned:
    return asyncio.run(learner(world, folder, *extensions, **more).run())


def texts(prompt: Prompt) -> list[str]:
    return [r.text for r in (*prompt.correctness_rules, *prompt.performance_rules)]


def trial(task: str, *, solved: bool = True, rounds: int = 0, faster: bool | None = None) -> Trial:
    return Trial(task, "correct" if solved else "crashed", "correct", rounds, faster, ())


# --- what wins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [(), LEARN_EXTENSIONS], ids=["paper", "all"])
def test_learning_finds_the_rules_that_help(extensions: tuple[str, ...], tmp_path: Path) -> None:
    """Each mistake becomes a rule, and the valid split is solved without self-debug rounds."""
    learned = learn(World(), tmp_path, *extensions)
    winner = learned.winner
    assert {RULE.format(m) for m in ("stack", "flags", "carry")} == set(texts(winner.prompt))
    assert (winner.number, winner.score.correct, winner.score.mean_debug_rounds) == (1, 3, 0.0)
    assert (learned.epochs[0].score.correct, learned.epochs[0].score.mean_debug_rounds) == (3, 2 / 3)


def test_a_tie_goes_to_the_earlier_prompt(tmp_path: Path) -> None:
    """The prompt without rules wins when the rules help on nothing of the valid split."""
    world = World({"t1": "stack", "t2": "flags", "v1": "", "v2": ""})
    learned = learn(world, tmp_path)
    assert len(learned.epochs) == 4
    assert texts(learned.epochs[1].prompt)
    assert learned.winner is learned.epochs[0]


def test_a_prompt_that_gets_worse_later_does_not_win(tmp_path: Path) -> None:
    """Epoch 1 is better than both what comes before and what comes after it."""
    world = World()
    world.hard = {"v1"}

    def merge(text: str) -> str:
        later = any("stack" in line for line in text.split("INSIGHTS")[0].splitlines())
        return block("rules", f"- new [semantic] {'harm everything' if later else RULE.format('stack')}")

    world.replies["MERGE"] = merge
    world.breaks = {"harm": {"v1", "v2"}}
    learned = learn(world, tmp_path, batch=4)
    assert [e.score.correct for e in learned.epochs] == [2, 3, 1, 3]
    assert learned.winner.number == 1


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ([trial("a"), trial("b", rounds=2)], [trial("a"), trial("b", solved=False)]),
        ([trial("a", rounds=2, faster=True)], [trial("a", faster=False)]),
        ([trial("a", faster=True)], [trial("a", rounds=1, faster=True)]),
        ([trial("a", solved=False), trial("b")], [trial("a", solved=False), trial("b", rounds=1)]),
    ],
    ids=["acc before rounds", "acc+perf before rounds", "fewer rounds", "rounds of solved tasks only"],
)
def test_scores_are_ordered(better: list[Trial], worse: list[Trial]) -> None:
    """ACC, then ACC+Perf, then fewer self-debug rounds."""
    assert score_of(better).key() > score_of(worse).key()


def test_a_score_without_solved_tasks_has_no_rounds() -> None:
    """Nothing solved is no mean of zero, and still compares."""
    score = score_of([trial("a", solved=False)])
    assert score == Score(1, 0, None, None, ())
    assert score.key() < score_of([trial("a", rounds=9)]).key()


# --- what the teacher sees and says -----------------------------------------------------------------------------------


def test_only_solved_trajectories_teach_unless_failed_is_on(tmp_path: Path) -> None:
    """The plain method extracts from errors that were mended; `failed` from the others too, and says so."""
    world = World()
    world.hard = {"t1", "v1"}
    assert RULE.format("stack") not in texts(learn(world, tmp_path / "plain").winner.prompt)
    assert not any("not solved" in r for r in world.requests)
    again = World()
    again.hard = {"t1", "v1"}
    assert RULE.format("stack") in texts(learn(again, tmp_path / "failed", "failed").winner.prompt)
    assert sum(r.startswith("EXTRACT not solved") for r in again.requests) == 1


def test_each_extraction_sees_its_own_rounds(tmp_path: Path) -> None:
    """Correctness ends before the first optimisation, speed begins with the candidate that was to be sped up."""
    world = World({"t1": "stack", "v1": ""})
    world.timed = True
    learn(world, tmp_path, epochs=1, opt_rounds=2)
    (correctness,) = (r for r in world.requests if r.startswith("EXTRACT"))
    (speed,) = (r for r in world.requests if r.startswith("SPEED"))
    assert "code of generate" in correctness
    assert "code of debug" in correctness
    assert "optimise" not in correctness
    assert "code of generate" not in speed
    assert speed.index("code of debug") < speed.index("code of optimise")
    assert "speed-up 1.20" in speed


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("MERGE", "I would rather not."),
        ("MERGE", "```rules\n- new [semantic] cut o"),
        ("MERGE", block("rules")),
        ("REVIEW", "Fine by me!"),
        ("REVIEW", block("decisions", "refuse 1: no", "refuse 2: no")),
        ("EXTRACT", block("insights", "none")),
    ],
)
def test_answers_that_change_nothing(kind: str, reply: str, tmp_path: Path) -> None:
    """No block, half a block, nothing applied: the prompt stays as it was, and learning goes on."""
    world = World()
    world.replies[kind] = lambda _: reply
    learned = learn(world, tmp_path, epochs=1)
    assert learned.winner.number == 0
    assert all(not texts(e.prompt) for e in learned.epochs)


def test_review_decides_line_by_line(tmp_path: Path) -> None:
    """What is refused, or not mentioned, stays out; the report says why."""
    world = World({"t1": "stack", "t2": "flags", "t4": "carry", "v1": ""})
    world.replies["REVIEW"] = lambda _: block("decisions", "apply 2", "refuse 1: too special")
    learned = learn(world, tmp_path, epochs=1, batch=3)
    (batch,) = learned.batches
    assert [(d.apply, d.why) for _, d in batch.changes] == [
        (False, "too special"),
        (True, ""),
        (False, "the review did not mention it"),
    ]
    assert texts(learned.epochs[1].prompt) == [str(batch.changes[1][0]).partition("] ")[2]]


# --- rules as records -------------------------------------------------------------------------------------------------


def test_ids_stay_and_sources_are_the_trajectories(tmp_path: Path) -> None:
    """A reworded rule keeps its id and adds sources; ids are never given twice, not even after a refusal."""
    world = World({"t1": "stack", "t2": "flags", "t3": "carry", "v1": ""})
    seen: list[str] = []

    def merge(text: str) -> str:
        seen.append(text)
        if len(seen) == 1:
            return block("rules", "- new [semantic] One way. (I1)", "- new [semantic] Refused one. (I1)")
        if len(seen) == 2:
            return block("rules", "- R1 [semantic] One way, said better. (I1)", "- new [syntactic] Other. (I1, I9)")
        return block("rules", "- R3 [syntactic] Other.", "- R1 [semantic] One way, said better.")

    world.replies["MERGE"] = merge
    world.replies["REVIEW"] = lambda text: block("decisions", "apply 1", "refuse 2" if "Refused" in text else "apply 2")
    rules = learn(world, tmp_path, epochs=1, batch=1).epochs[1].prompt.correctness_rules
    order = [re.findall(r"\((\w+)\)", text)[-1] for text in seen]
    assert [(r.id, r.kind, r.text) for r in rules] == [
        ("R1", "semantic", "One way, said better."),
        ("R3", "syntactic", "Other."),
    ]
    assert [r.sources for r in rules] == [(order[0], order[1]), (order[1],)]


def test_hand_written_rules_get_ids(tmp_path: Path) -> None:
    """A base prompt whose rules have no ids, or the same ones, can be learned on; what a model sees is the same."""
    base = dataclasses.replace(
        BASE, correctness_rules=(Rule("Mind a."), Rule("Mind b.", id="R2"), Rule("Mind c.", id="R2"), Rule("d", id="x"))
    )
    named = numbered(base)
    assert [r.id for r in named.correctness_rules] == ["R1", "R2", "R3", "R4"]
    assert named.digest() == base.digest()
    learned = learn(World(), tmp_path, *LEARN_EXTENSIONS, base=base)
    rules = learned.winner.prompt.correctness_rules
    assert [r.text for r in rules][:4] == ["Mind a.", "Mind b.", "Mind c.", "d"]
    assert len({r.id for r in rules}) == len(rules) == 7


# --- extensions -------------------------------------------------------------------------------------------------------


def test_the_gate_drops_what_loses_and_keeps_what_does_not(tmp_path: Path) -> None:
    """A proposal that breaks a task it came from is dropped whole; without the gate it stays."""
    world = World()
    world.cures = {"flags": "Use harm."}
    world.breaks = {"harm": {"t2", "v1"}}
    gated = learn(world, tmp_path / "gate", "gate", batch=1)
    assert sorted(texts(gated.winner.prompt)) == sorted(RULE.format(m) for m in ("stack", "carry"))
    told = {b.tasks[0]: b.gate for b in gated.batches if b.epoch == 1}
    assert told["t2"] == "dropped: won 0, lost 1, self-debug rounds +0"
    assert told["t1"] == "kept: won 0, lost 0, self-debug rounds -1"
    assert told["t3"] == ""
    plain = World()
    plain.cures, plain.breaks = world.cures, world.breaks
    assert "Use harm." in texts(learn(plain, tmp_path / "plain", batch=1).epochs[1].prompt)


def test_a_proposal_that_loses_is_taken_apart(tmp_path: Path) -> None:
    """With `split`, one harmful rule does not take the good ones of its proposal with it."""
    tasks = {"t1": "stack", "t2": "flags", "t3": "carry", "v1": "stack", "v2": "carry"}
    wholes = []
    for name, extensions in (("whole", ("gate",)), ("split", ("gate", "split"))):
        world = World(tasks)
        world.cures = {"flags": "Use harm."}
        world.breaks = {"harm": {"t1", "t3", "v1"}}
        learned = learn(world, tmp_path / name, *extensions, batch=3, epochs=1)
        (batch,) = learned.batches
        wholes.append((sorted(texts(learned.epochs[1].prompt)), batch.gate))
    (alone, told), (parts, told_parts) = wholes
    assert alone == []
    assert told == "dropped: won 0, lost 2, self-debug rounds +0"
    assert parts == sorted(RULE.format(m) for m in ("stack", "carry"))
    assert told_parts.startswith("split: won 0, lost 2")
    assert "dropped 1 of 3: won 0, lost 2" in told_parts


def test_the_gate_counts_what_rules_won(tmp_path: Path) -> None:
    """Tasks that a kept proposal won are noted with its new rules, and with no others."""
    world = World({"t1": "stack", "t2": "flags", "v1": "stack"})
    world.hard = {"t1"}
    learned = learn(world, tmp_path, "gate", "failed", batch=1, epochs=1)
    counted = {r.text: (r.helped, r.harmed) for r in learned.epochs[1].prompt.correctness_rules}
    assert counted == {RULE.format("stack"): (1, 0), RULE.format("flags"): (0, 0)}


def test_the_gate_judges_speed_by_speed_alone(tmp_path: Path) -> None:
    """Rules for speed that lose a task are dropped though the rules for correctness of the same batch won one."""
    world = World({"t1": "stack", "t2": "", "v1": ""})
    world.timed, world.hard = True, {"t1"}
    world.breaks = {"vector": {"t2"}}
    learned = learn(world, tmp_path, "gate", "failed", epochs=1, opt_rounds=1)
    assert texts(learned.epochs[1].prompt) == [RULE.format("stack")]
    (batch,) = learned.batches
    assert batch.gate.startswith("kept: won 1, lost 0")
    assert "; for speed: dropped: won 0, lost 1" in batch.gate


def test_dedupe_keeps_the_rule_that_was_there(tmp_path: Path) -> None:
    """A new wording of an old rule is dropped, wherever the answer lists it."""
    old = Rule("Keep the stack aligned to 16 bytes before a call.", id="R1")
    twin = "Keep stack aligned to 16 bytes before the call."
    world = World({"t1": "stack", "v1": ""})
    world.replies["MERGE"] = lambda _: block("rules", f"- new [semantic] {twin}", f"- R1 [semantic] {old.text}")
    base = dataclasses.replace(BASE, correctness_rules=(old,))
    learned = learn(world, tmp_path / "on", "dedupe", base=base, epochs=1)
    assert texts(learned.epochs[1].prompt) == [old.text]
    assert learned.batches[0].refused == [f"{twin}: says what R1 says"]
    assert texts(learn(world, tmp_path / "off", base=base, epochs=1).epochs[1].prompt) == [old.text, twin]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Keep the stack aligned.", "keep stack aligned", True),
        ("Restore %rbx before ret.", "Restore %rbp before ret.", False),
        ("Sign-extend 32-bit indices.", "Declare the function with .globl.", False),
        ("Use cmpl for 32-bit values.", "Use cmpq for 32-bit values.", False),
        ("Save %rbx whenever the function that you write does change it.",
         "Save %rbp whenever the function that you write does change it.", False),
        ("Save rbx whenever the function that you write does change it.",
         "Save rbp whenever the function that you write does change it.", False),
        ("Do put your constants into the section that is meant for them.",
         "Do not put your constants into the section that is meant for them.", False),
        ("Put your constants into the section that is meant for them.",
         "Put all constants into the section that is meant for them.", True),
        ("", "", True),
    ],
)  # fmt: skip
def test_rules_that_say_the_same(one: str, other: str, same: bool) -> None:
    """Articles, case and punctuation do not count; a register, a number or a `not` does."""
    assert alike(one, other) is alike(other, one) is same


def test_the_budget_drops_the_least_useful_and_of_equals_the_newest(tmp_path: Path) -> None:
    """Rules that won most stay; the report names the ones that went."""
    rules = tuple(
        Rule(f"{name} " * 20, id=f"R{n}", helped=helped, harmed=harmed)
        for n, (name, helped, harmed) in enumerate([("aaaa", 0, 1), ("bbbb", 2, 0), ("cccc", 0, 0), ("dddd", 0, 0)], 1)
    )
    base = dataclasses.replace(BASE, correctness_rules=rules)
    world = World({"t1": "stack", "v1": ""})
    learned = learn(world, tmp_path, "budget", base=base, epochs=1, rules_chars=250)
    assert [t[:4] for t in texts(learned.epochs[1].prompt)] == ["bbbb", "cccc"]
    assert [t[:4] for t in learned.batches[0].refused] == ["aaaa", "Alwa", "dddd"]
    assert all(t.endswith("beyond the budget of 250 characters") for t in learned.batches[0].refused)
    unlimited = learn(world, tmp_path / "off", base=base, epochs=1, rules_chars=250)
    assert len(texts(unlimited.epochs[1].prompt)) == 5


SOURCE = """void s112(int n) { for (int i = 0; i < 32000; i++) a[i] = b[i] + 7; }
define dso_local void @s112_main(i32 noundef %0) local_unnamed_addr #0 {
  %345 = add nsw i32 %2, -4711
  ret void, !dbg !678
}
"""


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("In s112 the loop is wrong.", "names the task suite/s112"),
        ("`s112_main` returns nothing.", "names the task suite/s112"),
        ("Loops end at 32000.", "holds 32000, a constant of suite/s112"),
        ("Compare with $32000 before the jump.", "holds 32000, a constant of suite/s112"),
        ("Write #32000, not 31999.", "holds 32000, a constant of suite/s112"),
        ("Add -4711 to it.", "holds 4711, a constant of suite/s112"),
        ("Write for (int i = 0; i < n in C.", "holds text of suite/s112"),
        ("Align the stack to 16 bytes, or to 128.", None),
        ("Loops end at 32000.5 at most.", None),
        ("Registers such as %345 are LLVM's; so are 345, 678 and 0.", None),
        ("Use s1121 and xs112.", None),
        ("Pages have 4096 bytes.", None),
    ],
)
def test_what_gives_a_task_away(rule: str, why: str | None) -> None:
    """Names, constants and stretches of the text do; numbers that any program has, and LLVM's own, do not."""
    assert leak(rule, "suite/s112", SOURCE) == why


@pytest.mark.parametrize(
    ("rule", "leaks"),
    [
        ("Use add for addresses.", False),
        ("`add` is special.", True),
        ("Call add() twice.", True),
        ("@add returns.", True),
        ("An address", False),
    ],
)
def test_a_name_that_is_a_word_counts_only_as_code(rule: str, leaks: bool) -> None:
    """A task called `add` must not keep every rule about additions out."""
    assert bool(leak(rule, "add", "")) is leaks


def test_leaking_rules_are_refused(tmp_path: Path) -> None:
    """A new one stays out, a reworded one keeps its old wording; sources are read of train and valid only."""
    base = dataclasses.replace(BASE, correctness_rules=(Rule("Mind the bounds.", id="R1"),))
    world = World()
    world.sources = {"v1": "i < 31999"}
    world.replies["MERGE"] = lambda _: block(
        "rules", "- R1 [semantic] Bounds are 31999.", "- new [semantic] t4 is hard.", "- new [semantic] Fine."
    )
    learned = learn(world, tmp_path, "leak", base=base, epochs=1, batch=4)
    assert texts(learned.epochs[1].prompt) == ["Mind the bounds.", "Fine."]
    assert learned.batches[0].refused == [
        "Bounds are 31999.: holds 31999, a constant of v1",
        "t4 is hard.: names the task t4",
    ]
    assert world.sourced <= {*TRAIN, *VALID}


def test_easy_tasks_rest_every_other_epoch(tmp_path: Path) -> None:
    """What was solved at once comes up again in the epoch after the next; what erred comes up in the next."""
    world = World()
    world.replies["MERGE"] = lambda _: ""  # so that nothing is learned and mistakes stay
    learned = learn(world, tmp_path, "difficulty", epochs=4)
    tried = {n: sorted(t for b in learned.batches if b.epoch == n for t in b.tasks) for n in range(1, 5)}
    assert tried == {1: ["t1", "t2", "t3", "t4"], 2: ["t1", "t2", "t4"], 3: ["t1", "t2", "t3", "t4"], 4: tried[2]}
    assert [e.tried for e in learned.epochs] == [0, 4, 3, 4, 3]


def test_an_epoch_without_tasks_is_an_epoch(tmp_path: Path) -> None:
    """When all was easy, the next epoch tries nothing and is scored all the same."""
    learned = learn(World({"t1": "", "v1": ""}), tmp_path, "difficulty", epochs=2)
    assert [(e.tried, e.score.correct) for e in learned.epochs] == [(0, 1), (1, 1), (0, 1)]


@pytest.mark.parametrize(
    ("mistakes", "epochs", "why"),
    [
        ({"t1": "", "v1": ""}, 2, "epoch 1 changed nothing"),
        ({"t1": "a1", "t2": "a2", "t3": "a3", "v1": ""}, 3, "no better valid score since epoch 0"),
    ],
)
def test_learning_stops_when_it_gets_nowhere(mistakes: dict[str, str], epochs: int, why: str, tmp_path: Path) -> None:
    """After an epoch that changed nothing, or two without a better score; without `stop` all epochs are run."""
    count = 0

    def merge(text: str) -> str:
        nonlocal count
        count += 1
        return block("rules", f"- new [semantic] Rule number {count}.")

    world = World(mistakes)
    world.replies["MERGE"] = merge
    learned = learn(world, tmp_path / "on", "stop", epochs=5)
    assert (len(learned.epochs), learned.stopped) == (epochs, why)
    whole = learn(world, tmp_path / "off", epochs=5)
    assert (len(whole.epochs), whole.stopped) == (6, "")


def test_the_last_epoch_is_not_called_an_early_end(tmp_path: Path) -> None:
    """Nothing was left out, so nothing is said."""
    assert learn(World({"t1": "", "v1": ""}), tmp_path, "stop", epochs=1).stopped == ""


# --- order, interruption, cost ----------------------------------------------------------------------------------------


def outcome(learned: Learned) -> str:
    """Everything that ends up in the prompt file, and more."""
    return repr(learned)


@pytest.mark.parametrize(
    ("extensions", "ending"),
    [((), Killed()), (LEARN_EXTENSIONS, Killed()), (LEARN_EXTENSIONS, BudgetSpent("spent"))],
    ids=["paper-killed", "all-killed", "all-spent"],
)
def test_a_run_that_ends_anywhere_goes_on(extensions: tuple[str, ...], ending: BaseException, tmp_path: Path) -> None:
    """Ended after any number of answers and resumed, it comes to the same, and asks for no answer twice."""

    def make() -> World:
        world = World()
        world.hard, world.timed = {"t4", "v2"}, True
        return world

    whole = make()
    expected = outcome(learn(whole, tmp_path / "whole", *extensions, opt_rounds=1))
    assert len(whole.asked) > 25
    for answers in range(len(whole.asked)):
        first, folder = make(), tmp_path / str(answers)
        first.left, first.ending = answers, ending
        with pytest.raises(type(ending)):
            learn(first, folder, *extensions, opt_rounds=1)
        second = make()
        assert outcome(learn(second, folder, *extensions, opt_rounds=1)) == expected, answers
        assert len(first.asked) == answers
        assert sorted([*first.asked, *second.asked]) == sorted(whole.asked)
    assert max(Counter(whole.asked).values()) == 1


def test_a_run_that_ends_after_every_answer_gets_there(tmp_path: Path) -> None:
    """As many sittings as answers."""
    expected, total = outcome(learn(World(), tmp_path / "whole", *ALL)), 0
    for _ in range(1000):
        world = World()
        world.left = 1
        try:
            learned = learn(world, tmp_path / "bits", *ALL)
        except Killed:
            total += 1
            continue
        assert outcome(learned) == expected
        break
    assert total > 20


def test_a_failed_trial_does_not_cost_the_others_their_answers(tmp_path: Path) -> None:
    """Trials run side by side; those that end well are kept though one of them failed."""
    world = World()
    world.left, world.ending = 2, ModelUnavailable("one request too many")
    with pytest.raises(ModelUnavailable, match="one request too many"):
        learn(world, tmp_path)
    assert len(list(tmp_path.glob("trial-*.json"))) == 2


def test_the_seed_decides_the_order_and_nothing_else_does(tmp_path: Path) -> None:
    """The order in which tasks are given does not matter; each epoch has an order of its own."""

    def orders(seed: int, names: Sequence[str]) -> list[list[str]]:
        world = World(dict.fromkeys((*names, "v1"), ""))
        learned = learn(world, tmp_path / f"{seed}{names[0]}", seed=seed, epochs=2, batch=100)
        return [b.tasks for b in learned.batches]

    names = [f"t{n}" for n in range(20)]
    assert orders(1, names) == orders(1, names[::-1])
    assert orders(1, names) != orders(2, names)
    first, second = orders(1, names)
    assert first != second
    assert sorted(first) == sorted(second) == sorted(names)


def test_only_train_and_valid_are_touched(tmp_path: Path) -> None:
    """A task of neither is never tried, read or mentioned; valid tasks are scored and never shown to the teacher."""
    world = World({**MISTAKES, "v1": "validmistake", "x1": "testmistake"})
    learn(world, tmp_path, *ALL)
    assert world.tried.keys() <= {*TRAIN, *VALID}
    assert world.sourced <= {*TRAIN, *VALID}
    assert not any("validmistake" in r or "testmistake" in r or "(v" in r for r in world.requests)


def test_what_it_cost_is_counted_once(tmp_path: Path) -> None:
    """A score of an unchanged prompt costs nothing again, so it is not counted again; one unknown price hides all."""
    world = World({"t1": "", "v1": ""})
    learned = learn(world, tmp_path)
    assert (learned.tokens_in, learned.tokens_out, learned.cost_usd) == (200, 20, 1.0)
    broken = World({"t1": "stack", "v1": ""})
    broken.breaks = {"stack": {"v1"}}
    assert learn(broken, tmp_path / "unknown").cost_usd is None


def test_progress_is_told(tmp_path: Path) -> None:
    """The place is told with each batch as one, and there are never more trials than were announced."""
    seen: list[Standing] = []
    learn(World(), tmp_path, *ALL, noted=lambda s: seen.append(dataclasses.replace(s)))
    places = list(dict.fromkeys((s.epoch, s.batch) for s in seen))
    assert places == sorted(places)
    assert places[:3] == [(0, 0), (1, 1), (1, 2)]
    assert all(s.batch <= s.batches for s in seen)
    assert seen[-1].steps_done <= seen[-1].steps_total
