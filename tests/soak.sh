#!/usr/bin/env bash
# Trains for a long time on the CPU and on an adapter at once. Memory and open files must stay flat, and a second run must
# log the same numbers.
set -euo pipefail

usage() {
    cat <<'END'
usage: tests/soak.sh PROGRAM [MINUTES] [ADAPTER]

Trains with PROGRAM, a fall-line, for MINUTES (default 30) on the CPU and on ADAPTER (default 0), then for a tenth of that
again. Prints memory and open files of each. Linux only.
Exit codes: 0 flat and equal, 1 not, 2 usage.
END
}

case ${1:-} in
    "" | -h | --help)
        usage
        [ -n "${1:-}" ] || exit 2
        exit 0
        ;;
esac
program=$1
minutes=${2:-30}
adapter=${3:-0}
folder=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -r "$folder"' EXIT
export NODEVICE_SELECT=1

# Adam never stands still, and a run without tolerance never ends by itself.
train() { # LOG ENGINE...
    local log=$1
    shift
    "$program" train --samples 1e5 --optimizer adam --tolerance 0 --epochs 1e12 --log-every 1000 --no-tune "$@" \
        >"$log" 2>"$log.err" &
    pids+=($!)
}

kilobytes() {
    awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

files() {
    find "/proc/$1/fd" -mindepth 1 | wc -l
}

train "$folder/cpu" --engine cpu
train "$folder/gpu" --adapter "$adapter"
# The first minute may still take memory.
sleep 60
start=()
for pid in "${pids[@]}"; do
    start+=("$(kilobytes "$pid") $(files "$pid")")
done
sleep $((60 * (minutes > 1 ? minutes - 1 : 1)))
failed=0
names=(cpu gpu)
for at in 0 1; do
    pid=${pids[$at]}
    read -r memory_then files_then <<<"${start[$at]}"
    memory=$(kilobytes "$pid")
    open=$(files "$pid")
    kill -TERM "$pid"
    wait "$pid" && code=0 || code=$?
    epochs=$(tail -n 1 "$folder/${names[$at]}.err")
    echo "${names[$at]}: $memory_then kB after a minute, $memory kB after $minutes; $files_then and $open files; exit $code; $epochs"
    # A page here and there is no leak: 2 %, and 1 MB.
    if [ "$memory" -gt $((memory_then + memory_then / 50 + 1000)) ] || [ "$open" != "$files_then" ] || [ "$code" != 143 ]; then
        echo "${names[$at]}: not flat, or it did not end well" >&2
        failed=1
    fi
done
pids=()
train "$folder/cpu-again" --engine cpu
train "$folder/gpu-again" --adapter "$adapter"
sleep $((6 * minutes))
for pid in "${pids[@]}"; do
    kill -KILL "$pid"
    { wait "$pid" || true; } 2>/dev/null
done
for name in "${names[@]}"; do
    # The last line may be cut.
    lines=$(($(grep -c '^ *[0-9]* ' "$folder/$name-again") - 1))
    logged() {
        grep '^ *[0-9]* ' "$1" | head -n "$lines"
    }
    if [ "$lines" -gt 1 ] && cmp -s <(logged "$folder/$name") <(logged "$folder/$name-again"); then
        echo "$name: the same numbers in $lines lines of the log"
    else
        echo "$name: other numbers in a second run" >&2
        failed=1
    fi
done
exit "$failed"
