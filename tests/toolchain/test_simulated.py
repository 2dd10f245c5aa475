"""The simulated student and teacher: mistakes that are refused, replies that repeat, answers that are read."""

from __future__ import annotations

import json
import os
import random
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from simulated import (
    ARCHES,
    RIGHT,
    SPEED_RULES,
    STRONG,
    STUDENT,
    STYLES,
    TEACHER,
    WAY,
    WAYS,
    WEAK,
    Exchange,
    Knobs,
    SimulatedEndpoint,
    Usable,
    Way,
    cleaned,
    compiled,
    diagnosed,
    guessed,
    is_specific,
    judged,
    meaning,
    reply_text,
    rules_in,
    spoiled,
    usable,
)

from pytest_neucomback.extract import extract
from pytest_neucomback.judge import Judge, JudgeSettings
from pytest_neucomback.prompts import Conversation, Prompt, Rule, bundled_folder, converse, read_prompt
from pytest_neucomback.tasks import Task
from pytest_neucomback.toolchain import Toolchain
from pytest_neucomback.types import NoCandidate

QUICK = ("s112", "s4115", "i2c_bus_recover")
"""Two loops, one of which reads indices and returns a sum, and a function with calls."""
ALL = (*QUICK, "s000", "s111", "s1112", "s2711", "i2c_write_reg_retry")
QUICK_STYLES = ("clang-O1", "clang-O3")
WORDS = {
    "callee_saved": {"abi_violation"},
    "alignment": {"crashed", "abi_violation"},
    "label": {"build_failed", "forbidden"},
    "section": {"forbidden"},
    "globl": {"build_failed"},
    "fence": {"no_candidate"},
}
"""What a judge says of ways that have verdicts of their own."""


class Bench(NamedTuple):
    """An architecture with what is usable there."""

    arch: str
    toolchain: Toolchain
    judge: Judge
    tasks: dict[str, Task]
    usable: Usable

    def endpoint(self, seed: int = 0, knobs: Knobs | None = None) -> SimulatedEndpoint:
        tasks = list(self.tasks.values())
        return SimulatedEndpoint(tasks, {self.arch: self.toolchain}, {self.arch: self.usable}, seed, student=knobs)

    def conversation(self, task: str, rules: Sequence[str] = (), fast: Sequence[str] = ()) -> Conversation:
        prompt = read_prompt(bundled_folder() / "baseline.yaml", label="baseline", project=Path("/nowhere"))
        ruled = Prompt("ruled", prompt.templates, tuple(map(Rule, rules)), tuple(map(Rule, fast)))
        source = self.toolchain.emit_ir(self.tasks[task], "O0")
        return converse(
            ruled, self.tasks[task], self.toolchain.arch, march=self.toolchain.march, source=source, source_kind="ir-O0"
        )


def _judge(toolchain: Toolchain, seed: int = 7) -> Judge:
    # Words and not diagnostics are wanted, of candidates that are wrong at once or never end.
    settings = JudgeSettings(seed, 2, simplify=False, limit_floor_s=0.5)
    return Judge(settings, {toolchain.arch.name: toolchain})


@pytest.fixture(scope="module", params=ARCHES)
def bench(request: pytest.FixtureRequest, toolchain_of: Callable[[str], Toolchain], bundled: dict[str, Task]) -> Bench:
    toolchain = toolchain_of(request.param)
    judge = _judge(toolchain)
    tasks = {name: bundled[name] for name in QUICK}
    found = usable(toolchain, judge, list(tasks.values()), styles=QUICK_STYLES)
    return Bench(request.param, toolchain, judge, tasks, found)


@pytest.fixture(scope="module")
def served(bench: Bench) -> Iterator[SimulatedEndpoint]:
    with bench.endpoint() as endpoint:
        yield endpoint


def body(messages: Sequence[Any], model: str = STUDENT, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": list(messages), **more}


def post(url: str, request: dict[str, Any]) -> dict[str, Any]:
    sent = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(request).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(sent, timeout=10) as reply:
        found: dict[str, Any] = json.load(reply)
        return found


def draws(endpoint: SimulatedEndpoint, conversation: Conversation, count: int = 300) -> list[Exchange]:
    """Answers to one request that differs in nothing but its nonce."""
    return [endpoint.answer(body(conversation.opening(), seed=n)) for n in range(count)]


# --- mistakes ---------------------------------------------------------------------------------------------------------


def test_right_assembly_is_correct(bench: Bench) -> None:
    """Every style is judged correct on every task, so that only mistakes make a reply wrong."""
    assert bench.usable[RIGHT] == dict.fromkeys(QUICK, QUICK_STYLES)


def test_most_ways_apply(bench: Bench) -> None:
    """Ten ways or more are usable on each task; all ways are on some task."""
    by_task = Counter(task for name, found in bench.usable.items() if name != RIGHT for task in found)
    assert min(by_task.values()) >= 9, by_task
    assert {name for name, found in bench.usable.items() if not found} <= {"extension"}


def test_mistakes_are_refused(bench: Bench) -> None:
    """What is usable is refused by a judge with other vectors as well, and in the words that belong to the mistake."""
    other = _judge(bench.toolchain, seed=99)
    for way in WAYS:
        for task, styles in bench.usable[way.name].items():
            reply, done = spoiled(compiled(bench.toolchain, bench.tasks[task])[styles[-1]], bench.arch, [way.name])
            assert done == (way.name,)
            word = judged(other, bench.tasks[task], bench.arch, reply)
            assert word not in ("correct", "unjudged"), (way.name, task)
            assert word in WORDS.get(way.name, {"wrong_output", "crashed", "build_failed", "timed_out", "forbidden",
                                                "abi_violation"}), (way.name, task)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("arch", ARCHES)
def test_mistakes_are_refused_on_more_tasks(
    arch: str, toolchain_of: Callable[[str], Toolchain], bundled: dict[str, Task]
) -> None:
    """With all compilers' assembly, at least ten ways are usable on every task, and every way on some task."""
    toolchain = toolchain_of(arch)
    found = usable(toolchain, _judge(toolchain), [bundled[name] for name in ALL])
    for name in ALL:
        assert "clang-O1" in found[RIGHT][name]
        assert sum(name in found[way.name] for way in WAYS) >= 9
    assert {way.name for way in WAYS if not found[way.name]} <= {"extension"}
    assert set(STYLES) >= {style for styles in found[RIGHT].values() for style in styles}


def test_verdicts_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged once is not judged again, by another judge of the same ISA level either."""
    judge = _judge(bench.toolchain)
    monkeypatch.setattr(judge, "judge", None)
    assert usable(bench.toolchain, judge, list(bench.tasks.values()), styles=QUICK_STYLES) == bench.usable


def test_what_is_known_of_a_reply_is_true(bench: Bench) -> None:
    """Over whole conversations with several mistakes at once, a reply is judged correct if it is said to have none."""
    endpoint = bench.endpoint(seed=3, knobs=WEAK)
    seen = []
    for task in QUICK:
        for nonce in range(4):
            conversation = bench.conversation(task)
            messages = conversation.opening()
            for _ in range(4):
                answer = endpoint.answer(body(messages, seed=nonce))
                word, diagnostic, said = _verdict(bench, bench.tasks[task], answer.reply)
                assert (word == "correct") == (not answer.ways), answer.ways
                seen.append(bool(answer.ways))
                if word == "correct":
                    break
                messages = conversation.debug(messages, said, word, diagnostic)
    assert True in seen
    assert False in seen


def _verdict(bench: Bench, task: Task, reply: str) -> tuple[str, str, str]:
    """Outcome, diagnostic, and the reply as it goes back into the conversation."""
    taken = extract(reply, task.function, arch=bench.arch)
    if isinstance(taken, NoCandidate):
        return "no_candidate", taken.reason, reply[:4000]
    verdict = bench.judge.judge(task, bench.arch, taken.assembly).verdict
    return verdict.outcome.value, verdict.diagnostic, f"```assembly\n{taken.assembly.rstrip()}\n```"


def test_gcc_and_clang_are_cleaned_alike() -> None:
    """Comments and names go, strings with comment characters stay, bare immediates of gcc get their mark."""
    text = '\t.file\t"x.c"\nf:\n\tadd\tx0, x0, 16 // up\n\tldr\tq0, [x1, 32]\n\tmov\ts1, v0.s[1]\n\t.asciz "a // b"\n'
    assert cleaned(text, "aarch64") == (
        'f:\n\tadd\tx0, x0, #16\n\tldr\tq0, [x1, #32]\n\tmov\ts1, v0.s[1]\n\t.asciz "a // b"\n'
    )
    assert cleaned("f:\t# @f\n\tretq # done\n", "x86_64") == "f:\n\tretq\n"


# --- chance -----------------------------------------------------------------------------------------------------------


def test_same_request_same_reply(bench: Bench) -> None:
    """Neither the order of requests nor the instance that serves them matters; seed and every word do."""
    one, two = bench.endpoint(seed=5, knobs=WEAK), bench.endpoint(seed=5, knobs=WEAK)
    requests = [body(bench.conversation(task).opening(), seed=n) for task in QUICK for n in range(30)]
    first = [one.answer(r).reply for r in requests]
    order = random.Random(1).sample(range(len(requests)), len(requests))
    again = {n: two.answer(requests[n]).reply for n in order}
    assert first == [again[n] for n in range(len(requests))]
    assert [bench.endpoint(seed=6, knobs=WEAK).answer(r).reply for r in requests] != first
    for request in requests:
        request["messages"][-1] = {"role": "user", "content": request["messages"][-1]["content"] + "\n"}
    assert [one.answer(r).reply for r in requests] != first


def test_same_reply_in_another_process(bench: Bench) -> None:
    """Nothing of a reply depends on the process."""
    requests = [body(bench.conversation(task).opening(), seed=n) for task in QUICK for n in range(10)]
    given = {
        "arch": bench.arch,
        "cache": str(bench.toolchain.cache),
        "tasks": [str(task.yaml_path) for task in bench.tasks.values()],
        "usable": bench.usable,
        "requests": requests,
    }
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS], input=json.dumps(given), capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONHASHSEED": "1"},
    )  # fmt: skip
    endpoint = bench.endpoint(seed=5)
    assert json.loads(done.stdout) == [endpoint.answer(request).reply for request in requests]


OTHER_PROCESS = """\
import json, sys
from pathlib import Path
from simulated import SimulatedEndpoint
from pytest_neucomback.tasks import load_task
from pytest_neucomback.toolchain import Toolchain

given = json.load(sys.stdin)
toolchain = Toolchain(given["arch"], cache=Path(given["cache"]))
tasks = [load_task(Path(path)) for path in given["tasks"]]
endpoint = SimulatedEndpoint(tasks, {given["arch"]: toolchain}, {given["arch"]: given["usable"]}, 5)
print(json.dumps([endpoint.answer(request).reply for request in given["requests"]]))
"""


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_rules_prevent_and_invite(way: Way, bench: Bench) -> None:
    """A mistake becomes rare with any wording of its rule, and with a harmful rule it becomes the habit."""
    task = next((name for name, styles in bench.usable[way.name].items() if "clang-O1" in styles), None)
    if task is None:
        pytest.skip("it applies to none of these tasks")
    endpoint = bench.endpoint(knobs=Knobs(most=99))

    def share(rules: Sequence[str]) -> float:
        answers = draws(endpoint, bench.conversation(task, rules))
        return sum(way.name in a.ways for a in answers) / len(answers)

    plain = share([])
    assert 0.02 < plain < 0.3
    for rule in way.rules[bench.arch]:
        assert meaning(rule) == way.name
        assert share([rule]) < plain / 2
    if way.harmful:
        assert meaning(way.harmful) == f"harmful {way.name}"
        assert share([way.harmful]) > 0.8


def test_strength(bench: Bench) -> None:
    """Strong students are right more often than weak ones."""
    right = {}
    for name, knobs in (("strong", STRONG), ("plain", Knobs()), ("weak", WEAK)):
        answers = draws(bench.endpoint(knobs=knobs), bench.conversation("s4115"))
        right[name] = sum(not a.ways for a in answers) / len(answers)
    assert right["strong"] > 0.55 > right["plain"] > right["weak"]


def test_debug_rounds_repair(bench: Bench) -> None:
    """A mistake is repaired more often when the diagnostic speaks of it."""
    endpoint = bench.endpoint(knobs=Knobs(chances={way.name: float(way.name == "globl") for way in WAYS}))
    conversation = bench.conversation("s112")
    first = endpoint.answer(body(conversation.opening()))
    assert first.ways == ("globl",)

    def repaired(diagnostic: str) -> float:
        messages = conversation.debug(conversation.opening(), first.reply, "build_failed", diagnostic)
        answers = [endpoint.answer(body(messages, seed=n)) for n in range(300)]
        assert {a.kind for a in answers} == {"debug"}
        return sum(not a.ways for a in answers) / len(answers)

    shown, hidden = repaired("it does not define the function s112 as a global symbol"), repaired("something else")
    assert shown - hidden > 0.2


def test_optimisation(bench: Bench) -> None:
    """An optimisation prompt is answered with other assembly than the one it holds."""
    endpoint = bench.endpoint(knobs=Knobs(mistakes=0.0))
    conversation = bench.conversation("s112")
    current = compiled(bench.toolchain, bench.tasks["s112"])["clang-O1"]
    answer = endpoint.answer(body(conversation.optimise(current, "It took 2 us.", "")))
    assert (answer.kind, answer.task, answer.ways) == ("optimise", "s112", ())
    assert answer.reply != reply_text(current)
    hurried = bench.conversation("s112", fast=SPEED_RULES[:1])
    fast = compiled(bench.toolchain, bench.tasks["s112"])["clang-O1"]
    plain = sum(a.reply == reply_text(fast) for a in draws(endpoint, conversation, 100))
    assert plain >= sum(a.reply == reply_text(fast) for a in draws(endpoint, hurried, 100))


# --- serving ----------------------------------------------------------------------------------------------------------


def test_served_over_http(bench: Bench, served: SimulatedEndpoint) -> None:
    """Replies, tokens and the log over HTTP; a model or task that nobody knows is an error."""
    request = body(bench.conversation("s112").opening())
    reply = post(served.url, request)
    text = reply["choices"][0]["message"]["content"]
    assert text == served.answer(request).reply
    assert (reply["model"], served.log[-1].reply, served.counts["generate"]) == (STUDENT, text, 1)
    assert served.log[-1].body == request
    asked = sum(len(m["content"]) for m in request["messages"])
    assert reply["usage"] == {
        "prompt_tokens": -(-asked // 4),
        "completion_tokens": -(-len(text) // 4),
        "total_tokens": -(-asked // 4) + -(-len(text) // 4),
    }
    for wrong in (body(request["messages"], "other"), body([{"role": "user", "content": "Compile `nobody`."}])):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            post(served.url, wrong)
    assert served.counts["unknown"] == 2


def test_answers_take_no_time(bench: Bench) -> None:
    """An answer takes less than 2 ms, counted in CPU time so that a busy machine does not matter."""
    endpoint = bench.endpoint(knobs=WEAK)
    conversations = [bench.conversation(task).opening() for task in QUICK]
    took = []
    for n in range(100):
        for messages in conversations:
            start = time.thread_time()
            endpoint.answer(body(messages, seed=n))
            took.append(time.thread_time() - start)
    assert statistics.mean(took) < 0.002


# --- the teacher ------------------------------------------------------------------------------------------------------


def asked(name: str, arch: str = "x86_64", **values: str) -> list[dict[str, str]]:
    """A request to the teacher, from the bundled templates."""
    raw = yaml.safe_load((bundled_folder() / "teacher.yaml").read_text())
    titles = {"x86_64": "x86-64 (System V ABI)", "aarch64": "AArch64 (AAPCS64)"}
    values = {"arch_title": titles[arch], "syntax": "GNU", "ending": "solved", "topic": "correct assembly", **values}

    def fill(text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], text)

    return [{"role": "system", "content": fill(raw["system"])}, {"role": "user", "content": fill(raw[name])}]


def lines_of(reply: str, block: str) -> list[str]:
    """The lines of the one block."""
    (text,) = re.findall(rf"(?ms)^```{block}\n(.*?)^```$", reply)
    return [line for line in text.splitlines() if line.strip()]


def teacher(seed: int = 0, knobs: Knobs | None = None) -> SimulatedEndpoint:
    return SimulatedEndpoint([], {}, {}, seed, teacher=knobs)


CALM = Knobs(teacher_harmful=0.0, teacher_specific=0.0, teacher_loses=0.0, teacher_joins=1.0)
"""A teacher that makes no mistakes of its own."""


def trajectory(rounds: Sequence[tuple[str, str]]) -> str:
    """Replies and what was said of them."""
    return "\n\n".join(f"Round {n}:\n\n{reply}\n\n{said}" for n, (reply, said) in enumerate(rounds, 1))


def test_insights_come_from_the_trajectory(bench: Bench) -> None:
    """The teacher names the mistake where a diagnostic does, and guesses most others from what was repaired."""
    guesses: Counter[bool] = Counter()
    for way in WAYS:
        for task, styles in bench.usable[way.name].items():
            right = compiled(bench.toolchain, bench.tasks[task])[styles[0]]
            wrong, _ = spoiled(right, bench.arch, [way.name])
            _, diagnostic, said = _verdict(bench, bench.tasks[task], wrong)
            story = trajectory([(said, diagnostic), (reply_text(right), "It is correct.")])
            messages = asked("extract", bench.arch, trajectory=story)
            answer = teacher(knobs=CALM).answer(body(messages, TEACHER))
            assert answer.kind == "extract"
            found = [meaning(line.split("] ", 1)[1]) for line in lines_of(answer.reply, "insights") if "] " in line]
            if way.name in WORDS:
                assert way.name in found, (way.name, task, diagnostic)
            else:
                guesses[way.name in found] += 1
    assert guesses[True] > guesses[False]


def test_a_flawless_trajectory_teaches_nothing() -> None:
    """Without a diagnostic the block holds the word none."""
    answer = teacher().answer(body(asked("extract", trajectory="Round 1: It is correct."), TEACHER))
    assert lines_of(answer.reply, "insights") == ["none"]


def test_bad_insights() -> None:
    """About a seventh of the insights are harmful and about a seventh name the program or its numbers."""
    story = trajectory(
        [("```assembly\n\t.text\n\t.globl s112\ns112:\n\tmovl $31998, %eax\n```", "did not preserve %rbx")]
    )
    request = asked("extract", trajectory=story)
    kinds = Counter(
        meaning(lines_of(teacher(seed).answer(body(request, TEACHER)).reply, "insights")[0].split("] ", 1)[1])
        for seed in range(400)
    )
    assert 30 < kinds["harmful callee_saved"] < 100
    assert 30 < kinds["specific"] < 100
    assert kinds["callee_saved"] > 200


def test_speed_insights() -> None:
    """Insights about speed are of their own kind."""
    replies = [teacher(n).answer(body(asked("extract_speed", trajectory="It got faster."), TEACHER)) for n in range(9)]
    assert {r.kind for r in replies} == {"extract_speed"}
    lines = {line for r in replies for line in lines_of(r.reply, "insights")} - {"none"}
    assert lines == {f"- [performance] {rule}" for rule in SPEED_RULES}


def _merge(seed: int = 0, knobs: Knobs | None = None) -> list[str]:
    rules = "\n".join(f"R{n} [{w.kind}] {w.rules['x86_64'][0]}" for n, w in ((1, WAY["globl"]), (7, WAY["width"])))
    texts = [WAY["globl"].rules["x86_64"][1], *WAY["label"].rules["x86_64"], "In `s112`, count to 31998."]
    insights = "\n".join(f"I{n} [semantic] {text} (s112)" for n, text in enumerate(texts, 1))
    reply = teacher(seed, knobs).answer(body(asked("merge", rules=rules, insights=insights), TEACHER))
    assert reply.kind == "merge"
    return lines_of(reply.reply, "rules")


def test_merge() -> None:
    """Rules keep their ids, insights that say the same are joined, what is there already is not added."""
    lines = _merge(knobs=CALM)
    assert lines == [
        f"- R1 [formatting] {WAY['globl'].rules['x86_64'][0]}",
        f"- R7 [semantic] {WAY['width'].rules['x86_64'][0]}",
        f"- new [semantic] {WAY['label'].rules['x86_64'][0]} (I2, I3)",
        "- new [semantic] In `s112`, count to 31998. (I4)",
    ]
    lost = sum(not any(line.startswith("- R7") for line in _merge(seed)) for seed in range(200))
    assert 0 < lost < 30


def test_review() -> None:
    """Sound changes are applied, those about one program and losses mostly refused, harmful ones half of the time."""
    changes = "\n".join(
        [
            f"1. add [formatting] {WAY['globl'].rules['x86_64'][0]}",
            f"2. drop R3: {WAY['width'].rules['x86_64'][0]}",
            f"3. change R1: {WAY['label'].rules['x86_64'][0]} => {WAY['label'].rules['x86_64'][1]}",
            f"4. add [formatting] {WAY['globl'].harmful}",
            "5. add [semantic] In `s112`, count to 31998.",
            f"6. drop R4: {WAY['globl'].harmful}",
        ]
    )
    request = asked("review", rules="R1 [semantic] x", changes=changes)
    applied: Counter[int] = Counter()
    for seed in range(200):
        lines = lines_of(teacher(seed).answer(body(request, TEACHER)).reply, "decisions")
        found = [re.fullmatch(r"apply (\d)|refuse (\d): .+", line) for line in lines]
        assert [int(m[1] or m[2]) for m in found if m] == [1, 2, 3, 4, 5, 6]
        applied.update(int(m[1]) for m in found if m and m[1])
    assert min(applied[1], applied[3]) > 170
    assert max(applied[2], applied[5]) < 80
    assert 60 < applied[4] < 140
    assert applied[6] == 200


def test_merge_and_review_are_the_same_each_time() -> None:
    """A re-asked question gets the same answer."""
    assert _merge(3) == _merge(3)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_rules_are_read_from_the_prompt() -> None:
    """Both sections of rules are found as a prompt renders them."""
    prompt = Prompt("p", {}, (Rule("One."), Rule("Two.")), (Rule("Fast."),))
    assert rules_in(f"Text.\n{prompt.rules_text(performance=True)}\n- no rule") == (["One.", "Two."], ["Fast."])


def test_harmful_and_specific_rules_are_known() -> None:
    """No wording of a sound rule is taken for one about a program; sentences with names and numbers are."""
    for way in WAYS:
        for arch in ARCHES:
            assert not [rule for rule in way.rules[arch] if is_specific(rule)]
    assert is_specific("In s112 the bound is odd.")
    assert is_specific("Loops end at 31998.")
    assert is_specific("i2c_bus_recover needs a frame.")


def test_guesses() -> None:
    """A pair of lines is explained by the mistake that turns one into the other."""
    for old, new, name in (
        ("cmpq $31996, %rax", "cmpq $31998, %rax", "loop_bound"),
        ("je .L1", "jne .L1", "condition"),
        ("movaps a(%rax), %xmm0", "movups a(%rax), %xmm0", "alignment"),
        ("movq %rdi, %rax", "movslq %edi, %rax", "extension"),
        ("movss a(%rax), %xmm0", "movss %xmm0, a(%rax)", "operand_order"),
        ("movsd %xmm0, a(%rax)", "movss %xmm0, a(%rax)", "width"),
    ):
        assert guessed(f"f:\n\t{old}\n\tret\n", f"f:\n\t{new}\n\tret\n", "x86_64") == [name]
    assert diagnosed("It is correct.", "x86_64") == []
