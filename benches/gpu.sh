#!/usr/bin/env bash
# Measures fall-line on this machine's GPU and compares the figures with the project's targets.
#
#     benches/gpu.sh [--software] path/to/fall-line [folder for results]
#
# It builds nothing and takes up to nine minutes. Each step has a time limit. A step that fails is
# reported, and the others still run. One table comes out on stdout; one JSON file with everything,
# and the bench as CSV, markdown and SVG, into the folder (benches/results), named after the adapter
# and the date.
#
# It needs bash 5, coreutils and python3. The comparison with other libraries needs NumPy and at
# least one of PyTorch, JAX and CuPy with CUDA. PYTHON names another python3.
#
# A software adapter is refused, since it says nothing about a GPU. --software runs everything on one
# at small sizes, to try this script out, and compares nothing with the targets.
#
# Exit codes: 0 done and all targets reached, 1 a step failed, 2 usage, 3 a target is missed or
# could not be measured, 4 no GPU.

set -uo pipefail
export LC_ALL=C

usage() {
    echo "usage: ${0##*/} [--software] path/to/fall-line [folder for results]" >&2
    exit 2
}

software=()
if [[ ${1-} == --software ]]; then
    software=(--software)
    shift
fi
[[ $# -ge 1 && $# -le 2 && $1 != -* ]] || usage
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
fall_line=$1
results=${2:-$here/results}
python=${PYTHON:-python3}

# bash 3, which macOS brings, has no EPOCHREALTIME.
if [[ -z ${EPOCHREALTIME-} ]]; then
    echo "error: bash 5 is needed, this is $BASH_VERSION" >&2
    exit 2
fi
for needed in timeout "$python"; do
    if ! command -v "$needed" >/dev/null; then
        echo "error: $needed is needed and not there" >&2
        exit 2
    fi
done
if [[ ! -x $fall_line || -d $fall_line ]]; then
    echo "error: $fall_line is no program; cargo build --release makes target/release/fall-line" >&2
    exit 2
fi
fall_line=$(cd "$(dirname "$fall_line")" && pwd)/${fall_line##*/}
mkdir -p "$results" || exit 1
results=$(cd "$results" && pwd) || exit 1

steps=$(mktemp -d) || exit 1
trap 'rm -rf "$steps"' EXIT
cd "$steps" || exit 1
: >steps.tsv
# The summary and the end of a step take some more; all stays below nine minutes.
deadline=$((SECONDS + 515))

# note NAME OUTCOME SECONDS: writes them to stderr, and keeps them for the summary.
note() {
    printf '%s: %s, %s s\n' "$1" "$2" "$3" >&2
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>steps.tsv
}

# limited NAME LIMIT COMMAND...: runs the command for up to LIMIT seconds, and not beyond the deadline.
# Its output goes to NAME.out and NAME.err, and its outcome to $outcome. Fails if the command fails.
limited() {
    local name=$1 limit=$2 code
    shift 2
    local left=$((deadline - SECONDS))
    if ((left < 5)); then
        outcome="FAILED: no time left"
        return 1
    fi
    limit=$((limit < left ? limit : left))
    timeout --kill-after=5 "$limit" "$@" >"$name.out" 2>"$name.err" </dev/null
    code=$?
    case $code in
    0) outcome=ok ;;
    124 | 137) outcome="FAILED: stopped after $limit s" ;;
    *) outcome="FAILED with $code: $(tail -n 1 "$name.err" | tr '\t' ' ')" ;;
    esac
    return $((code != 0))
}

# step NAME LIMIT COMMAND...: runs the command once.
step() {
    local begin=$SECONDS
    limited "$@"
    local code=$?
    note "$1" "$outcome" $((SECONDS - begin))
    return $code
}

# repeat NAME LIMIT COMMAND...: runs the command five times, and writes the microseconds of each run
# to NAME.times. The timeout command in between takes about one millisecond of them.
repeat() {
    local name=$1 begin=$SECONDS start
    printf '%s\n' "fall-line ${*:4}" >"$name.command"
    for _ in 1 2 3 4 5; do
        start=${EPOCHREALTIME/./}
        limited "$@" || break
        echo $((${EPOCHREALTIME/./} - start)) >>"$name.times"
    done
    note "$name" "$outcome" $((SECONDS - begin))
}

step adapters 30 "$fall_line" adapters --format json || exit 4
# The list begins with the adapter that the GPU engine takes.
read -r index is_software slug < <("$python" - <<'EOF'
import json, re
best = json.load(open("adapters.out"))[0]
slug = re.sub("[^a-z0-9]+", "-", best["name"].lower()).strip("-")
print(best["index"], int(best["software"]), slug)
EOF
) || {
    echo "error: the list of adapters can't be read" >&2
    exit 4
}
if ((is_software)) && [[ ${#software[@]} -eq 0 ]]; then
    echo "error: the best adapter here is a software adapter ($slug), which says nothing about a GPU;" \
        "--software tries the script out on it" >&2
    exit 4
fi

if [[ ${#software[@]} -gt 0 ]]; then
    sizes=1e3,1e4,1e5,1e6 f16_sizes=1e6 drawn=1e6 peer_sizes=1e3,1e6
else
    sizes=1e3,1e4,1e5,1e6,1e7,1e8,1e9 f16_sizes=1e8,1e9 drawn=1e9 peer_sizes=1e8,1e3,1e6
fi

step bench 200 "$fall_line" bench --samples "$sizes" --engines cpu,gpu,gpu-batched \
    --runs 3 --export-json bench.json --export-csv bench.csv --export-markdown bench.md --plot bench.svg
step bench-f16 70 "$fall_line" bench --samples "$f16_sizes" --engines cpu,gpu --storage f16 --runs 3 \
    --export-json bench-f16.json
repeat device-drawn 10 "$fall_line" train --generator device --samples "$drawn" --epochs 50 \
    --engine gpu --format json
repeat start-to-finish 5 "$fall_line" train --samples 1e6 --engine cpu --quiet

missing=$("$python" - <<'EOF'
from importlib.util import find_spec
if not find_spec("numpy"):
    print("NumPy")
elif not any(map(find_spec, ("torch", "jax", "cupy"))):
    print("any of PyTorch, JAX and CuPy")
EOF
)
if [[ -n $missing ]]; then
    note peers "skipped: $python has not $missing" 0
else
    # Last, with all the time that is left, and the size that the targets ask for first.
    step peers 300 "$python" "$here/peers.py" --samples "$peer_sizes" --devices cuda --min-time 0.5 \
        --fall-line "$fall_line" --fall-line-engines gpu,gpu-batched \
        --json peers.json --markdown peers.md
fi

base=$results/$slug-$(date +%F)
for kind in csv md svg; do
    if [[ -e bench.$kind ]]; then
        cp "bench.$kind" "$base.$kind"
    fi
done
if [[ -e peers.md ]]; then
    cp peers.md "$base-peers.md"
fi
"$python" "$here/summary.py" . "$base.json" --adapter "$index" "${software[@]}"
code=$?
echo "written: $base.json" >&2
exit $code
