"""Exceptions. Each message says what went wrong, where, and how to mend it."""

from __future__ import annotations


class NeucombackError(Exception):
    """Base of all errors this package raises on purpose."""


class ConfigError(NeucombackError):
    """A user's input is unusable: option, task file, arch row, prompt, model string. Raised before work starts."""


class ToolMissing(NeucombackError):
    """A program is not installed; the message holds the command that installs it."""


class SandboxUnavailable(NeucombackError):
    """A sandbox layer cannot be set up here, so nothing may run."""


class ModelUnavailable(NeucombackError):
    """A model gave no reply: endpoint down, key refused, time-out. The item is ``unjudged``, not wrong."""


class BudgetSpent(ModelUnavailable):
    """--nc-budget-usd or --nc-budget-tokens is used up. The item is ``unjudged``; a larger budget goes on."""


class HarnessError(NeucombackError):
    """Our own part failed (golden build, driver, sandbox start). The item is ``unjudged``."""


class ProfileTooLarge(HarnessError):
    """A program runs through more code than a profile has room for. It can still be counted as a whole."""


class JudgingTimeout(NeucombackError):
    """``--timeout`` of pytest-timeout ran out while judging. The item is ``unjudged``."""
