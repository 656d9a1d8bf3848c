"""Speed and accuracy, each one command: ``python -m benchmarks.NAME [--quick] [--json FILE]``."""

import os

# Before torch is loaded: threads that spin while they wait slow down whoever shares the machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
