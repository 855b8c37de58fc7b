#!/bin/sh
# Installs what building and testing need, where it is missing:
#   scripts/packages.sh [build] [test] [view] [man] [blas] [torch]      (without arguments: build)
# Only Debian and its relatives are known by name; elsewhere this checks what pkg-config finds and says what is missing.
set -eu

build="gcc make pkg-config libopenblas-dev zlib1g-dev libpng-dev libjansson-dev librandom123-dev"
test="libcmocka-dev bats locales python3"
view="chromium tmux librsvg2-bin parallel" # to look at what is written as a user would, and at plans at work
man="help2man"
blas="libopenblas0-pthread libopenblas0-serial libopenblas0-openmp" # all builds, to compare their results
torch="python3-torch python3-numpy" # the reference that gradients are compared with

usage() {
    sed -n '2,4s/^# \{0,1\}//p' "$0"
}

wanted=""
[ $# -gt 0 ] || set -- build
for group in "$@"; do
    case $group in
    build) wanted="$wanted $build" ;;
    test) wanted="$wanted $test" ;;
    view) wanted="$wanted $view" ;;
    man) wanted="$wanted $man" ;;
    blas) wanted="$wanted $blas" ;;
    torch) wanted="$wanted $torch" ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "packages.sh: unknown group '$group' (expected build, test, view, man, blas or torch)" >&2
        exit 2
        ;;
    esac
done

is_installed() {
    # pkgconf replaces pkg-config on newer systems; "provides" is not something that dpkg-query looks up.
    [ "$1" != pkg-config ] || ! command -v pkg-config >/dev/null || return 0
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The command with administrator's rights, which may need a password.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "packages.sh: not root and no sudo; as root, run: $*" >&2
        return 1
    fi
}

install_on_debian() {
    missing=""
    for package in $wanted; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    echo "packages.sh: installing$missing" >&2
    as_root apt-get -qq -o DPkg::Lock::Timeout=120 update >&2
    # shellcheck disable=SC2086 # a list of words
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends $missing >"$log" 2>&1 || {
        cat "$log" >&2
        echo "packages.sh: apt-get could not install$missing" >&2
        return 1
    }
}

check_elsewhere() {
    libraries=""
    for library in openblas zlib libpng jansson; do
        pkg-config --exists "$library" 2>/dev/null || libraries="$libraries $library"
    done
    for tool in cc make pkg-config; do
        command -v "$tool" >/dev/null || libraries="$libraries $tool"
    done
    [ -n "$libraries" ] || return 0
    echo "packages.sh: not found:$libraries" >&2
    echo "packages.sh: install with your system's package manager what Debian calls:$wanted" >&2
    return 1
}

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    install_on_debian
else
    check_elsewhere
fi
