"""The workflow of an item, with a scripted model, judge and clock."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_neucomback.arches import load_arches
from pytest_neucomback.cache import Feedback
from pytest_neucomback.errors import ModelUnavailable
from pytest_neucomback.models import NoMoreReplies, ScriptedModel
from pytest_neucomback.prompts import Conversation, converse, load_prompt
from pytest_neucomback.rounds import Limits, Steps, Trajectory, run_item, transcript_rounds
from pytest_neucomback.tasks import load_suites
from pytest_neucomback.types import Judgement, Message, ModelRequest, Outcome, Reply, Timing, Usage, Verdict


def reply(label: str, *, tokens: int = 10, cost: float | None = 0.5, finish: str = "stop") -> Reply:
    """A whole reply whose assembly is recognised by its label in ``Bench.verdicts`` and ``Bench.speedups``."""
    text = f"```assembly\n.globl s000\ns000:\n  ret # {label}\n```"
    return Reply(text, finish_reason=finish, usage=Usage(tokens, tokens), cost_usd=cost)


def timing(speedup: float | None, *, native: bool = True) -> Timing:
    return Timing(native, 10.0, 10.0 * (speedup or 1), speedup, None, None)


@dataclass
class Bench:
    """Everything ``run_item`` needs from outside, from lists; and what it was asked for."""

    replies: Sequence[str | Reply | Exception]
    verdicts: dict[str, Outcome] = field(default_factory=dict)
    """By label; what is not named is correct."""
    speedups: dict[str, Timing | None] = field(default_factory=dict)
    reference: str = ""
    judged: list[str] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)
    raced: list[tuple[str, str]] = field(default_factory=list)
    measured: list[str] = field(default_factory=list)
    noted: list[int] = field(default_factory=list)
    trajectory: Trajectory | None = None

    def __post_init__(self) -> None:
        self.model = ScriptedModel(self.replies)

    @property
    def asked(self) -> list[tuple[Message, ...]]:
        return [request.messages for request in self.model.requests]

    def run(self, *, debug: int = 0, opt: int = 0) -> Trajectory:
        async def ask(messages: tuple[Message, ...], turn: int) -> tuple[Reply, str]:
            answer = await self.model.complete(ModelRequest(messages, "s000", "x86_64", "", "x86-64", turn))
            return answer, f"key{turn}"

        async def judge(reply_key: str, assembly: str) -> tuple[Judgement, Feedback | None]:
            label = label_of(assembly)
            self.judged.append(label)
            outcome = self.verdicts.get(label, Outcome.CORRECT)
            verdict = Verdict(outcome, f"{label} is {outcome}", f"diagnostic of {label}")
            spoken = outcome in (Outcome.CORRECT, Outcome.UNJUDGED)
            return Judgement(verdict, 4, 0.5), None if spoken else Feedback(outcome.value, f"feedback on {label}")

        async def time(assembly: str, against: str | None = None) -> Timing | None:
            one, other = (self.speedups.get(label_of(a), timing(1.0)) for a in (assembly, against or assembly))
            if against is None:
                self.timed.append(label_of(assembly))
                return one
            self.raced.append((label_of(assembly), label_of(against)))
            assert one is not None
            assert other is not None
            ratio = (one.speedup or 0) / (other.speedup or 1)
            return dataclasses.replace(timing(ratio), outcome="faster" if ratio >= 1.01 else "tied")

        def measurement(reply_key: str, measured: Timing, assembly: str) -> str:
            self.measured.append(reply_key)
            return f"speed-up of {reply_key} with {label_of(assembly)}: {measured.speedup}"

        async def reference() -> str:
            return self.reference

        def note(trajectory: Trajectory) -> None:
            self.noted.append(len(trajectory.rounds))
            self.trajectory = trajectory

        return asyncio.run(
            run_item(
                conversation(),
                "s000",
                "x86_64",
                limits=Limits(debug, opt),
                steps=Steps(ask, judge, time, measurement, reference, note),
            )
        )


def label_of(assembly: str) -> str:
    return assembly.partition("# ")[2].split()[0]


def conversation() -> Conversation:
    task = next(t for t in load_suites(["bundled:l2"]) if t.name == "s000")
    prompt = load_prompt("baseline", model="m", arch="x86_64", level="l2", project=task.c_path.parent)
    return converse(prompt, task, load_arches()["x86_64"], march="x86-64", source="; the IR", source_kind="ir-O3")


def final_label(trajectory: Trajectory) -> str | None:
    assert trajectory.final is not None
    return label_of(trajectory.final.candidate.assembly) if trajectory.final.candidate else None


def kinds(trajectory: Trajectory) -> list[str]:
    return [r.kind for r in trajectory.rounds]


WRONG = Outcome.WRONG_OUTPUT


# --- generation and self-debug ---------------------------------------------------------------------------------------


def test_a_correct_first_reply_needs_one_request() -> None:
    """Nothing is repaired that is right, however many rounds are allowed."""
    bench = Bench([reply("a"), reply("b")])
    trajectory = bench.run(debug=3)
    assert len(bench.asked) == 1
    assert trajectory.debug_rounds == 0
    assert trajectory.first == trajectory.initial == trajectory.final.verdict == "correct"  # type: ignore[union-attr]


@pytest.mark.parametrize("allowed", [0, 1, 2, 5])
def test_a_model_that_never_gets_it_gets_all_its_rounds_and_no_more(allowed: int) -> None:
    """N self-debug rounds are 1 + N requests; the last candidate's verdict stands."""
    labels = [f"w{i}" for i in range(10)]
    bench = Bench([reply(label) for label in labels], dict.fromkeys(labels, WRONG))
    trajectory = bench.run(debug=allowed)
    assert len(bench.asked) == 1 + allowed
    assert trajectory.debug_rounds == allowed
    assert final_label(trajectory) == f"w{allowed}"
    assert trajectory.initial == "wrong_output"


def test_debug_rounds_count_the_repairs_that_were_needed() -> None:
    """Right after the second repair: two rounds, the first verdict stays on record, the third is what counts."""
    bench = Bench([reply("a"), reply("b"), reply("c"), reply("d")], {"a": Outcome.BUILD_FAILED, "b": WRONG})
    trajectory = bench.run(debug=5)
    assert trajectory.debug_rounds == 2
    assert (trajectory.first, trajectory.initial) == ("build_failed", "correct")
    assert kinds(trajectory) == ["generate", "debug", "debug"]
    assert final_label(trajectory) == "c"


def test_a_repair_is_asked_for_with_all_that_was_said() -> None:
    """The second request is the first, the assembly that came, and the oracle's words on it."""
    bench = Bench([reply("a"), reply("b")], {"a": WRONG})
    bench.run(debug=1)
    first, second = bench.asked
    assert second[: len(first)] == first
    assert [m["role"] for m in second[len(first) :]] == ["assistant", "user"]
    assert "# a" in second[-2]["content"]
    assert "feedback on a" in second[-1]["content"]
    assert "wrong output" in second[-1]["content"]


def test_prose_around_the_assembly_is_not_sent_back() -> None:
    """What a model said besides its assembly would cost tokens in each later round."""
    chatty = Reply("Sure thing, here you are!\n" + reply("a").text + "\nHave a nice day!")
    bench = Bench([chatty, reply("b")], {"a": WRONG})
    bench.run(debug=1)
    assert "Sure thing" not in bench.asked[1][-2]["content"]
    assert "nice day" not in bench.asked[1][-2]["content"]


@pytest.mark.parametrize("text", ["", "I cannot do that.", "<think>hm, movq"])
def test_a_reply_without_assembly_is_not_judged_but_may_be_repaired(text: str) -> None:
    """It is `no_candidate`; a self-debug round says so to the model."""
    bench = Bench([text, reply("b")])
    trajectory = bench.run(debug=1)
    assert trajectory.first == "no_candidate"
    assert trajectory.final.verdict == "correct"  # type: ignore[union-attr]
    assert bench.judged == ["b"]
    assert "no candidate" in bench.asked[1][-1]["content"]
    assert all(m["content"] for m in bench.asked[1]), "endpoints refuse empty messages"


def test_assembly_that_was_judged_already_is_not_judged_again() -> None:
    """A model that repeats itself gets the verdict it had, at no cost."""
    bench = Bench([reply("a"), reply("a"), reply("b")], {"a": WRONG})
    trajectory = bench.run(debug=2)
    assert bench.judged == ["a", "b"]
    assert trajectory.debug_rounds == 2


def test_an_unjudged_candidate_ends_the_item() -> None:
    """Our own failure is no reason to pay for a repair."""
    bench = Bench([reply("a"), reply("b")], {"a": Outcome.UNJUDGED})
    trajectory = bench.run(debug=2, opt=2)
    assert len(bench.asked) == 1
    assert trajectory.final.verdict == "unjudged"  # type: ignore[union-attr]


def test_when_replies_run_out_the_last_verdict_stands() -> None:
    """A model that rests its case after a wrong answer keeps that verdict; the missing round is not counted."""
    bench = Bench([reply("a")], {"a": WRONG})
    trajectory = bench.run(debug=3)
    assert trajectory.final.verdict == "wrong_output"  # type: ignore[union-attr]
    assert trajectory.debug_rounds == 0
    assert len(trajectory.rounds) == 1


def test_a_model_without_any_reply_is_no_candidate() -> None:
    """Not even a first reply is the model's fault, not ours."""
    trajectory = Bench([]).run(debug=2, opt=1)
    assert trajectory.first == trajectory.initial == trajectory.final.verdict == "no_candidate"  # type: ignore[union-attr]


def test_an_endpoint_that_fails_leaves_the_rounds_it_answered() -> None:
    """ModelUnavailable passes through; the trajectory noted before holds what was paid for."""
    bench = Bench([reply("a"), ModelUnavailable("down")], {"a": WRONG})
    with pytest.raises(ModelUnavailable):
        bench.run(debug=2)
    assert bench.trajectory is not None
    assert bench.trajectory.first == "wrong_output"
    assert [r.reply.text for r in bench.trajectory.rounds] == [reply("a").text]


def test_every_round_is_noted_before_the_next_request() -> None:
    """A killed run has everything that was paid for."""
    bench = Bench([reply("a"), reply("b"), reply("c")], {"a": WRONG, "b": WRONG})
    bench.run(debug=2)
    assert {1, 2, 3} <= set(bench.noted)
    assert bench.noted == sorted(bench.noted)


# --- optimisation ----------------------------------------------------------------------------------------------------


def test_a_faster_optimisation_replaces_the_candidate() -> None:
    """The best is what the next round starts from; the timing before optimisation is kept for comparison."""
    bench = Bench(
        [reply("a"), reply("b"), reply("c")],
        {},
        {"a": timing(0.5), "b": timing(0.9), "c": timing(1.5)},
        reference="REF",
    )
    trajectory = bench.run(opt=2)
    assert final_label(trajectory) == "c"
    assert trajectory.opt_rounds == 2
    assert trajectory.initial_timing is not None
    assert trajectory.initial_timing.speedup == 0.5
    assert bench.measured == ["key1", "key2"]
    assert "# a" in bench.asked[1][-1]["content"]
    assert "speed-up of key1 with a: 0.5" in bench.asked[1][-1]["content"]
    assert "REF" in bench.asked[1][-1]["content"]
    assert "# b" in bench.asked[2][-1]["content"]
    assert "speed-up of key2 with b: 0.9" in bench.asked[2][-1]["content"]


@pytest.mark.parametrize("speedup", [0.4, 0.5, 0.504])
def test_an_optimisation_that_is_not_clearly_faster_replaces_nothing(speedup: float) -> None:
    """Slower, equal, and faster by less than --nc-min-effect: the first stays."""
    bench = Bench([reply("a"), reply("b")], {}, {"a": timing(0.5), "b": timing(speedup)})
    trajectory = bench.run(opt=1)
    assert final_label(trajectory) == "a"
    assert trajectory.final.timing.speedup == 0.5  # type: ignore[union-attr]
    assert trajectory.opt_rounds == 1


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in (Outcome.CORRECT, Outcome.NO_CANDIDATE)], ids=lambda o: o.value
)
def test_an_optimisation_that_is_not_correct_replaces_nothing(outcome: Outcome) -> None:
    """However fast it would be, it is not even timed; verdict and candidate stay."""
    bench = Bench([reply("a"), reply("b"), reply("c")], {"b": outcome, "c": outcome}, {"b": timing(99)})
    trajectory = bench.run(opt=2)
    assert final_label(trajectory) == "a"
    assert trajectory.final.verdict == "correct"  # type: ignore[union-attr]
    assert bench.timed == ["a"]


def test_a_refused_optimisation_replaces_nothing() -> None:
    """No assembly in an optimisation's reply leaves the best candidate alone."""
    trajectory = Bench([reply("a"), "It is perfect already."]).run(opt=1)
    assert final_label(trajectory) == "a"
    assert trajectory.opt_rounds == 1


def test_an_optimisation_is_repaired_like_a_generation() -> None:
    """Its self-debug rounds do not count as the item's debug_rounds, which are those of the initial generation."""
    bench = Bench([reply("a"), reply("b"), reply("c")], {"b": WRONG}, {"a": timing(0.5), "c": timing(2.0)})
    trajectory = bench.run(debug=1, opt=1)
    assert kinds(trajectory) == ["generate", "optimise", "debug"]
    assert trajectory.debug_rounds == 0
    assert trajectory.opt_rounds == 1
    assert final_label(trajectory) == "c"
    assert bench.asked[2][: len(bench.asked[1])] == bench.asked[1], "the repair goes on in the optimisation's talk"


def test_what_follows_a_worse_optimisation_starts_from_the_best() -> None:
    """After a slower or wrong round the next prompt shows the best correct candidate again."""
    bench = Bench(
        [reply("a"), reply("b"), reply("c"), reply("d")],
        {"c": WRONG},
        {"a": timing(0.5), "b": timing(0.3), "d": timing(0.8)},
    )
    trajectory = bench.run(opt=3)
    assert all("# a" in messages[-1]["content"] for messages in bench.asked[1:])
    assert final_label(trajectory) == "d"


@pytest.mark.parametrize("clock", [None, timing(None), timing(2.0, native=False)], ids=["off", "failed", "emulated"])
def test_without_a_clock_there_is_no_optimisation(clock: Timing | None) -> None:
    """Nobody could say which of two candidates is better, so nothing is asked."""
    bench = Bench([reply("a"), reply("b")], {}, {"a": clock})
    trajectory = bench.run(opt=3)
    assert len(bench.asked) == 1
    assert trajectory.opt_rounds == 0
    assert final_label(trajectory) == "a"


def test_a_wrong_candidate_is_not_optimised() -> None:
    """Neither timed nor optimised."""
    bench = Bench([reply("a"), reply("b")], {"a": WRONG})
    bench.run(opt=3)
    assert len(bench.asked) == 1
    assert bench.timed == []


def test_replies_that_run_out_while_optimising_leave_the_best() -> None:
    """NoMoreReplies in an optimisation ends the rounds, not the item."""
    trajectory = Bench([reply("a"), NoMoreReplies("done")]).run(opt=3)
    assert final_label(trajectory) == "a"
    assert trajectory.final.verdict == "correct"  # type: ignore[union-attr]


def test_a_round_that_got_no_reply_is_not_counted() -> None:
    """opt_rounds counts optimisations the model answered."""
    assert Bench([reply("a")]).run(opt=3).opt_rounds == 0


# --- accounts --------------------------------------------------------------------------------------------------------


def test_tokens_and_costs_are_those_of_all_rounds() -> None:
    """Repairs and optimisations included."""
    bench = Bench([reply("a"), reply("b"), reply("c")], {"a": WRONG}, {"b": timing(0.5)})
    trajectory = bench.run(debug=1, opt=1)
    assert trajectory.usage() == Usage(30, 30)
    assert trajectory.cost_usd() == 1.5


def test_one_unknown_price_makes_the_cost_unknown() -> None:
    """A sum that leaves something out would pass for the whole."""
    bench = Bench([reply("a"), reply("b", cost=None)], {"a": WRONG})
    assert bench.run(debug=1).cost_usd() is None


def test_the_transcript_holds_every_round() -> None:
    """Messages, reply, verdict and what was said about it, in order, ready for JSON."""
    bench = Bench([reply("a"), reply("b")], {"a": WRONG}, {"b": timing(2.0)})
    rounds: list[dict[str, Any]] = transcript_rounds(bench.run(debug=1))
    assert [(r["turn"], r["kind"], r["verdict"]["outcome"]) for r in rounds] == [
        (1, "generate", "wrong_output"),
        (2, "debug", "correct"),
    ]
    assert rounds[0]["feedback"] == "feedback on a"
    assert rounds[0]["reply"]["text"] == reply("a").text
    assert rounds[1]["messages"] == list(bench.asked[1])
    assert rounds[1]["timing"]["speedup"] == 2.0
