"""Shared by tasks/ and tests/: the plugin under test is installed; pytester runs pytest inside tests."""

pytest_plugins = ["pytester"]
