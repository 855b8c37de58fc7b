#!/bin/sh
# Fills a folder with the four MNIST files and verifies each.
set -eu

usage() {
    cat <<'END'
Usage: scripts/fetch-mnist.sh [--from DIR|URL] [--to DIR]

Fills a folder with the four files of MNIST, compressed as they come, and verifies the SHA-256 of what is in them.
Files that are there and good are kept.

  --from DIR|URL   where the files are (default: public mirrors, one after another)
  --to DIR         the folder to fill (default: data/mnist in this repository)
  -h, --help       this text

Exit status: 0 all four files are there and good, 1 some could not be had, 2 wrong use.
END
}

mirrors="https://ossci-datasets.s3.amazonaws.com/mnist
https://storage.googleapis.com/cvdf-datasets/mnist"

# Of the uncompressed files: a mirror may compress them in its own way.
files="train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"

say() { echo "fetch-mnist.sh: $*" >&2; }

wrong_use() {
    say "$* (see --help)"
    exit 2
}

sources=$mirrors
to=$(dirname "$0")/../data/mnist
while [ $# -gt 0 ]; do
    case $1 in
    --from | --to)
        [ -n "${2:-}" ] || wrong_use "$1 needs a value"
        if [ "$1" = --from ]; then sources=${2%/}; else to=$2; fi
        shift 2
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) wrong_use "unknown argument '$1'" ;;
    esac
done

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

is_compressed() { [ "$(head -c 2 "$1" | od -An -tx1 | tr -d ' ')" = 1f8b ]; }

# Of a damaged file comes what can be read, which the sum then refuses.
contents() {
    if is_compressed "$1"; then gzip -dc <"$1" 2>/dev/null; else cat "$1"; fi
}

is_good() { [ -f "$1" ] && [ "$(contents "$1" | sha256)" = "$2" ]; }

download() {
    if command -v curl >/dev/null; then
        curl --fail --silent --show-error --location --connect-timeout 20 --retry 2 --output "$2" "$1"
    elif command -v wget >/dev/null; then
        wget --quiet --timeout=20 --tries=3 --output-document="$2" "$1"
    else
        say "neither curl nor wget is installed"
        return 1
    fi
}

# Copies or downloads file $2 from $1 to $3, compressed or not.
bring() {
    case $1 in
    *://*) download "$1/$2.gz" "$3" ;;
    *)
        if [ -f "$1/$2.gz" ]; then
            cp "$1/$2.gz" "$3"
        elif [ -f "$1/$2" ]; then
            cp "$1/$2" "$3"
        else
            say "$1: no $2.gz and no $2 in it"
            return 1
        fi
        ;;
    esac
}

# Programs look for the plain name first: a bad file under either name must not stay beside a good one. It is kept under
# a name that nobody reads, since it may be somebody's other data.
set_bad_aside() {
    for variant in "$to/$1" "$to/$1.gz"; do
        if [ -e "$variant" ] && ! is_good "$variant" "$2"; then
            say "$variant: damaged or another file; kept as $variant.bad"
            mv "$variant" "$variant.bad"
        fi
    done
}

# Puts a good $1 with sum $2 into the folder, under a name that says whether it is compressed; a bad one leaves nothing.
get() {
    while read -r source; do
        temporary=$to/.$1.part
        if ! bring "$source" "$1" "$temporary"; then
            rm -f "$temporary"
            say "$source: could not get $1"
        elif ! is_good "$temporary" "$2"; then
            rm -f "$temporary"
            say "$source: $1 is damaged or another file (its SHA-256 is not $2)"
        else
            name=$1
            ! is_compressed "$temporary" || name=$1.gz
            set_bad_aside "$1" "$2"
            mv "$temporary" "$to/$name"
            echo "$to/$name"
            return 0
        fi
    done <<END
$sources
END
    return 1
}

# A folder that was made for nothing goes again: what is there is taken for MNIST.
temporary='' made=''
clean_up() {
    [ -z "$temporary" ] || rm -f "$temporary"
    [ -z "$made" ] || rmdir "$made" 2>/dev/null || :
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

case $sources in
*://*) ;;
*) [ -d "$sources" ] || {
    say "$sources: no such folder"
    exit 1
} ;;
esac
[ -d "$to" ] || made=$to
mkdir -p "$to" || exit 1

failed=0
while read -r name sum; do
    if is_good "$to/$name" "$sum" || is_good "$to/$name.gz" "$sum"; then
        set_bad_aside "$name" "$sum"
        echo "$to/$name: there already"
    else
        get "$name" "$sum" || failed=$((failed + 1))
    fi
done <<END
$files
END

[ "$failed" -eq 0 ] || {
    say "$failed of 4 files are missing; without them, train on --data builtin:digits"
    exit 1
}
