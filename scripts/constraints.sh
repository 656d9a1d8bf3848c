#!/bin/sh
# Write constraints.txt from what .venv holds now: run it after the tests have passed with new versions.
set -eu
cd "$(dirname "$0")/.."
{
    echo "# The versions the tests passed with. Made by scripts/constraints.sh."
    .venv/bin/pip list --format freeze --exclude-editable |
        grep -v -i -E '^(pip|setuptools|wheel|napari-pccs)==' | sed 's/+cpu$//; s/+cu[0-9]*$//' | LC_ALL=C sort -f
} >constraints.txt.new
mv constraints.txt.new constraints.txt
