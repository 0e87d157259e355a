# The few commands that people type. Each does all of its own set-up (as root on Debian 12 with Rust, Go and Python)
# and can simply be run again: what is there already is not made twice.
#
#   make demo   a local AWS and Kubernetes, `tritondeploy up` on it, and a real photograph classified (25 min cold, 1 warm)
#   make test   every test, the whole path included (45 min cold, 25 warm)
#   make lint   formatting, lints, unused dependencies, licences
#   make mutants  mutation tests of the engine: lists the changes to it that no test notices (1 h)
#   make matrix  every mutating AWS call of `up` and `down`, its answer lost or the program killed there, and then `up` or `down`; the same of writes to Kubernetes and the registry (40 min, longer the first time)
#   make fuzz   a minute of fuzzing for each of the gateway's four readers, two at a time; inputs that crash are kept and named
#   make bench  the gateway against Triton itself: every row of docs/benchmarks.md, which it writes; then the walks (40 min, longer the first time)
#   make bench-walks  the walks alone: idle time of `up` and `down`, API calls, memory, the engine on 5,000 nodes (15 min, longer the first time)
#   make soak   ten minutes of mixed load with cancels: every answer verified, memory flat
#   make hostile  attacks on the gateway, each beside a polite client: its memory, its health, that client's latency (10 min)
#   make dist   tritondeploy and its gateway, optimised and stripped, in $(DIST) (15 min the first time)

SHELL := /bin/bash
export CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tritondeploy
# Nothing is written into the checkout.
export CARGO_TARGET_DIR ?= $(CACHE)/target
TARGET := x86_64-unknown-linux-gnu
DIST ?= $(CACHE)/dist

.PHONY: help demo test lint mutants matrix fuzz bench bench-walks soak hostile dist ours

# Cargo goes by times: what another checkout has built since, into the same folder, would pass for built from this one.
demo test lint matrix fuzz bench bench-walks soak hostile dist: ours
ours:
	@mkdir -p "$(CARGO_TARGET_DIR)"
	@test "$$(cat "$(CARGO_TARGET_DIR)/checkout" 2>/dev/null)" = "$(CURDIR)" || { \
	  find . \( -name .git -o -name target \) -prune -o -type f -exec touch -c {} + && \
	  echo "$(CURDIR)" > "$(CARGO_TARGET_DIR)/checkout"; }

help:
	@sed -n 's/^#   //p' Makefile

demo:
	@sandbox/demo

test:
	@tests/run

lint:
	@tests/lint

mutants:
	@src/engine/mutants

matrix:
	@tests/matrix/run

fuzz:
	@gateway/fuzz/run

bench:
	@gateway/bench/run bench
	@tests/bench/run

bench-walks:
	@tests/bench/run

soak:
	@gateway/bench/run soak

hostile:
	@gateway/bench/run hostile

dist:
	cargo build --release --locked -p tritondeploy -p tritondeploy-gateway
	install -D -t $(DIST) $(CARGO_TARGET_DIR)/$(TARGET)/release/tritondeploy $(CARGO_TARGET_DIR)/$(TARGET)/release/tritondeploy-gateway
	@echo "$(DIST): tritondeploy and tritondeploy-gateway; keep them together, tritondeploy looks for the gateway beside itself"
