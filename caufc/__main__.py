"""``python -m caufc`` is the command ``caufc``."""

from .cli.main import main

main()
