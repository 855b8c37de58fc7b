# shellcheck shell=bash
# What the reproductions share. A run that is there is not made again, one that was interrupted goes on.
#
#   DATA     folder with the MNIST files [data/mnist]
#   RUNS     folder for the runs [runs/reproduce]
#   THREADS  of each run [all cores]
#   SHORT=1  a few minutes instead of hours: fewer epochs, images and samples
#   SMOKE=1  seconds, on built-in digits: that the commands work
set -eu -o pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
VAECTL=${VAECTL:-build/vaectl}
RUNS=${RUNS:-runs/reproduce}
DATA=${DATA:-data/mnist}
threads=()
[ -z "${THREADS:-}" ] || threads=(--threads "$THREADS")
if [ -n "${SMOKE:-}" ]; then
    SHORT=1 DATA=builtin:digits:train=300,test=50
    RUNS=$RUNS/smoke
elif [ -n "${SHORT:-}" ]; then
    RUNS=$RUNS/short
fi
[ -x "$VAECTL" ] || make -j"$(nproc)"
[ -d "$DATA" ] || [ -n "${SMOKE:-}" ] || {
    echo "$DATA: no such folder (scripts/fetch-mnist.sh fetches MNIST; DATA names another place)" >&2
    exit 3
}
mkdir -p "$RUNS"

# choose FULL SHORT SMOKE
choose() { if [ -n "${SMOKE:-}" ]; then echo "$3"; elif [ -n "${SHORT:-}" ]; then echo "$2"; else echo "$1"; fi; }

# train NAME EPOCHS FLAG...   trains up to that epoch
train() {
    local run=$RUNS/$1 epochs=$2
    shift 2
    [ ! -e "$run/trained-$epochs" ] || return 0
    local keep=() i # --keep-every is no setting of the run: it has to be given again
    for ((i = 1; i < $#; i++)); do [ "${!i}" != --keep-every ] || keep=("${@:i:2}"); done
    if [ -e "$run/model.safetensors" ]; then
        "$VAECTL" train --resume "$run" --epochs "$epochs" -q "${threads[@]}" "${keep[@]}" >&2
    else
        "$VAECTL" train --data "$DATA" --epochs "$epochs" "$@" -q "${threads[@]}" -o "$run" >&2
    fi
    touch "$run/trained-$epochs"
}

# evaluate NAME FILE FLAG...   writes RUNS/NAME/FILE.json
evaluate() {
    local run=$RUNS/$1 file=$RUNS/$1/$2.json
    shift 2
    [ -e "$file" ] || "$VAECTL" eval "$run" --json "${threads[@]}" "$@" >"$file.part"
    [ -e "$file" ] || mv "$file.part" "$file"
}

# Rows of a table: means and standard deviations over seeds of what eval wrote.
summarise() { python3 scripts/reproduce/summary.py "$RUNS" "$@"; }

# way NAME COLUMN EPOCH...   the way there: that column of metrics.csv at these epochs, as a row of a table
way() {
    local run=$1 column=$2
    shift 2
    awk -F, -v run="$run" -v column="$column" -v epochs="$*" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
        NR > 1 { value[$1] = $at }
        END {
            n = split(epochs, epoch, " ")
            line = "| " run ", " column " at epochs " epochs
            for (i = 1; i <= n; i++) line = line " | " (epoch[i] in value ? sprintf("%.2f", value[epoch[i]]) : "-")
            print line " |"
        }' "$RUNS/$run/metrics.csv"
}

# show COMMAND FLAG...   a command, and under it what it prints
show() {
    printf '$ vaectl %s\n' "$*"
    "$VAECTL" "$@" "${threads[@]}" 2>/dev/null
    echo
}

# draw FILE COMMAND...   a picture in RUNS/documents
draw() {
    local file=$RUNS/documents/$1
    shift
    mkdir -p "$RUNS/documents"
    "$VAECTL" "$@" -o "$file" >&2
}
