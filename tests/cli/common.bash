# SPDX-License-Identifier: MIT
# Each test has a folder of its own, BATS_TEST_TMPDIR, and runs in it: runs/latest is found from there.

setup() {
    cd "$BATS_TEST_TMPDIR"
    SMALL=(--data builtin:digits:train=300,test=50 --hidden 32 --epochs 2 --quiet)
}

vaectl() { ${VAECTL_RUNNER:-} "$VAECTL" "$@"; }

# Runs vaectl; its exit status must be $1. stdout and stderr are in $output and $errors.
expect() {
    local wanted=$1 status=0
    shift
    output=$(vaectl "$@" 2>errors.txt) || status=$?
    errors=$(cat errors.txt)
    if [ "$status" -ne "$wanted" ]; then
        echo "vaectl $*: exit status $status, expected $wanted"
        echo "$output"
        echo "$errors"
        return 1
    fi
}

# Runs vaectl, which must fail with status $1 and say one line that has $2 in it.
refuse() {
    local wanted=$1 words=$2
    shift 2
    expect "$wanted" "$@" || return 1
    if [ "$(printf '%s\n' "$errors" | wc -l)" -ne 1 ] || [ "${errors#vaectl: }" = "$errors" ] ||
        ! printf '%s' "$errors" | grep -qF -- "$words"; then
        echo "vaectl $*: said '$errors', expected one line 'vaectl: ...' with '$words'"
        return 1
    fi
    [ -z "$output" ] || { echo "vaectl $*: wrote '$output' to stdout"; return 1; }
}

# Four small IDX files under the MNIST names in folder $1, made from nothing: 20 + 10 images of 6 x 5 pixels.
make_mnist() {
    mkdir -p "$1"
    make_images 20 >"$1/train-images-idx3-ubyte"
    make_images 10 >"$1/t10k-images-idx3-ubyte"
    make_labels 20 >"$1/train-labels-idx1-ubyte"
    make_labels 10 >"$1/t10k-labels-idx1-ubyte"
}

make_images() {
    printf '\0\0\10\3\0\0\0'
    printf '%b' "\\$(printf '%03o' "$1")"
    printf '\0\0\0\6\0\0\0\5'
    head -c $(($1 * 30)) /dev/zero | tr '\0' 'a'
}

make_labels() {
    printf '\0\0\10\1\0\0\0'
    printf '%b' "\\$(printf '%03o' "$1")"
    head -c "$1" /dev/zero
}

is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]; }

# not_under WHY CHECKER...   skips a test that these checkers (asan, tsan, valgrind) can say nothing about. A whole file
# says so in a line "Not under tsan: WHY", which tests/run.sh reads.
not_under() {
    local why=$1 checker
    shift
    for checker in "$@"; do [ "${VAE_CHECKER:-}" != "$checker" ] || skip "$why"; done
}

# Real MNIST, where there is one.
need_mnist() {
    MNIST=${VAE_MNIST:-$BATS_TEST_DIRNAME/../../data/mnist}
    [ -d "$MNIST" ] || skip "no MNIST (set VAE_MNIST to its folder)"
}
