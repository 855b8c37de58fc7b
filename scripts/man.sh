#!/bin/sh
# Makes vaectl.1 and a vaectl-COMMAND.1 for each command from their --help:  scripts/man.sh BINARY OUTDIR
set -eu

[ $# -eq 2 ] || {
    echo "Usage: scripts/man.sh BINARY OUTDIR" >&2
    exit 2
}
binary=$1
out=$2
command -v help2man >/dev/null || {
    echo "man.sh: help2man is not installed (scripts/packages.sh man installs it)" >&2
    exit 1
}
case $binary in */*) ;; *) binary=./$binary ;; esac

# Lines of "  NAME  summary" above "Examples:".
commands() {
    "$binary" --help | awk '/^Examples:/ { exit }
        match($0, /^  [a-z][a-z-]*  +/) { name = $1; sub(/^  [a-z-]+  +/, ""); print name "\t" $0 }'
}

version=$("$binary" --version | head -n 1 | cut -d ' ' -f 2)

# Page $1, the command line $2 whose --help it shows, a line that says what it is.
page() {
    help2man --no-info --no-discard-stderr --version-string="$1 $version" --name="$3" --output="$out/$1.1" "$2"
    # Ragged right, as long words cannot be adjusted.
    sed -i '/^\.TH /a .ad l' "$out/$1.1"
}

mkdir -p "$out"
list=$(commands)
[ -n "$list" ] || {
    echo "man.sh: $binary --help lists no commands" >&2
    exit 1
}
page vaectl "$binary" "variational autoencoders with pluggable priors"
tab=$(printf '\t')
echo "$list" | while IFS=$tab read -r name summary; do
    page "vaectl-$name" "$binary $name" "$summary"
done
