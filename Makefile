# make demo | test | lint | bench | docs | screenshots | clean        (each installs what it needs first)
PY := .venv/bin/python
ARGS ?=
# A window needs a screen; on a machine without one the tests bring a virtual one along.
SCREEN = $(if $(DISPLAY)$(WAYLAND_DISPLAY),,$(if $(shell command -v xvfb-run),xvfb-run -a -s "-screen 0 1400x900x24",))

.PHONY: help venv demo test lint bench docs screenshots clean

help:
	@echo "make demo         see it work: in napari when there is a screen, else in pictures (demo-output/)"
	@echo "make test         run all tests (ARGS='-k name' to choose)"
	@echo "make lint         style, types, plugin manifest, known vulnerabilities (AUDIT=--strict: also fail offline)"
	@echo "make bench        the quick form of every benchmark"
	@echo "make docs         build the documentation into site/"
	@echo "make screenshots  take the pictures of the documentation again"
	@echo "make clean        remove what was built (not .venv)"

venv:
	@scripts/install.sh

demo: venv
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname -s)" = Darwin ]; then \
		$(PY) -m pccs.samples cells demo-output/cells.pccs && $(PY) -m napari_pccs demo-output/cells.pccs; \
	else \
		$(PY) -m pccs demo -o demo-output; \
	fi

test:
	@scripts/install.sh test
	@PYTHONDONTWRITEBYTECODE= NAPARI_STRICT_QT=1 $(SCREEN) $(PY) -m pytest -n 2 --dist loadfile $(ARGS)

lint: venv
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/npe2 validate napari_pccs/napari.yaml
	$(PY) scripts/audit.py $(AUDIT)

bench: venv
	@status=0; for file in benchmarks/[a-z]*.py; do \
		name=$$(basename $$file .py); \
		echo "== $$name"; \
		$(PY) -m benchmarks.$$name --quick || status=1; \
	done; exit $$status

docs: venv
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

screenshots:
	@scripts/install.sh test
	@$(SCREEN) $(PY) docs/screenshots.py

clean:
	rm -rf build dist site demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
