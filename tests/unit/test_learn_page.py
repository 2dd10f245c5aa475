"""learn.html and learn.json: well-formed whatever models and teachers write."""

from __future__ import annotations

import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_neucomback.errors import NeucombackError
from pytest_neucomback.learn import Batch, Epoch, Learned, Score
from pytest_neucomback.learn_page import write_learn_page
from pytest_neucomback.learn_plugin import summary_lines
from pytest_neucomback.learning import Result, Splits, Subject, write_learn_json
from pytest_neucomback.pairs import compare_outcomes
from pytest_neucomback.prompts import Prompt, Rule
from pytest_neucomback.teacher import Change, Decision, Insight

HOSTILE = (
    "<script>alert(1)</script>",
    "</li></ol></body><b>",
    "a & b &lt; \"c\" 'd' `e`",
    "' onmouseover='x",
    "<!-- comment",
    "]]> <svg/onload=x>",
    "é 🙂 \u2028 ${x}",
)
VOID = {"meta", "br", "line", "circle", "polyline"}
"""Elements without an end; those of SVG have to end themselves."""


class Checker(HTMLParser):
    """Notes what is open at the end, ends that do not fit, and the elements and texts that there are."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.problems: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in VOID and tag != "circle":
            if tag not in ("meta", "br"):
                self.problems.append(f"<{tag}> does not end itself")
            return
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> has no beginning")

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.problems.append(f"comment {data}")


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.problems == []
    assert checker.open == []
    return checker


def score(correct: int, faster: int | None = None, rounds: float | None = 0.5) -> Score:
    return Score(4, correct, faster, rounds, tuple(f"v{n}" for n in range(correct)))


def result(*texts: str) -> Result:
    """Two epochs and one batch in which everything there is says one of ``texts``."""
    rules = tuple(Rule(t, "semantic", (t, "t1"), f"R{n}", 2, 1) for n, t in enumerate(texts))
    prompt = Prompt("baseline", {}, rules, rules[:1])
    batch = Batch(1, 1, list(texts))
    batch.outcomes = dict.fromkeys(texts, "wrong_output") | {"t1": "correct"}
    batch.insights = [Insight("semantic", t, t) for t in texts]
    batch.changes = [(Change("add", None, r), Decision(n % 2 == 0, r.text)) for n, r in enumerate(rules)]
    batch.refused, batch.gate = list(texts), texts[0]
    epochs = [Epoch(0, score(2, rounds=None), Prompt("baseline", {})), Epoch(1, score(3, 1), prompt, 4)]
    learned = Learned(epochs[1], epochs, [batch], stopped=texts[0], tokens_in=12345, tokens_out=678, cost_usd=1.5)
    found = Result(Subject(texts[0], "x86_64", texts[-1]), Splits(("t1",), ("v1", "v2"), ("x1",)), learned)
    found.path, found.error = Path("prompts") / "learned" / f"{texts[0].replace('/', '_')}.yaml", texts[0]
    found.test_scores = score(1), score(2)
    found.test = compare_outcomes(dict.fromkeys(texts, False), dict.fromkeys(texts, True))
    return found


def page(tmp_path: Path, *results: Result) -> str:
    write_learn_page(results, tmp_path / "learn.html")
    return (tmp_path / "learn.html").read_text(encoding="utf-8")


def test_a_page_is_well_formed_and_says_everything(tmp_path: Path) -> None:
    """Scores, interval, chart, rules with sources, batches with decisions, the closing comparison."""
    found = checked(page(tmp_path, result("Align the stack.")))
    for text in (
        "12,345 tokens in, 678 out, $1.50", "1 tasks to learn from, 2 to select on", "2/4", "3/4", "winner",
        "30% to 95%", "helped 2", "harmed 1", "from 2 trajectories", "t1: no insight kept", "gate Align the stack.",
        "applied: add [semantic] Align the stack. (Align the stack.)", "kept out: Align the stack.",
        "1/4 without rules, 2/4 with them", "McNemar's exact p 1",
    ):  # fmt: skip
        assert text in found.text, text
    assert sum(tag == "circle" for tag, _ in found.elements) == 2
    assert not any(tag in ("script", "link", "img", "iframe") for tag, _ in found.elements)


def test_hostile_texts_are_texts(tmp_path: Path) -> None:
    """Rules, insights, task names, model names and errors with markup appear to the letter and open nothing."""
    plain, hostile = (checked(page(tmp_path, result(*texts))) for texts in (["x"] * len(HOSTILE), HOSTILE))
    assert {tag for tag, _ in hostile.elements} == {tag for tag, _ in plain.elements}
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)
    for text in HOSTILE:
        assert text in hostile.text


def test_shapes_of_the_chart_lie_side_by_side(tmp_path: Path) -> None:
    """An unquoted value before /> would take the slash, and the rest of the chart would be inside that line."""
    text = page(tmp_path, result("x"))
    chart = text[text.index("<svg") : text.index("</svg>")]
    for shape in chart.split("<")[1:]:
        if shape.endswith("/>"):
            assert shape[-3] in "'\" ", shape


@pytest.mark.parametrize(
    "few",
    [
        [],
        [Result(Subject("m", "x86_64", "l2"), Splits((), (), ()), error="the budget is <spent>")],
        [dataclasses.replace(result("x"), test=None, test_scores=None, path=None, error="")],
    ],
    ids=["nothing", "an error", "no test"],
)
def test_little_is_a_page_too(few: list[Result], tmp_path: Path) -> None:
    """Nothing learned, stopped before the first score, no closing comparison."""
    checked(page(tmp_path, *few))


def test_a_winner_without_rules_says_so(tmp_path: Path) -> None:
    """Epoch 0 has none."""
    found = result("x")
    assert found.learned is not None
    found.learned.winner = found.learned.epochs[0]
    assert "Rules of the winnerNone." in checked(page(tmp_path, found)).text


def test_the_data_beside_it(tmp_path: Path) -> None:
    """learn.json holds the same, for programs."""
    write_learn_json([result(*HOSTILE)], tmp_path / "learn.json")
    data = json.loads((tmp_path / "learn.json").read_text())
    (subject,) = data["subjects"]
    assert data["schema"] == 1
    assert (subject["winner"], subject["model"], subject["tokens_in"]) == (1, HOSTILE[0], 12345)
    assert [r["text"] for r in subject["epochs"][1]["rules"]] == [*HOSTILE, HOSTILE[0]]
    assert subject["epochs"][0]["acc_ci"] == pytest.approx([0.15, 0.85], abs=0.01)
    assert subject["batches"][0]["changes"][1] == {
        "change": f"add [semantic] {HOSTILE[1]}", "applied": False, "why": HOSTILE[1],
    }  # fmt: skip
    assert subject["test"]["won"] == list(HOSTILE)


def test_the_summary_in_the_terminal() -> None:
    """Scores, rules, tokens, where it is stored, the closing comparison, and what went wrong."""
    text = "\n".join(summary_lines(result("x")))
    assert "x86_64/x/x: valid 2/4 -> 3/4 (epoch 1 of 1, 2 rules)" in text
    assert "stopped early: x" in text
    assert "--nc-prompt=learned uses it" in text
    assert "test: 1/4 -> 2/4; won 1, lost 0, McNemar's exact p 1" in text
    assert summary_lines(Result(Subject("m", "a", "l"), Splits((), (), ()), error="spent")) == ["a/l/m: spent"]


@pytest.mark.parametrize("write", [write_learn_page, write_learn_json])
def test_a_disk_that_does_not_take_it_is_named(write: object, tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(NeucombackError, match=r"page\.html cannot be written \(No such file or directory\)"):
        write([], tmp_path / "gone" / "page.html")  # type: ignore[operator]
