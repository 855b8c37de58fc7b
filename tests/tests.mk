# Unit tests: tests/unit/test_X.c runs on the library as shipped, tests/double/test_X.c on its double-precision build.
# Command-line tests: tests/cli/*.bats run the real binary; tests/python/*.py compare with others' libraries where they are.
# tests/run.sh runs all and adds up.

TEST_FLAGS = -Itests -isystem /usr/include/cmocka $(shell pkg-config --cflags cmocka)
# The checker that watches, if any, and the programs that say why they do not run under it.
export VAE_CHECKER
UNCHECKED := $(if $(VAE_CHECKER),$(shell grep -l 'Not under .*$(VAE_CHECKER).*: ' tests/unit/*.c tests/double/*.c))
programs = $(patsubst tests/%.c,$(BUILD)/tests/%,$(filter-out $(UNCHECKED),$(wildcard tests/$(1)/test_*.c)))
UNIT_TESTS := $(call programs,unit)
DOUBLE_TESTS := $(call programs,double)
TEST_LIBS = $(shell pkg-config --libs cmocka) $(LDLIBS)

$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libvae.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(TEST_FLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(TEST_OBJECTS) $(BUILD)/libvae.a $(TEST_LIBS) $(TEST_LDFLAGS) -o $@
$(BUILD)/tests/double/%: tests/double/%.c $(BUILD)/libvae-double.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(TEST_FLAGS) -DVAE_DOUBLE $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libvae-double.a $(TEST_LIBS) -o $@

$(BUILD)/tests/tools/%: tests/tools/%.c $(BUILD)/libvae.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP $(LDFLAGS) $< $(BUILD)/libvae.a $(LDLIBS) -o $@

# Plug-ins: a right one, and one for each thing that can be wrong with it. Not under a checker, which would find it first.
PLUGINS := $(shell sed -n '/^enum broken/,/^}/s/^    \([a-z_]*\),*$$/\1/p' tests/plugins/broken.c)
$(BUILD)/tests/plugins/%.so: tests/plugins/broken.c include/vae_prior.h include/vae.h
	@mkdir -p $(@D)
	$(CC) -Iinclude -std=c11 -O2 $(MATHS) $(WARNINGS) -shared -fPIC -DBROKEN=$* '-DNAME="$*"' \
	  $(if $(filter no_symbol,$*),-Dvae_prior_plugin=other) $< -lm -o $@

# The k-th allocation fails: the library's calls of the allocator go through the test's.
$(BUILD)/tests/unit/test_memory: TEST_LDFLAGS = -Wl,--wrap=malloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=strdup
$(BUILD)/tests/unit/test_fuzz: $(BUILD)/tests/fuzz/targets.a
$(BUILD)/tests/unit/test_fuzz: TEST_OBJECTS = $(BUILD)/tests/fuzz/targets.a
$(BUILD)/tests/unit/test_fuzz: TEST_LDFLAGS = $(FUZZ_LDFLAGS)
# Its calls of the system go into a log, and fail one by one.
$(BUILD)/tests/unit/test_write_file: TEST_LDFLAGS = -Wl,--wrap=open,--wrap=write,--wrap=fsync,--wrap=close,--wrap=rename,--wrap=unlink,--wrap=flock,--wrap=fcntl
# Reads that are short, and files that cannot be opened.
$(BUILD)/tests/unit/test_source: TEST_LDFLAGS = -Wl,--wrap=pread,--wrap=open
# A clock that the test sets, products and images that it counts.
$(BUILD)/tests/unit/test_bench: TEST_LDFLAGS = -Wl,--wrap=clock_gettime,--wrap=cblas_sgemm,--wrap=openblas_set_num_threads,--wrap=images_gather
# Tiles that are counted and not run.
$(BUILD)/tests/unit/test_tiles: TEST_LDFLAGS = -Wl,--wrap=pool_run,--wrap=cblas_sgemm

.PHONY: test-programs
test-programs: all $(UNIT_TESTS) $(DOUBLE_TESTS) $(addprefix $(BUILD)/tests/tools/,dump_gradient draw_figure) \
               $(PLUGINS:%=$(BUILD)/tests/plugins/%.so)
test: test-programs
	tests/run.sh $(BUILD)

# Checkers build beside the normal tree and run the same tests, but for those that a checker can say nothing about: a
# file says so in a line "Not under tsan: WHY".
CHECKED = OPTIMISE="-O1 -g -fno-omit-frame-pointer" HARDENING=
# Addresses and undefined behaviour in one build: what takes the time is running the tests, not the checks.
asan:
	ASAN_OPTIONS="$(ASAN_OPTIONS):allocator_may_return_null=1" $(MAKE) test BUILD=build/asan VAE_CHECKER=asan $(CHECKED) SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all"
tsan:
	TSAN_OPTIONS="suppressions=$(CURDIR)/tests/tsan.supp" $(MAKE) test BUILD=build/tsan VAE_CHECKER=tsan $(CHECKED) SANITIZE="-fsanitize=thread"
valgrind: test-programs
	VAE_CHECKER=valgrind VAE_RUNNER="valgrind -q --fair-sched=yes --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" tests/run.sh $(BUILD)

# Counts calls that deal with files, kills at them and lets them fail.
$(BUILD)/tests/faults/shim.so: tests/faults/shim.c
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=c11 -O2 $(WARNINGS) -shared -fPIC $< -ldl -o $@
# Attacks, one script after another: see tests/faults/README.md.
FAULTS := $(sort $(wildcard tests/faults/*.py))
.PHONY: faults faults-long
faults faults-long: $(BUILD)/vaectl $(BUILD)/tests/tools/flip_bits $(BUILD)/tests/faults/shim.so
	@failed=0; for script in $(FAULTS); do echo "==== $$script"; \
	  VAECTL=$(abspath $(BUILD))/vaectl VAE_BUILD=$(abspath $(BUILD)) PYTHONPATH=tests/python \
	  python3 $$script $(if $(filter %-long,$@),--long) || failed=1; done; exit $$failed

# What the tests of readers reach of them.
READERS := $(wildcard src/data/*.c) $(addprefix src/model/,checkpoint.c config.c)
COVERING := $(addprefix test_,arrays checkpoint choice conditional digits drawn fuzz idx memory npy plugins settings source)
.PHONY: coverage coverage-run
coverage:
	$(MAKE) coverage-run BUILD=build/coverage OPTIMISE="-O0 -g" SANITIZE=--coverage
coverage-run: $(BUILD)/vaectl $(COVERING:%=$(BUILD)/tests/unit/%) $(PLUGINS:%=$(BUILD)/tests/plugins/%.so)
	find $(BUILD) -name '*.gcda' -delete
	for test in $(COVERING); do $(BUILD)/tests/unit/$$test >$(BUILD)/$$test.txt 2>&1 || { cat $(BUILD)/$$test.txt; exit 1; }; done
	for script in python/data python/arrays python/read_model faults/malformed; do \
	  VAECTL=$(abspath $(BUILD))/vaectl VAE_BUILD=$(abspath $(BUILD)) PYTHONPATH=tests/python python3 tests/$$script.py || exit 1; done
	scripts/coverage.py $(BUILD) 98 90 $(READERS)

# Readers under libFuzzer: make fuzz FUZZ_SECONDS=60 FUZZ_TARGETS="csv png". What they find stays in build/fuzz. Each ends
# after that time or after FUZZ_RUNS executions, whatever comes first; inputs are short, as they are then many.
FUZZ_SECONDS ?= 10
FUZZ_RUNS ?= -1
FUZZ_TARGETS ?= any csv idx npy labels cifar png folder model config metrics evaluations flags plan choice
FUZZERS = $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/fuzz-%)
# An archive, so that a fuzzer is linked with what its target needs, and counts no more of the program. The table of
# commands is in main.c.
FUZZ_OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/fuzz.c,$(wildcard tests/fuzz/*.c)))
$(BUILD)/tests/fuzz/targets.a: $(FUZZ_OBJECTS) $(BUILD)/tests/fuzz/main.o $(filter-out %/main.o,$(CLI_OBJECTS))
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/tests/fuzz/%.o: override CPPFLAGS += -Itests
$(BUILD)/tests/fuzz/main.o: $(BUILD)/src/cli/main.o
	@mkdir -p $(@D)
	objcopy --redefine-sym main=vaectl_main $< $@
# What looks at each character of a message is not what a fuzzer should follow: half of its time went there.
comma := ,
$(addprefix $(BUILD)/,tests/fuzz/data.o tests/fuzz/memory.o src/base/error.o): \
  override SANITIZE := $(subst $(comma)fuzzer-no-link,,$(SANITIZE))
FUZZ_LDFLAGS = -Wl,--wrap=vae_write_file,--wrap=fdopen,--wrap=run_say
$(BUILD)/tests/fuzz/fuzz-%: tests/fuzz/fuzz.c $(BUILD)/tests/fuzz/targets.a $(BUILD)/libvae.a
	$(CC) $(CPPFLAGS) -Itests -DFUZZ=$* $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) $(FUZZ_LDFLAGS) $^ $(LDLIBS) -o $@
.PHONY: fuzz fuzz-run
fuzz:
	@if command -v clang >/dev/null; then \
	  $(MAKE) fuzz-run BUILD=build/fuzz CC=clang OPTIMISE="-O2 -g -fno-omit-frame-pointer" HARDENING= \
	    SANITIZE="-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all"; \
	else echo "no clang: the fuzzers are not built"; fi
fuzz-run: $(FUZZERS)
	for target in $(FUZZ_TARGETS); do \
	  found=$(BUILD)/corpus/$$target seeds=tests/fuzz/corpus/$$target length=1024; \
	  case $$target in cifar) length=6400 ;; model) length=6400 seeds=$(BUILD)/seeds ;; esac; \
	  mkdir -p $$found $(BUILD)/seeds; echo "fuzz: $$target"; \
	  FUZZ_SEEDS=$(BUILD)/seeds $(BUILD)/tests/fuzz/fuzz-$$target -max_total_time=$(FUZZ_SECONDS) -runs=$(FUZZ_RUNS) -max_len=$$length \
	    -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -verbosity=0 -artifact_prefix=$(BUILD)/ $$found $$seeds || exit 1; done

# Puts mistakes into src, one at a time, and lists those that no test notices: make mutants SEED=2 COUNT=50
SEED ?= 1
COUNT ?= 20
.PHONY: mutants
mutants:
	scripts/mutants.py --seed $(SEED) --count $(COUNT)

-include $(UNIT_TESTS:=.d) $(DOUBLE_TESTS:=.d) $(FUZZ_OBJECTS:.o=.d) $(wildcard $(BUILD)/tests/tools/*.d)
