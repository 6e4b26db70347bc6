# The doors of this repository. `make run` and `make test` are all that a fresh Debian 12 needs.
BUILD ?= build
JOBS := $(shell nproc 2> /dev/null || echo 2)
CCACHE := $(if $(shell command -v ccache),-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
CONFIGURE = cmake -G Ninja $(CCACHE) -S .
FUZZ_SECONDS ?= 60
SOAK_MINUTES ?= 30
# How long `make check` may spend in clang-tidy; what it did not get to is said.
TIDY_SECONDS ?= 150

.PHONY: all run test check redis-suite compatibility bench asan tsan clang fuzz soak mutants format clean

# The server alone, for release. Without the tests, whose packages it then does not need.
all:
	@scripts/install-deps build
	@[ -e $(BUILD)/build.ninja ] || $(CONFIGURE) -B $(BUILD) -DTESTS=OFF > /dev/null
	@ninja -C $(BUILD) cartwheel

run: all
	@exec scripts/run-local $(BUILD)/cartwheel

test:
	@start=$$(date +%s) && scripts/install-deps test && installed=$$(($$(date +%s) - start)) && \
	$(CONFIGURE) -B $(BUILD) -DTESTS=ON > /dev/null && \
	exec scripts/run-tests $(BUILD) --installed $$installed -LE soak

# The one door before a commit: layout, rules, warnings, tidy, unit tests, scripts, a minute of
# simulation.
check:
	@scripts/install-deps
	@scripts/format --check
	@$(CONFIGURE) -B $(BUILD) -DTESTS=ON > /dev/null
	@ninja -C $(BUILD)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) -L 'unit|script|rules'
	@scripts/simulate $(BUILD) --seconds 60
	@scripts/tidy $(BUILD) --seconds $(TIDY_SECONDS)

# All units of Redis's own test suite on a ring of three, and the table of them in the documents.
redis-suite: all
	@scripts/install-deps test
	@CARTWHEEL=$(abspath $(BUILD))/cartwheel python3 redis-tests/redis_suite.py --check-reasons
	@CARTWHEEL=$(abspath $(BUILD))/cartwheel python3 redis-tests/redis_suite.py \
	  --write docs/redis-compatibility.md

# The table of commands in the documents, as the server tells it.
compatibility: all
	@scripts/install-deps test
	@CARTWHEEL=$(abspath $(BUILD))/cartwheel python3 redis-tests/compatibility.py

bench: all
	@scripts/install-deps
	@$(CONFIGURE) -B $(BUILD) -DTESTS=ON > /dev/null
	@ninja -C $(BUILD)
	@exec bench/run_bench $(BUILD)

asan:
	@scripts/install-deps
	@$(CONFIGURE) -B build-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSANITIZE=address,undefined > /dev/null
	@exec scripts/run-tests build-asan -LE 'soak|rules'

# Only what has threads: the engine with its log and checkpoints, and the processes.
tsan:
	@scripts/install-deps
	@$(CONFIGURE) -B build-tsan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSANITIZE=thread > /dev/null
	@exec scripts/run-tests build-tsan -L threads -LE soak

clang:
	@scripts/install-deps
	@$(CONFIGURE) -B build-clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang > /dev/null
	@exec scripts/run-tests build-clang -L 'unit|script'

fuzz:
	@scripts/install-deps
	@$(CONFIGURE) -B build-fuzz -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER=clang++ \
	  -DCMAKE_C_COMPILER=clang -DSANITIZE=address,undefined -DFUZZERS=ON > /dev/null
	@exec scripts/fuzz build-fuzz $(FUZZ_SECONDS)

# A thousand kills, new seeds of the simulator, new schedules of faults, and the process tests.
soak:
	@scripts/install-deps test
	@$(CONFIGURE) -B $(BUILD) -DTESTS=ON > /dev/null
	@ninja -C $(BUILD)
	@exec scripts/soak $(BUILD) $(SOAK_MINUTES)

# Breaks the code on purpose, one place at a time: the tests must notice.
mutants:
	@scripts/install-deps test
	@exec scripts/mutants

format:
	@scripts/install-deps
	@scripts/format

clean:
	rm -rf build build-asan build-tsan build-clang build-fuzz
