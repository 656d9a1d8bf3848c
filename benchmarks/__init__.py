"""Speed and accuracy, each one command: ``python -m benchmarks.NAME [--quick] [--json FILE]``."""
