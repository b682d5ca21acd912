"""``python -m orchestration`` is the command ``loop``."""

from orchestration.cli import main

main()
