"""``python -m pccs``: the command ``pccs``."""

import sys

from pccs.cli import main

if __name__ == "__main__":
    sys.exit(main())
