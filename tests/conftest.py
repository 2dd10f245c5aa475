"""Being here puts this folder on the import path, so that tests can write ``from loopback import …``."""
