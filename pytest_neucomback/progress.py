"""The progress line: rewritten in place on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, TextIO

from .engine import Engine
from .report import progress_line

TICK_S = 1.0
LINE_EVERY_S = 30.0
LINE_EVERY_SHARE = 0.1


class ProgressLine:
    """Shows an engine's progress on pytest's terminal reporter."""

    def __init__(self, engine: Engine, reporter: Any) -> None:
        self._engine, self._reporter = engine, reporter
        self._tty = bool(reporter.isatty) and reporter.verbosity <= 0
        self._quiet = reporter.verbosity < -1
        self._shown = 0.0
        self._shown_share = 0.0
        self._shown_text = ""
        self._width = 0
        self._stream = past_capture(reporter._tw._file)
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin to show."""
        if self._quiet:
            return
        if self._reporter.verbosity <= 0 and hasattr(self._reporter, "_show_progress_info"):
            self._reporter._show_progress_info = False  # ours says more than the percentage at the line's end
        threading.Thread(target=self._tick, name="neucomback-progress", daemon=True).start()

    def stop(self) -> None:
        """Show the last state and leave the line."""
        if self._ended.is_set() or self._quiet:
            return
        self._ended.set()
        with self._lock:
            if self._tty:
                self._rewrite()
                self._write("\n")
            elif self._engine.progress.total:
                self._line()

    def clear(self) -> None:
        """Make room for somebody else's line."""
        if self._tty and not self._ended.is_set():
            with self._lock:
                self._write("\r" + " " * self._width + "\r")

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            with self._lock:
                if self._ended.is_set() or not self._engine.progress.total:
                    continue
                if self._tty:
                    self._rewrite()
                else:
                    self._maybe_line()

    def _text(self) -> str:
        progress = self._engine.progress
        elapsed = time.monotonic() - progress.started
        # what an earlier part of the run had done says nothing about the pace of this one
        return progress_line(
            progress.done,
            progress.total,
            progress.correct,
            progress.judged,
            progress.usage,
            progress.cost_usd,
            elapsed * progress.done / max(progress.done - progress.resumed, 1),
            progress.in_flight,
            self._engine.desk.pool.waiting + self._engine.desk.pool.busy,
            faster=progress.faster,
        )

    def _rewrite(self) -> None:
        text = self._text()
        width = self._reporter._tw.fullwidth - 1
        text = text[:width]
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)

    def _maybe_line(self) -> None:
        progress = self._engine.progress
        share = progress.done / progress.total
        now = time.monotonic()
        if share >= self._shown_share + LINE_EVERY_SHARE or (now - self._shown >= LINE_EVERY_S and self._shown):
            self._line()
            self._shown_share = share
        if not self._shown:
            self._shown = now

    def _line(self) -> None:
        text = self._text()
        self._shown = time.monotonic()
        if text == self._shown_text:
            return
        self._shown_text = text
        begun = self._reporter.currentfspath or self._reporter._tw.width_of_current_line
        if getattr(self._reporter.config.option, "dist", "no") == "no":
            # without a line end: pytest begins a new line of its own, for -2 is no test's place
            self._write(("\n" if begun else "") + text)
            self._reporter.currentfspath = -2
        else:
            self._reporter.ensure_newline()
            self._write(("\n" if self._reporter._tw.width_of_current_line else "") + text + "\n")

    def _write(self, text: str) -> None:
        self._reporter._tw.flush()
        self._stream.write(text)
        self._stream.flush()


def past_capture(stream: TextIO) -> TextIO:
    """The same terminal under a descriptor of its own: what a thread prints while a test runs is captured otherwise."""
    try:
        return os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace")
    except (OSError, ValueError):  # not a file
        return stream
