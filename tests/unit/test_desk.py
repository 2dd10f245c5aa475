"""The desk: budgets with many requests in flight, replies that are asked for once, models that stop answering."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback.desk import FAILURES_TO_GIVE_UP, FIRST_REPLY_TOKENS, Desk, measurement_text
from pytest_neucomback.errors import BudgetSpent, ModelUnavailable
from pytest_neucomback.models import ApiModel, ModelSpec
from pytest_neucomback.options import Settings
from pytest_neucomback.prompts import Prompt
from pytest_neucomback.types import ModelRequest, Reply, Timing, Usage


class Paid:
    """A model that takes its time and counts what it was asked and how many requests it had at once."""

    name = "paid"
    cacheable = True

    def __init__(self, tokens: Callable[[int], int] = lambda n: 100, usd: float | None = None) -> None:
        self.asked: list[str] = []
        self.at_once = self.most = 0
        self.failing = False
        self._tokens, self._usd = tokens, usd

    def identity(self) -> dict[str, Any]:
        return {"kind": "paid"}

    async def complete(self, request: ModelRequest) -> Reply:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0.001)
            text = request.messages[0]["content"]
            self.asked.append(text)
            if self.failing:
                raise ModelUnavailable("down")
            usage = Usage(len(text) // 3, self._tokens(len(self.asked)))
            return Reply(f"re {text}", usage=usage, cost_usd=self._usd)
        finally:
            self.at_once -= 1

    async def aclose(self) -> None:
        """Nothing to release."""


def settings(folder: Path, **changed: Any) -> Settings:
    given: dict[str, Any] = {
        "models": ("paid",), "arches": ("x86_64",), "prompts": ("baseline",), "levels": (), "splits": (), "suites": (),
        "source": "ir-O3", "debug_rounds": None, "opt_rounds": 0, "samples": 1, "march": None, "fp": "exact",
        "inputs": 32, "seed": 1, "time": None, "timing": "paired", "min_effect": 0.01, "reference": "clang-O3",
        "show_reference": False, "concurrency": 16, "cache": folder / "cache", "use_cache": True, "report": None,
        "fail_under": None, "sandbox": True, "models_file": None,
    }  # fmt: skip
    return Settings(**{**given, **changed})


def request(text: str) -> ModelRequest:
    """Of 300 characters, which the model counts as 100 tokens."""
    return ModelRequest(({"role": "user", "content": text.ljust(300)},), "task", "x86_64", "", "")


def at_desk(desk: Desk, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def main() -> Any:
        async with desk.open():
            return await asyncio.wait_for(work(), 30)

    return asyncio.run(main())


def ask_many(desk: Desk, model: Any, count: int, first: int = 0) -> list[Any]:
    """Ask for so many replies at once; replies and errors in order."""

    async def work() -> list[Any]:
        asked = (desk.ask(model, request(str(n))) for n in range(first, first + count))
        return await asyncio.gather(*asked, return_exceptions=True)

    found: list[Any] = at_desk(desk, work)
    return found


def new_desk(folder: Path, model: Any, **changed: Any) -> Desk:
    return Desk(settings(folder, **changed), tasks={}, models={model.name: model}, toolchains={})


def used_by(desk: Desk) -> int:
    return desk.progress.usage.tokens_in + desk.progress.usage.tokens_out


@pytest.mark.parametrize("budget", [3_000, 5_000, 20_000])
def test_tokens_stop_before_the_budget_is_overrun(budget: int, tmp_path: Path) -> None:
    """Of 200 requests at once, 16 in flight, as many are asked as fit, and the rest are told why."""
    model = Paid()
    desk = new_desk(tmp_path, model, budget_tokens=budget)
    answers = ask_many(desk, model, 200)
    refused = [a for a in answers if isinstance(a, BudgetSpent)]
    assert used_by(desk) == budget
    assert len(model.asked) == 200 - len(refused) == budget // 200
    assert model.most > 5
    assert str(refused[-1]) == (
        f"--nc-budget-tokens={budget}: {budget} tokens are used, and the next request may take 200; "
        "a larger budget goes on"
    )


def test_a_budget_is_not_given_up_while_requests_are_in_flight(tmp_path: Path) -> None:
    """Before the first reply nobody knows what one takes; a small budget is begun with few requests, not refused."""
    model = Paid()
    desk = new_desk(tmp_path, model, budget_tokens=7_000)
    answers = ask_many(desk, model, 30)
    assert not any(isinstance(a, Exception) for a in answers)
    assert len(model.asked) == 30


def test_replies_of_all_sizes_do_not_overrun_either(tmp_path: Path) -> None:
    """What is set aside is the largest reply so far, so that only a reply larger than all before can be too much."""
    rng = random.Random(3)
    model = Paid(lambda n: 400 if n == 1 else rng.choice([20, 50, 400]))
    desk = new_desk(tmp_path, model, budget_tokens=40_000)
    answers = ask_many(desk, model, 400)
    assert any(isinstance(a, BudgetSpent) for a in answers)
    assert 39_000 <= used_by(desk) <= 40_000


def test_long_prompts_are_counted_by_their_length(tmp_path: Path) -> None:
    """A request that is itself too long is not sent, shorter ones still are."""
    model = Paid()
    desk = new_desk(tmp_path, model, budget_tokens=4_000)

    async def work() -> list[Any]:
        await desk.ask(model, request("first"))
        return await asyncio.gather(
            *(desk.ask(model, request("long " * 3000)), desk.ask(model, request("short"))), return_exceptions=True
        )

    long, short = at_desk(desk, work)
    assert isinstance(long, BudgetSpent)
    assert not isinstance(short, Exception)


def test_a_budget_below_one_reply_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """Nothing is paid for, and the message says what would be needed."""
    model = Paid()
    desk = new_desk(tmp_path, model, budget_tokens=FIRST_REPLY_TOKENS)
    (answer,) = ask_many(desk, model, 1)
    assert isinstance(answer, BudgetSpent)
    assert f"0 tokens are used, and the next request may take {FIRST_REPLY_TOKENS + 100}" in str(answer)
    assert model.asked == []


def test_dollars_stop_before_the_budget_is_overrun(tmp_path: Path) -> None:
    """As with tokens; the amount is what replies were said to cost."""
    model = Paid(usd=0.25)
    desk = new_desk(tmp_path, model, budget_usd=10.0)
    answers = ask_many(desk, model, 100)
    assert desk.progress.cost_usd == 10.0
    assert sum(isinstance(a, BudgetSpent) for a in answers) == 60
    assert "--nc-budget-usd=10: 10 USD are spent, and the next request may take 0.25" in str(answers[-1])


def test_a_known_price_bounds_the_first_requests(tmp_path: Path) -> None:
    """An endpoint's price is known before its first reply, so a small amount is not spent sixteen times at once."""
    spec = ModelSpec(
        name="dear", base_url="http://127.0.0.1:1/v1", model_id="dear", usd_per_mtok_in=50.0, usd_per_mtok_out=100.0
    )
    model = ApiModel(spec)
    paid = Paid(usd=0.2)
    model.complete = paid.complete  # type: ignore[method-assign]
    desk = new_desk(tmp_path, model, budget_usd=0.45)

    async def work() -> list[Any]:
        desk.dead.clear()  # nobody listens there, which is not what this is about
        return await asyncio.gather(*(desk.ask(model, request(str(n))) for n in range(20)), return_exceptions=True)

    answers = at_desk(desk, work)
    # 2,000 tokens of a first reply are expected to cost 0.2
    assert len(paid.asked) == 2
    assert sum(isinstance(a, BudgetSpent) for a in answers) == 18


def test_what_is_in_the_cache_costs_nothing(tmp_path: Path) -> None:
    """With the budget used up cached replies are served, and a run with more budget goes on from there."""
    model = Paid()
    ask_many(new_desk(tmp_path, model, budget_tokens=6_000), model, 100)
    assert len(model.asked) == 30
    again = Paid()
    answers = ask_many(new_desk(tmp_path, again, budget_tokens=10_000), again, 100)
    assert len(again.asked) == 50
    assert not set(again.asked) & set(model.asked)
    assert sum(not isinstance(a, Exception) for a in answers) == 80


def test_no_more_than_concurrency_at_once(tmp_path: Path) -> None:
    """Requests wait for each other."""
    model = Paid()
    ask_many(new_desk(tmp_path, model, concurrency=3), model, 20)
    assert model.most == 3


def test_waiting_for_the_budget_ends_with_the_model(tmp_path: Path) -> None:
    """Requests that wait for room are told when the endpoint is given up, and do not wait for ever."""
    model = Paid()
    model.failing = True
    desk = new_desk(tmp_path, model, budget_tokens=FIRST_REPLY_TOKENS + 101)
    answers = ask_many(desk, model, 10)
    assert [type(a) for a in answers] == [ModelUnavailable] * 10
    assert len(model.asked) == FAILURES_TO_GIVE_UP


# --- what an optimisation prompt says of a timing ---------------------------------------------------------------------

MEASURED = "Measured: 1.23e+03 ns a call; clang-O3 takes 1.11e+03 ns: speed-up 0.900 (99 % interval 0.890 to 0.910)."
COUNTED = (
    "Executed instructions on the same inputs, called functions not included: 1000 by the current assembly, 800 by "
    "clang-O3, a ratio of 1.250."
)
ASSEMBLY = "    .globl f\nf:\n\n\n\n1:\taddss  (%rax), %xmm0 # sum\n    jnz 1b\n    ret\n"


def measured(**changed: Any) -> Timing:
    counts: dict[str, Any] = {"instructions": 1000, "reference_instructions": 800, "reference": "clang-O3"}
    return Timing(True, 1234.5, 1111.0, 0.9, (0.89, 0.91), "slower", **{**counts, **changed})


def test_a_measurement_without_counts_is_of_time_alone() -> None:
    """Nothing is said of what is not known."""
    for missing in ("instructions", "reference_instructions"):
        assert measurement_text(measured(**{missing: None}), ASSEMBLY) == MEASURED
    plain = Timing(True, 2.0, 3.0, 1.5, None, None)
    assert measurement_text(plain, ASSEMBLY) == "Measured: 2 ns a call; the reference takes 3 ns: speed-up 1.500."


def test_a_measurement_with_counts_quotes_the_hot_lines() -> None:
    """Numbers are those of the assembly as the prompt shows it; what is below a percent is not hot."""
    timing = measured(hot_lines=((6, 506), (7, 489), (8, 4)))
    assert measurement_text(timing, ASSEMBLY) == (
        f"{MEASURED}\n\n{COUNTED}\n\nLines of the current assembly that most of them come from:\n"
        "- line 4, 51 % of executed instructions: 1: addss (%rax), %xmm0 # sum\n"
        "- line 5, 49 % of executed instructions: jnz 1b"
    )


@pytest.mark.parametrize("lines", [(), ((6, 4),), ((3, 500),), ((700, 500),)], ids=["none", "cold", "blank", "beyond"])
def test_lines_that_say_nothing_are_not_quoted(lines: tuple[tuple[int, int], ...]) -> None:
    """Neither is anything without the assembly at hand."""
    assert measurement_text(measured(hot_lines=lines), ASSEMBLY) == f"{MEASURED}\n\n{COUNTED}"
    assert measurement_text(measured(hot_lines=((6, 506),)), "") == f"{MEASURED}\n\n{COUNTED}"


def test_a_measurement_is_bounded() -> None:
    """Long lines are cut."""
    text = measurement_text(measured(hot_lines=tuple((n, 100) for n in range(1, 9))), "x" * 5_000 + "\n" + ASSEMBLY * 9)
    assert "- line 1, 10 % of executed instructions: " + "x" * 120 + "\n" in text
    assert len(text) < 1_000


def test_the_line_that_is_quoted_has_its_number_in_the_prompt() -> None:
    """Blank lines in a row are closed up in messages, at the beginning of the assembly as well."""
    templates = {"optimise": "Speed up:\n\n```assembly\n${assembly}\n```\n"}
    for assembly in (ASSEMBLY, "\n\n\n" + ASSEMBLY, ASSEMBLY.replace("\n\n\n", "\n \n\n")):
        hot = assembly.split("\n").index("    jnz 1b") + 1
        text = measurement_text(measured(hot_lines=((hot, 500),)), assembly)
        number = int(text.partition("- line ")[2].partition(",")[0])
        message = Prompt("p", templates).render("optimise", {"assembly": assembly.rstrip()})
        assert message.partition("```assembly\n")[2].split("\n")[number - 1].strip() == "jnz 1b"
