#!/usr/bin/env bash
# Runs every test and adds up:  tests/run.sh BUILD
#
# C programs and Python scripts print TAP, and so does bats. As many run at a time as there are processors; their
# results are shown in the order of their names. The last line is "N passed, N failed, N skipped".
# VAE_RUNNER        a command that programs run under, such as valgrind
# VAE_CHECKER       the checker that watches: asan, tsan or valgrind. A file of tests with a line "Not under tsan: WHY"
#                   is skipped under that one, which can say nothing about it
# VAE_TEST_JOBS     how many run at a time (default: the processors there are)
# VAE_TEST_TIMEOUT  seconds that one of them may take (default 1800)
# PYTHON            the Python to try first
set -eu
cd "$(dirname "$0")/.."

[ $# -eq 1 ] || {
    echo "Usage: tests/run.sh BUILD" >&2
    exit 2
}
build=$(cd "$1" && pwd)
read -ra runner <<<"${VAE_RUNNER:-}"
at_once=${VAE_TEST_JOBS:-$(nproc 2>/dev/null || echo 2)}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0 failed=0 skipped=0

# Python and bats tests know the program by these.
export VAECTL=$build/vaectl VAE_BUILD=$build VAECTL_RUNNER=${VAE_RUNNER:-}
export CMOCKA_MESSAGE_OUTPUT=TAP

# "PASSED FAILED SKIPPED PLANNED" of TAP on stdin; PLANNED is -1 without a plan. cmocka 1.1.5 writes a skip as
# "not ok N # SKIP name".
count() {
    awk '/^(not )?ok [0-9].*# *[Ss][Kk][Ii][Pp]/ { skipped++; next }
         /^ok [0-9]/ { passed++ }
         /^not ok/ { failed++ }
         /^1\.\.[0-9]+/ { planned = substr($1, 4); has_plan = 1 }
         END { print passed + 0, failed + 0, skipped + 0, has_plan ? planned : -1 }'
}

# Adds a result of our own.
fail() {
    echo "not ok - $*"
    failed=$((failed + 1))
}

# What begins a job: without a terminal, shells start jobs with SIGINT ignored, and tests send it.
begin=(env --default-signal=INT --default-signal=QUIT)
if command -v timeout >/dev/null; then begin+=(timeout "${VAE_TEST_TIMEOUT:-1800}"); fi

# Jobs are numbered as they start; each says through a pipe that it has ended, and how.
names=() statuses=() running=0 shown=0
mkfifo "$work/ended"
exec {ended}<>"$work/ended"

# Runs a command under the name $1, as soon as there is room.
run() {
    while [ "$running" -ge "$at_once" ]; do wait_for_one; done
    local number=${#names[@]}
    names+=("$1")
    shift
    {
        "${begin[@]}" "$@" >"$work/$number" 2>&1 </dev/null {ended}>&- &
        trap 'kill $!' TERM
        status=0
        wait $! || status=$?
        echo "$number $status" >&"$ended"
    } &
    running=$((running + 1))
}

# Waits until a job has ended, and shows all that can be shown in their order.
wait_for_one() {
    local number status
    read -r number status <&"$ended"
    statuses[number]=$status
    running=$((running - 1))
    while [ -n "${statuses[$shown]:-}" ]; do
        show "${names[$shown]}" "${statuses[$shown]}" "$work/$shown"
        shown=$((shown + 1))
    done
}

# Adds up the job $1 that ended with status $2. Its output $3 is shown where something is wrong with it, else its
# figures alone.
show() {
    local name=$1 status=$2 output=$3 good bad skips plan
    read -r good bad skips plan < <(count <"$output")
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skips))
    if [ "$bad" -eq 0 ] && [ "$status" -eq 0 ] && [ $((good + skips)) -gt 0 ] &&
        { [ "$plan" -lt 0 ] || [ "$plan" -eq $((good + skips)) ]; }; then
        echo "ok   $name: $good passed$([ "$skips" -eq 0 ] || echo ", $skips skipped")"
        grep -i '^\(not \)\{0,1\}ok.*# *skip' "$output" | sed 's/^/     /' || true
        return 0
    fi
    echo "FAIL $name"
    sed 's/^/     /' "$output"
    if [ $((good + bad + skips)) -eq 0 ]; then
        fail "$name: ran no test (exit status $status)"
    elif [ "$plan" -ge 0 ] && [ "$plan" -ne $((good + bad + skips)) ]; then
        fail "$name: $((good + bad + skips)) of $plan tests reported (exit status $status)"
    elif [ "$bad" -eq 0 ]; then
        fail "$name: exit status $status"
    fi
}

# Is this a file that says why it is not under this checker? It counts as a test that is skipped.
is_unchecked() {
    local why
    [ -n "${VAE_CHECKER:-}" ] && why=$(grep -m 1 -o "Not under .*$VAE_CHECKER.*: .*" "$1") || return 1
    why=${why#*: }
    run "$1" printf '1..1\nok 1 # SKIP %s\n' "${why% \*/}"
}

# Every source has a program, and every program is run.
run_programs() {
    local source name
    for source in tests/unit/test_*.c tests/double/test_*.c; do
        [ -e "$source" ] || continue
        name=${source#tests/}
        name=${name%.c}
        if is_unchecked "$source"; then
            continue
        elif [ -x "$build/tests/$name" ]; then
            run "$name" "${runner[@]}" "$build/tests/$name"
        else
            fail "$name: not built"
        fi
    done
}

run_bats() {
    local file
    for file in tests/cli/*.bats; do
        if ! [ -e "$file" ]; then
            fail "tests/cli: no tests"
        elif is_unchecked "$file"; then
            continue
        elif ! command -v bats >/dev/null; then
            fail "$file: bats is not installed (scripts/packages.sh test installs it)"
        elif ! [ -x "$VAECTL" ]; then
            fail "$file: $VAECTL is not built"
        else
            run "$file" bats --tap "$file"
        fi
    done
}

# The first Python there is that has torch, or else the first: scripts skip what it has not.
find_python() {
    local python first=""
    for python in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
        "$python" -c "" >/dev/null 2>&1 || continue
        [ -n "$first" ] || first=$python
        if "$python" -c "import numpy, torch" 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    echo "$first"
}

run_python() {
    local script python
    python=$(find_python)
    for script in tests/python/*.py; do
        [ -e "$script" ] || continue
        if is_unchecked "$script"; then
            continue
        elif [ -n "$python" ]; then
            run "$script" "$python" "$script"
        else
            echo "skip $script: no Python"
            skipped=$((skipped + 1))
        fi
    done
}

run_programs
run_bats
run_python
while [ "$running" -gt 0 ]; do wait_for_one; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
