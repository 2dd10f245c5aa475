"""Shared by tasks/ and tests/. The plugin is installed, so there is nothing to load here."""

# Reports hold candidates and transcripts, benchmarks are programs: neither holds tests.
collect_ignore = ["benchmarks", "reports"]
