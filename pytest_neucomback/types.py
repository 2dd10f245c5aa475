"""The values that travel between the rooms of the plugin.

Data flow: ``Task`` -> ``Prompt`` + conversation -> ``Candidate`` -> ``Build`` -> run -> ``Verdict`` ->
``Timing`` -> ``Record``. Everything here is a frozen value with no behaviour that touches the outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypedDict


class Outcome(StrEnum):
    """The nine words a verdict can be (contract)."""

    CORRECT = "correct"
    WRONG_OUTPUT = "wrong_output"
    ABI_VIOLATION = "abi_violation"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    FORBIDDEN = "forbidden"
    BUILD_FAILED = "build_failed"
    NO_CANDIDATE = "no_candidate"
    UNJUDGED = "unjudged"


class Message(TypedDict):
    """One turn of a conversation, in the chat format every endpoint speaks."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Usage:
    """Tokens of one or several replies, as the endpoint counts them."""

    tokens_in: int = 0
    """Prompt tokens, cached ones included."""
    tokens_out: int = 0
    """Completion tokens, reasoning included."""
    tokens_reasoning: int = 0
    """The part of ``tokens_out`` spent on reasoning; 0 when the endpoint does not say."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.tokens_reasoning + other.tokens_reasoning,
        )


@dataclass(frozen=True)
class ModelRequest:
    """What a model is asked: a conversation, and where in the run it stands."""

    messages: tuple[Message, ...]
    """The conversation so far; the last message is the one to answer."""
    task: str
    """Task name, e.g. ``s000``."""
    arch: str
    source_path: str
    """The task's C file; only models that are compilers read it."""
    march: str
    """ISA level, e.g. ``x86-64-v3``."""
    turn: int = 1
    """1 for the first request of an item, then counting every later one."""
    sample: int = 1
    """Which independent sample of the item this is, from 1."""


@dataclass(frozen=True)
class Reply:
    """One answer of a model."""

    text: str
    """The answer itself; reasoning the endpoint delivers separately is not in here."""
    reasoning: str = ""
    """``reasoning_content`` or ``reasoning`` of the endpoint, never parsed for code."""
    finish_reason: str = "stop"
    """``stop``, ``length`` (cut off), ``content_filter``, or what the endpoint says."""
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = None
    """Price by the registry's table; None when the price is unknown."""
    model_id: str = ""
    """The model the endpoint says has answered."""
    latency_s: float = 0.0
    """Seconds from sending to the last byte, retries excluded."""
    cached: bool = False
    """True when the reply came from the reply cache and cost nothing now."""


@dataclass(frozen=True)
class Candidate:
    """Assembly taken out of a reply."""

    assembly: str
    notes: tuple[str, ...] = ()
    """What extraction had to mend or assume, in words (``intel syntax: ...``)."""


@dataclass(frozen=True)
class NoCandidate:
    """Why a reply holds no assembly, in one sentence a model can act on."""

    reason: str


@dataclass(frozen=True, eq=False)
class Verdict:
    """The oracle's decision on one candidate. It compares equal to its word: ``verdict == "correct"``."""

    outcome: Outcome
    detail: str = ""
    """One line: what is wrong, for tables and records."""
    diagnostic: str = ""
    """Several lines for the model and for people; holds no raw address and no expected-output dump."""
    fixed_vectors: int = 0
    """Vectors of the fixed stage that ran."""
    fresh_vectors: int = 0
    """Fresh random vectors that ran."""
    failing_vector: str = ""
    """The vector to draw again to see the failure (``fresh:SEED:INDEX``); empty for the fixed stage."""
    golden_s: float = 0.0
    """Seconds the golden build needed for all vectors that ran."""

    @property
    def correct(self) -> bool:
        return self.outcome is Outcome.CORRECT

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Verdict):
            return self.outcome == other.outcome and self.detail == other.detail
        if isinstance(other, str):
            return self.outcome.value == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.outcome)

    def __str__(self) -> str:
        return f"{self.outcome.value}: {self.detail}" if self.detail else self.outcome.value


@dataclass(frozen=True)
class Judgement:
    """A verdict and what is known of the build."""

    verdict: Verdict
    code_bytes: int | None
    """Size of the candidate's code; None when it did not build."""
    judge_s: float
    """Seconds of judging."""
    discarded_vectors: int = 0
    """Inputs that were drawn and put aside because the task's C is undefined on them."""


@dataclass(frozen=True)
class Costs:
    """What a program costs beside time; each None where nothing here can tell."""

    stack_bytes: int | None = None
    """Written below the caller's stack pointer by the deepest of one call for each of the first fixed vectors."""
    static_cycles: float | None = None
    """Of the calls that instructions are counted in, by llvm-mca, on ``static_cpu``; only for emulated arches, and only
    for code that is one loop."""
    static_cpu: str = ""
    peak_bytes: int | None = None
    """Most memory the process had while it was timed, the harness's own included."""
    energy_uj: float | None = None
    """Microjoule of the processor package per call (``--nc-energy``)."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Timing:
    """Candidate against reference, in nanoseconds of kernel time per call."""

    native: bool
    candidate_ns: float | None
    """Median over launches; None where no honest clock exists (emulated arches)."""
    reference_ns: float | None
    speedup: float | None
    """reference / candidate; above 1 the candidate is faster."""
    speedup_ci: tuple[float, float] | None
    """99 % interval of ``speedup`` over launches."""
    outcome: Literal["faster", "tied", "slower"] | None
    candidate_samples_ns: tuple[float, ...] = ()
    reference_samples_ns: tuple[float, ...] = ()
    instructions: int | None = None
    """Executed by the candidate's code on the first fixed vectors, a call for each; None where nothing counts them."""
    reference_instructions: int | None = None
    hot_lines: tuple[tuple[int, int], ...] = ()
    """Lines of the candidate's assembly, from 1, that most of ``instructions`` come from, with how many each executes;
    most first, at most 8. Empty where they are not known."""
    costs: Costs = Costs()
    reference_costs: Costs = Costs()
    reference: str = ""
    """What ``reference_ns`` is of, such as ``clang-O3``."""
    working_set_bytes: int | None = None
    """Of the objects a call may reach: how they fit the caches decides what a speed-up is of."""
    launches: int = 0
    """Pairs of processes that were started; more where the answer was not clear at once."""
    note: str = ""
    """Why there is no time, or what to know about it."""

    def as_json(self) -> dict[str, Any]:
        """The ``timing`` object of results.json; the samples live in the benchmark JSON instead."""
        return {
            "native": self.native,
            "candidate_ns": self.candidate_ns,
            "reference_ns": self.reference_ns,
            "speedup": self.speedup,
            "speedup_ci": list(self.speedup_ci) if self.speedup_ci else None,
            "outcome": self.outcome,
            "reference": self.reference,
            "working_set_bytes": self.working_set_bytes,
            "launches": self.launches,
            "instructions": self.instructions,
            "reference_instructions": self.reference_instructions,
            "hot_lines": [list(line) for line in self.hot_lines],
            "costs": self.costs.as_json(),
            "reference_costs": self.reference_costs.as_json(),
            "note": self.note,
        }


@dataclass(frozen=True, order=True)
class ItemKey:
    """Names one item: task x model x arch x prompt x sample."""

    task: str
    """Task id, unique in the run (``s000``, or ``folder/s000`` when two suites share a name)."""
    model: str
    arch: str
    prompt: str
    sample: int = 1

    def item_id(self, samples: int = 1) -> str:
        """The text between the brackets of the pytest node id (contract)."""
        tail = f"-k{self.sample}" if samples > 1 else ""
        return "-".join(part for part in (self.task, self.model, self.arch, self.prompt) if part) + tail


@dataclass(frozen=True)
class Record:
    """One line of results.jsonl and one entry of ``items`` in results.json (contract)."""

    task: str
    suite: str
    source: str
    seed: int
    level: str
    split: str
    model: str
    arch: str
    prompt: str
    sample: int
    verdict: str
    detail: str
    first_verdict: str
    initial_verdict: str
    debug_rounds: int
    opt_rounds: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    timing: Mapping[str, Any] | None
    code_bytes: int | None
    candidate_file: str | None
    transcript_file: str | None
    # Beyond the contract.
    initial_timing: Mapping[str, Any] | None = None
    """Timing before optimisation rounds, for table 3."""
    diagnostic: str = ""
    """The oracle's full diagnostic of the final candidate."""
    input_free: bool = False
    timed: bool = False
    """Whether a time was wanted for this item, so that ACC+Perf counts it."""
    tokens_reasoning: int = 0
    requests: int = 0
    """Requests sent to the endpoint for this item in this run, cached replies not counted."""
    fixed_vectors: int = 0
    fresh_vectors: int = 0
    judge_s: float = 0.0
    """Seconds of judging, waiting excluded."""
    discarded_vectors: int = 0
    """Inputs of the final verdict's drawing that were put aside because the task's C is undefined on them."""

    @property
    def key(self) -> ItemKey:
        return ItemKey(self.task, self.model, self.arch, self.prompt, self.sample)
