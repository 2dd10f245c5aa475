"""Being here puts this folder on the import path, so that tests can write ``from loopback import …``."""

# Not in the checkout's top folder: from there it would reach, and break, sessions elsewhere that collect items.py.
pytest_plugins = ["pytester"]
