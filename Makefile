# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Targets are files where that is possible, so a second call does only what is missing.
#   make demo PYTHON=python3.12   chooses the interpreter of .venv
#   make bench WITH=--write-readme   more words for the script; this one puts the table into README.md

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
JOBS    ?= 2
TORCH   := $(shell sed -n 's/^torch==//p' constraints.txt)
LAVA    := $(shell sed -n 's/^lava-nc==//p' constraints.txt)
FASHION := /usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz
CHROMIUM := /usr/bin/chromedriver
SANAFE  := 2.2.9
BENCH   := out/bench-loihi-sim.sbnn out/bench-truenorth-sim.sbnn
PIP     := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export OMP_NUM_THREADS ?= 1

# Debian packages $(1), as root or where sudo asks nothing; where that fails, $(2) says so and the rest goes on.
define DEBIAN
	@sudo=; [ "$$(id -u)" = 0 ] || sudo='sudo -n'; \
	get() { $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $(1); }; \
	if ! command -v apt-get >/dev/null || ! $$sudo true 2>/dev/null || \
	   ! { get || { $$sudo apt-get -qq update && get; }; } >/dev/null 2>&1; then \
	  echo '$(2) To get it, as root:' >&2; \
	  echo '    apt-get update && apt-get install $(1)' >&2; \
	fi
endef

.PHONY: demo test opinion bench growth lint types contract clean help

help:
	@echo 'make demo    map a trained net onto two chips, run and verify 10,000 frames, report energy'
	@echo 'make test    linter, type check, import contract, all tests'
	@echo 'make opinion SANA-FE counts the demo net on Loihi over 100 frames, and must count what we count'
	@echo 'make bench   how fast the simulators are, beside NumPy, torch, onnxruntime, Brian2 and Lava; about 6 minutes'
	@echo 'make growth  how time grows with frames, neurons, synapses, cores and density'
	@echo 'make lint    linter, type check, import contract only'
	@echo 'make clean   remove .venv, out/ and all caches'

demo: $(VENV)/demo.stamp $(FASHION)
	@$(BIN)/python examples/demo.py

test: lint $(CHROMIUM) $(VENV)/sanafe.stamp
	@export SPIKEBNN_SANAFE_PYTHON=$${SPIKEBNN_SANAFE_PYTHON-$$(cat $(VENV)/sanafe.stamp)}; \
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

opinion: $(VENV)/demo.stamp $(VENV)/sanafe.stamp out/bench-loihi-sim-sanafe2025.sbnn
	@test -s $(VENV)/sanafe.stamp || { echo 'make: SANA-FE is not installed' >&2; exit 3; }
	$(BIN)/spikebnn exchange out/bench-loihi-sim-sanafe2025.sbnn --data examples/fashion_mnist/test_500.npz --limit 100 \
	  -o out/sanafe --python "$$(cat $(VENV)/sanafe.stamp)"

bench: $(VENV)/bench.stamp $(VENV)/sanafe.stamp out/bench.npz $(BENCH)
	@export SPIKEBNN_SANAFE_PYTHON=$${SPIKEBNN_SANAFE_PYTHON-$$(cat $(VENV)/sanafe.stamp)}; \
	$(BIN)/python -W ignore benchmarks/bench.py $(WITH)
	@for program in $(BENCH); do $(BIN)/spikebnn bench $$program --data out/bench.npz; echo; done

growth: $(VENV)/demo.stamp
	$(BIN)/python benchmarks/growth.py $(WITH)

out/bench.npz: $(VENV)/demo.stamp $(FASHION)
	@mkdir -p out
	@if [ -e $(FASHION) ]; then $(BIN)/python -m spikebnn.data fashion-mnist --limit 4096 -o $@; \
	else cp examples/fashion_mnist/test_500.npz $@; fi

out/bench-%.sbnn: examples/fashion_mnist/net.pt $(VENV)/demo.stamp
	@mkdir -p out
	@$(BIN)/spikebnn map $< --target $* -o $@ --quiet

lint types contract: $(VENV)/test.stamp

lint: types contract
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

contract:
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, in three steps. torch comes first and alone: pinned, pip takes a CPU build where one is at
# hand; asked for by another package's range it would bring gigabytes of CUDA libraries.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo 'make: spikebnn needs Python 3.10 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo 'make: $(PYTHON) cannot make an environment; on Debian: sudo apt-get install python3-venv' >&2; exit 1; }

$(VENV)/torch.stamp: $(BIN)/python constraints.txt
	@echo 'Installing torch $(TORCH) into $(VENV) ...'
	@$(PIP) -c constraints.txt 'torch==$(TORCH)'
	@touch $@

$(VENV)/demo.stamp: $(VENV)/torch.stamp pyproject.toml
	@echo 'Installing spikebnn into $(VENV) ...'
	@$(PIP) -c constraints.txt -e '.[torch,fast,html]'
	@touch $@

$(VENV)/bench.stamp: $(VENV)/demo.stamp
	@echo 'Installing whom we are timed beside into $(VENV) ...'
	@$(PIP) -c constraints.txt -e '.[torch,fast,html,brian2,lava,bench]'
	@$(PIP) --ignore-requires-python --no-deps 'lava-nc==$(LAVA)'
	@touch $@

$(VENV)/test.stamp: $(VENV)/demo.stamp
	@echo 'Installing what the tests need into $(VENV) ...'
	@$(PIP) -c constraints.txt -e '.[torch,fast,html,brian2,lava,sensors,bench,test,dev]'
	@$(PIP) --ignore-requires-python --no-deps 'lava-nc==$(LAVA)'
	@touch $@

# Fashion-MNIST, 31 MB, MIT licence. Without it the demo runs on the sensor data in examples/data.
$(FASHION):
	@echo 'Getting Fashion-MNIST: Debian package dataset-fashion-mnist ...'
	$(call DEBIAN,dataset-fashion-mnist,Fashion-MNIST could not be installed; going on with the sensor data.)

# A browser, in which the tests open the pages.
$(CHROMIUM):
	@echo 'Getting Chromium: Debian packages chromium and chromium-driver ...'
	$(call DEBIAN,chromium chromium-driver,Chromium could not be installed; pages will NOT be tested in a browser.)

# SANA-FE is GPL: a program of its own, in an environment of its own, that the tests call with files.
$(VENV)/sanafe.stamp: $(BIN)/python
	@echo 'Installing SANA-FE $(SANAFE) into $(VENV)/sanafe ...'
	@$(BIN)/python -m venv $(VENV)/sanafe && \
	  $(VENV)/sanafe/bin/python -m pip install --quiet --disable-pip-version-check 'sanafe==$(SANAFE)' && \
	  echo '$(CURDIR)/$(VENV)/sanafe/bin/python' > $@ || \
	  { echo 'SANA-FE could not be installed; it will NOT be tested against.' >&2; : > $@; }
