"""A record like any other, for tests that change a field or two of it."""

from pytest_neucomback.types import Record

PLAIN = Record(
    task="s000", suite="l2", source="ir-O3", seed=1, level="l2", split="test", model="m", arch="x86_64",
    prompt="baseline", sample=1, verdict="correct", detail="", first_verdict="correct", initial_verdict="correct",
    debug_rounds=0, opt_rounds=0, tokens_in=100, tokens_out=10, cost_usd=0.5, timing=None, code_bytes=10,
    candidate_file=None, transcript_file=None,
)  # fmt: skip
