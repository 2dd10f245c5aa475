"""Models that need no network: files, transcripts, compilers, scripts, and the choice among all kinds."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_neucomback.errors import ConfigError, ModelUnavailable, ToolMissing
from pytest_neucomback.extract import extract
from pytest_neucomback.models import (
    ApiModel,
    CompilerModel,
    FilesModel,
    Model,
    NoMoreReplies,
    ReplayModel,
    ScriptedModel,
    load_registry,
    resolve_model,
)
from pytest_neucomback.types import Candidate, ModelRequest, Reply, Usage

ASM = "f:\n\tret\n"
REQUEST = ModelRequest(
    messages=({"role": "user", "content": "Compile f."},),
    task="s000",
    arch="x86_64",
    source_path="tasks/s000.c",
    march="x86-64-v3",
)


def ask(model: Model, **changes: Any) -> Reply:
    return asyncio.run(model.complete(dataclasses.replace(REQUEST, **changes)))


def rests_its_case(model: Model, **changes: Any) -> None:
    with pytest.raises(NoMoreReplies):
        ask(model, **changes)


def complaint(make: Any, *arguments: Any, **keywords: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        make(*arguments, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestFiles:
    def test_assembly_is_wrapped(self, tmp_path: Path) -> None:
        """TASK.ARCH.s comes as a fenced block, so that extraction gives the file back."""
        (tmp_path / "s000.x86_64.s").write_text(ASM)
        reply = ask(FilesModel(tmp_path))
        assert reply.text == f"```asm\n{ASM}```\n"
        assert reply.finish_reason == "stop"

    def test_fences_in_the_assembly(self, tmp_path: Path) -> None:
        """Fences in its comments, and a missing newline at its end, do no harm."""
        code = "# ```\nf:\n\tret\t# ````"
        (tmp_path / "s000.x86_64.s").write_text(code)
        assert extract(ask(FilesModel(tmp_path)).text, "f") == Candidate(code + "\n")

    def test_whole_reply(self, tmp_path: Path) -> None:
        """TASK.ARCH.md is the reply itself."""
        (tmp_path / "s000.x86_64.md").write_text("I would rather not.")
        assert ask(FilesModel(tmp_path)).text == "I would rather not."

    def test_later_turns(self, tmp_path: Path) -> None:
        """TASK.ARCH.N.s and .md answer turn N, and after the last the case rests."""
        (tmp_path / "s000.x86_64.1.s").write_text("f:\n")
        (tmp_path / "s000.x86_64.2.md").write_text("second")
        (tmp_path / "s000.x86_64.3.s").write_text(ASM)
        model = FilesModel(tmp_path)
        assert [ask(model, turn=turn).text for turn in (1, 2, 3)] == [
            "```asm\nf:\n```\n",
            "second",
            f"```asm\n{ASM}```\n",
        ]
        rests_its_case(model, turn=4)

    def test_samples_share_files(self, tmp_path: Path) -> None:
        """Every sample gets the same answers."""
        (tmp_path / "s000.x86_64.md").write_text("one")
        model = FilesModel(tmp_path)
        assert ask(model, sample=1).text == ask(model, sample=7).text == "one"

    def test_no_file(self, tmp_path: Path) -> None:
        """An item without a file gets an empty answer, which is judged; other arches' files are not its own."""
        (tmp_path / "s000.aarch64.s").write_text(ASM)
        assert ask(FilesModel(tmp_path)) == Reply(text="", model_id=f"files:{tmp_path}")

    @pytest.mark.parametrize("other", ["s000.x86_64.md", "s000.x86_64.1.s", "s000.x86_64.1.md"])
    def test_two_answers(self, tmp_path: Path, other: str) -> None:
        """Two files for one turn are a mistake, and both are named."""
        (tmp_path / "s000.x86_64.s").write_text(ASM)
        (tmp_path / other).write_text(ASM)
        message = complaint(ask, FilesModel(tmp_path))
        assert str(tmp_path / "s000.x86_64.s") in message
        assert str(tmp_path / other) in message

    def test_missing_folder(self, tmp_path: Path) -> None:
        """A folder that is not there is reported before any work, with what to put there."""
        message = complaint(FilesModel, tmp_path / "none")
        assert message.startswith(f"files:{tmp_path / 'none'}: {tmp_path / 'none'} does not exist. ")
        assert "TASK.ARCH.s" in message

    def test_file_for_a_folder(self, tmp_path: Path) -> None:
        """So is a file in its place."""
        (tmp_path / "x").write_text("")
        assert "is not a folder" in complaint(FilesModel, tmp_path / "x")


def transcript(folder: Path, name: str, *texts: str | None, **changes: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    reply = {
        "reasoning": "hm",
        "finish_reason": "stop",
        "model_id": "r1",
        "usage": {"tokens_in": 1, "tokens_out": 2, "tokens_reasoning": 1},
        "cost_usd": 0.5,
        "latency_s": 3.0,
        "cached": False,
    }
    data = {
        "schema": 1,
        "task": "s000",
        "model": "deepseek-r1",
        "arch": "x86_64",
        "prompt": "baseline",
        "sample": 1,
        "rounds": [
            {
                "turn": turn,
                "kind": "generate",
                "messages": [],
                "reply": None if text is None else {"text": text, **reply},
                "verdict": None,
                "feedback": None,
            }
            for turn, text in enumerate(texts, 1)
        ],
    }
    (folder / name).write_text(json.dumps(data | changes))


class TestReplay:
    @pytest.mark.parametrize("below", ["transcripts", "."])
    def test_replies_in_order(self, tmp_path: Path, below: str) -> None:
        """The recorded replies come turn by turn, from a report or its transcripts folder; then the case rests."""
        transcript(tmp_path / below, "a.json", "one", "two")
        model = ReplayModel(tmp_path)
        assert ask(model) == Reply("one", "hm", "stop", Usage(1, 2, 1), 0.5, "r1", 3.0, cached=True)
        assert ask(model, turn=2).text == "two"
        rests_its_case(model, turn=3)

    def test_items_are_kept_apart(self, tmp_path: Path) -> None:
        """Task, arch and sample choose the transcript."""
        for number, changes in enumerate([{}, {"task": "s111"}, {"arch": "aarch64"}, {"sample": 2}]):
            transcript(tmp_path, f"{number}.json", str(number), **changes)
        model = ReplayModel(tmp_path)
        assert ask(model).text == "0"
        assert ask(model, task="s111").text == "1"
        assert ask(model, arch="aarch64").text == "2"
        assert ask(model, sample=2).text == "3"

    def test_unrecorded_item(self, tmp_path: Path) -> None:
        """An item without a transcript is unjudged, not wrong."""
        transcript(tmp_path, "a.json", "one")
        with pytest.raises(ModelUnavailable, match="no transcript of s999 on x86_64, sample 1"):
            ask(ReplayModel(tmp_path), task="s999")

    def test_unanswered_turn(self, tmp_path: Path) -> None:
        """A turn that the endpoint never answered is passed over."""
        transcript(tmp_path, "a.json", None, "one")
        assert ask(ReplayModel(tmp_path)).text == "one"

    def test_choice_of_model(self, tmp_path: Path) -> None:
        """Several models in a folder need a choice, and the error lists them."""
        transcript(tmp_path, "a.json", "r1")
        transcript(tmp_path, "b.json", "4o", model="gpt-4o")
        assert ask(ReplayModel(tmp_path, "gpt-4o")).text == "4o"
        choices = f"Choose from replay:{tmp_path}#deepseek-r1, replay:{tmp_path}#gpt-4o."
        assert complaint(ReplayModel, tmp_path).endswith(choices)
        assert complaint(ReplayModel, tmp_path, "o1").endswith(choices)

    def test_prompts_that_do_not_overlap(self, tmp_path: Path) -> None:
        """Several prompts are fine while every item was run with one of them."""
        transcript(tmp_path, "a.json", "one")
        transcript(tmp_path, "b.json", "two", task="s111", prompt="learned")
        assert ask(ReplayModel(tmp_path), task="s111").text == "two"

    def test_prompts_that_overlap(self, tmp_path: Path) -> None:
        """Two prompts for one item cannot be told apart."""
        transcript(tmp_path, "a.json", "one")
        transcript(tmp_path, "b.json", "two", prompt="learned")
        message = complaint(ReplayModel, tmp_path)
        assert "a.json and b.json both answer s000 on x86_64, sample 1 (prompts: baseline, learned)." in message

    def test_other_files_are_ignored(self, tmp_path: Path) -> None:
        """A results.json beside the transcripts is none."""
        transcript(tmp_path, "a.json", "one")
        (tmp_path / "results.json").write_text('{"schema": 1, "items": []}')
        assert ask(ReplayModel(tmp_path)).text == "one"

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("{", "not a readable transcript"),
            ('{"rounds": [], "schema": 2}', "transcript schema 2, and this version reads 1"),
            ('{"rounds": [], "schema": 1, "task": 5}', "'task' is missing or no str"),
        ],
    )
    def test_damaged(self, tmp_path: Path, text: str, wanted: str) -> None:
        """A damaged transcript is named."""
        (tmp_path / "a.json").write_text(text)
        message = complaint(ReplayModel, tmp_path)
        assert message.startswith(f"{tmp_path / 'a.json'}: ")
        assert wanted in message

    def test_damaged_reply(self, tmp_path: Path) -> None:
        """So is a damaged reply in it."""
        transcript(tmp_path, "a.json", rounds=[{"reply": {"usage": 5}}])
        assert "a.json: a reply is damaged" in complaint(ReplayModel, tmp_path)

    @pytest.mark.parametrize("exists", [True, False])
    def test_nothing_there(self, tmp_path: Path, exists: bool) -> None:
        """A folder without transcripts is an error, and so is none."""
        folder = tmp_path if exists else tmp_path / "none"
        assert "transcripts/" in complaint(ReplayModel, folder)


class TestCompiler:
    def test_first_turn(self) -> None:
        """The compiler gets source, arch and level, and its assembly comes as a reply with a word before it."""
        calls = []

        def compile_source(*arguments: Any) -> str:
            calls.append(arguments)
            return ASM

        model = CompilerModel("compiler:gcc-O2", compile_source)
        reply = ask(model)
        assert calls == [("gcc", "-O2", Path("tasks/s000.c"), "x86_64", "x86-64-v3")]
        assert reply.text.startswith("This is what gcc -O2 makes of it.\n\n```asm\n")
        assert extract(reply.text, "f", finish_reason=reply.finish_reason) == Candidate(ASM)

    def test_later_turns(self) -> None:
        """A compiler has nothing to add."""
        rests_its_case(CompilerModel("compiler:clang-O1", lambda *_: ASM), turn=2)

    def test_errors_pass(self) -> None:
        """What the compile function raises is not turned into a reply."""

        def compile_source(*_: Any) -> str:
            raise ToolMissing("gcc: apt install gcc")

        with pytest.raises(ToolMissing):
            ask(CompilerModel("compiler:gcc-O0", compile_source))

    @pytest.mark.parametrize(
        "name", ["compiler:", "compiler:gcc", "compiler:tcc-O1", "compiler:gcc-O9", "compiler:gccO2"]
    )
    def test_unknown(self, name: str) -> None:
        """Unknown compilers and levels are answered with the known ones."""
        message = complaint(CompilerModel, name, lambda *_: ASM)
        assert message.startswith(f"{name}: no such compiler. Known: compiler:clang-O0, ")
        assert "compiler:gcc-Os" in message

    def test_fast_math(self) -> None:
        """-Ofast is refused with the reason."""
        assert "-Ofast changes floating-point results" in complaint(CompilerModel, "compiler:gcc-Ofast", lambda *_: ASM)


class TestScripted:
    def test_script(self) -> None:
        """Replies come in order, exceptions are raised, requests are kept, and after the last the case rests."""
        model = ScriptedModel(["one", ModelUnavailable("down"), Reply("three", finish_reason="length")])
        assert ask(model).text == "one"
        with pytest.raises(ModelUnavailable):
            ask(model)
        assert ask(model).finish_reason == "length"
        rests_its_case(model)
        assert model.requests == [REQUEST] * 4


class TestResolve:
    def resolve(self, text: str, **keywords: Any) -> Model:
        return resolve_model(text, registry=load_registry(), compile_source=lambda *_: ASM, **keywords)

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("deepseek-r1", ApiModel),
            ("openai:org/model:7b", ApiModel),
            ("compiler:clang-O3", CompilerModel),
            ("files:answers", FilesModel),
            ("replay:report", ReplayModel),
            ("replay:report#deepseek-r1", ReplayModel),
        ],
    )
    def test_kinds(self, tmp_path: Path, text: str, kind: type) -> None:
        """Each kind of string gives its model, named as written, with an identity fit for JSON."""
        (tmp_path / "answers").mkdir()
        transcript(tmp_path / "report" / "transcripts", "a.json", "one")
        model = self.resolve(text, root=tmp_path, environ={})
        assert type(model) is kind
        assert model.name == text
        assert json.loads(json.dumps(model.identity())) == model.identity()
        assert model.cacheable == (kind is ApiModel)

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("deepseek-r2", "Did you mean deepseek-r1"),
            ("", "unknown model ''"),
            ("ollama:llama3", "unknown kind of model 'ollama:llama3'. Known: a registry name, openai:MODEL_ID, "),
            ("files:", "names no folder. Write files:DIR."),
            ("replay:#m", "names no folder. Write replay:DIR."),
            ("local:tiny", "write openai:MODEL_ID"),
            ("openai:", "Write openai:MODEL_ID"),
        ],
    )
    def test_mistakes(self, text: str, wanted: str) -> None:
        """Strings that name no model are answered with what to write instead."""
        assert wanted in complaint(self.resolve, text, environ={})
