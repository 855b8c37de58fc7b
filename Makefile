# make              build/vaectl, the library (static and shared)
# make test         build and run all tests
# make asan tsan valgrind          the tests under a checker (asan: undefined behaviour, too)
# make faults       killed processes, failing calls, lost power and the like (faults-long: the long form)
# make fuzz         malformed files and command lines, made by libFuzzer (FUZZ_SECONDS=10 for each reader)
# make coverage     lines and branches of readers that their tests reach
# make mutants      small mistakes that no test notices
# make format lint  rewrite in house style; static analysis
# make install uninstall           PREFIX=/usr/local DESTDIR=

PREFIX ?= /usr/local
BUILD ?= build
CC ?= cc
OBJCOPY ?= objcopy

VERSION := $(shell sed -n 's/^.define VAE_VERSION "\(.*\)"/\1/p' include/vae.h)
SONAME := libvae.so.0

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wcast-qual -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Wundef -Wwrite-strings $(WERROR)
# No contraction and no reassociation: the bits of a result must not depend on the instruction set or on chunking.
MATHS := -ffp-contract=off -fno-math-errno -fno-trapping-math
# Those of the flags that this compiler takes for this processor.
takes = $(shell echo 'int x;' | $(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo $(1))
CONTROL_FLOW := $(call takes,-fcf-protection)
STACK_CLASH := $(call takes,-fstack-clash-protection)
HARDENING ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong $(STACK_CLASH) $(CONTROL_FLOW)
OPTIMISE ?= -O3 -g $(HARDENING)
PACKAGES := openblas zlib libpng jansson

override CPPFLAGS += -D_DEFAULT_SOURCE -Iinclude -Isrc $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PACKAGES)))
override CFLAGS += -std=c11 $(OPTIMISE) $(MATHS) $(WARNINGS) -fPIC -fvisibility=hidden -pthread $(SANITIZE)
override LDFLAGS += -pthread $(SANITIZE) -Wl,-z,relro,-z,now
LDLIBS := $(shell pkg-config --libs $(PACKAGES)) -ldl -lm

LIB_SOURCES := $(sort $(wildcard src/base/*.c src/prior/*.c src/posterior/*.c src/likelihood/*.c src/net/*.c src/data/*.c \
               src/model/*.c src/pass/*.c src/check/*.c src/train/*.c src/evaluate/*.c src/picture/*.c))
CLI_SOURCES := $(sort $(wildcard src/cli/*.c))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/template.o $(BUILD)/report.o
# The same library in double precision, where central differences can judge gradients.
DOUBLE_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/double/%.o)

.PHONY: all test asan tsan valgrind format lint install uninstall clean man
all: $(BUILD)/vaectl $(BUILD)/libvae.a $(BUILD)/static/libvae.a $(BUILD)/$(SONAME)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/double/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DVAE_DOUBLE $(CFLAGS) -MMD -MP -c $< -o $@
# A C array of the lines of a file or of stdin: $(call lines,NAME,FILE)
lines = echo 'const char *const $(1)[] = {'; sed 's/[\\"]/\\&/g; s/.*/    "&\\n",/' $(2); echo '    NULL};'
# The source that `vaectl priors --template` writes.
$(BUILD)/template.c: src/cli/template/prior.c
	@mkdir -p $(@D)
	(echo '#include "cli/command.h"'; $(call lines,plugin_template,$<)) >$@
# The page of `vaectl report`, and the SHA-256 of its script as browsers want it: from hexadecimal to octal to base64.
PAGE := src/cli/report/page
$(BUILD)/report.c: $(PAGE).html $(PAGE).css $(PAGE).js
	@mkdir -p $(@D)
	(echo '#include "cli/report.h"'; $(call lines,report_html,$(PAGE).html); $(call lines,report_css,$(PAGE).css); \
	 $(call lines,report_js,$(PAGE).js); \
	 printf '%b' "$$( (echo; cat $(PAGE).js) | sha256sum | cut -d' ' -f1 | sed 's/../0x& /g' | xargs printf '\\0%03o')" | \
	 base64 | { $(call lines,report_policy,); }) >$@
$(BUILD)/template.o $(BUILD)/report.o: %.o: %.c
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/libvae.a: $(LIB_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^
$(BUILD)/libvae-double.a: $(DOUBLE_OBJECTS)
	rm -f $@ && $(AR) rcs $@ $^
# For others: of the library's names they see those of its interface alone, and may have the rest themselves. (GCC exports
# a function of several versions, whatever its visibility.)
$(BUILD)/$(SONAME): $(LIB_OBJECTS) src/libvae.map
	$(CC) $(LDFLAGS) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,src/libvae.map $(LIB_OBJECTS) $(LDLIBS) -o $@
$(BUILD)/static/libvae.a: $(LIB_OBJECTS)
	@mkdir -p $(@D)
	$(LD) -r $^ -o $(@D)/libvae.o
	$(OBJCOPY) --wildcard --keep-global-symbol='vae_*' $(@D)/libvae.o
	rm -f $@ && $(AR) rcs $@ $(@D)/libvae.o
# Objects that go into a shared library go into a position-independent program, too.
$(BUILD)/vaectl: $(CLI_OBJECTS) $(BUILD)/libvae.a
	$(CC) -pie $(LDFLAGS) $^ $(LDLIBS) -o $@
include tests/tests.mk

# ---- Manual, made from --help --------------------------------------------------------------------------------------
# One page for the program and one for each command.
man: $(BUILD)/vaectl
	scripts/man.sh $(BUILD)/vaectl $(BUILD)/man

# ---- House ---------------------------------------------------------------------------------------------------------
C_FILES = $(shell find src include tests -name '*.[ch]')
format:
	clang-format -i $(C_FILES)
lint:
	clang-format --dry-run --Werror $(C_FILES)
	clang-tidy --quiet --warnings-as-errors='*' $(LIB_SOURCES) $(CLI_SOURCES) -- -std=c11 $(CPPFLAGS)
	shellcheck -x scripts/*.sh scripts/reproduce/*.sh tests/*.sh .ci/run

# Any of these may have spaces.
HEADERS := $(wildcard include/*.h)
BIN := $(DESTDIR)$(PREFIX)/bin
INCLUDE := $(DESTDIR)$(PREFIX)/include
LIB := $(DESTDIR)$(PREFIX)/lib
MAN := $(DESTDIR)$(PREFIX)/share/man/man1
DOC := $(DESTDIR)$(PREFIX)/share/doc/vaectl
COMPLETIONS := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
PC_LINES := 'prefix=$(PREFIX)' 'Name: vae' 'Description: variational autoencoders with pluggable priors' \
            'Version: $(VERSION)' 'Cflags: -I"$${prefix}/include"' \
            'Libs: -L"$${prefix}/lib" -lvae' 'Libs.private: $(LDLIBS) -pthread'
install: all
	install -d "$(BIN)" "$(LIB)/pkgconfig" "$(INCLUDE)" "$(DOC)" "$(COMPLETIONS)"
	install -m 755 $(BUILD)/vaectl "$(BIN)/"
	install -m 644 $(HEADERS) "$(INCLUDE)/"
	install -m 644 $(BUILD)/static/libvae.a "$(LIB)/"
	install -m 755 $(BUILD)/$(SONAME) "$(LIB)/"
	ln -sf $(SONAME) "$(LIB)/libvae.so"
	printf '%s\n' $(PC_LINES) >"$(LIB)/pkgconfig/vae.pc"
	cp -R README.md LICENSE docs "$(DOC)/"
	$(BUILD)/vaectl completion >"$(COMPLETIONS)/vaectl"
	if command -v help2man >/dev/null; then \
	  $(MAKE) man && install -d "$(MAN)" && install -m 644 $(BUILD)/man/*.1 "$(MAN)/"; \
	else echo "no help2man: the manual pages are not installed"; fi
uninstall:
	rm -f "$(BIN)/vaectl" $(HEADERS:include/%="$(INCLUDE)/%") "$(LIB)/libvae.a" "$(LIB)/$(SONAME)" "$(LIB)/libvae.so" \
	  "$(LIB)/pkgconfig/vae.pc" "$(MAN)/vaectl.1" "$(MAN)"/vaectl-*.1 "$(COMPLETIONS)/vaectl"
	rm -rf "$(DOC)"
clean:
	rm -rf build

-include $(LIB_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(DOUBLE_OBJECTS:.o=.d)
