#!/usr/bin/env bash
# Runs the project's checks: all of them, or the steps that are named. `tests/run.sh --help` lists the steps.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'END'
usage: tests/run.sh [--no-install] [STEP]...

Runs all checks, or the named steps in the order given. Stops at the first failure.

steps:
  tools          find Rust, rustfmt, clippy, a C linker and on Linux Open MPI's mpirun
  format         compare the formatting with rustfmt's
  build          build the library, program, tests, benches and examples
  adapters       find a Vulkan adapter (Linux), and check all adapters with `fall-line doctor`
  lints          run clippy on everything; a warning is an error
  features       run clippy on the library with each sensible set of Cargo features
  tests          run all tests and doctests, and some again at other subgroup sizes
  web            run the tests of the page under web/ in headless Chromium, or Chrome
  examples       run every program under examples/
  benches        run every benchmark once, without timing
  scripts        check the syntax of scripts and workflows, and the tables made from benches/results
  documentation  build rustdoc without warnings, and check the links in the Markdown files
  deny           check licences, versions and sources of all crates with cargo-deny, if it is installed

options:
  --no-install   change nothing on this system: if something is missing, say what and fail
  -h, --help     print this help

The steps `tools`, `adapters` and `web` install what is missing: Rust components with rustup, on
Debian and Ubuntu a C linker, Open MPI, Mesa's software adapters, Node and Chromium with apt-get, and
playwright-core in tests/web with npm. They use sudo if the user is not root. Each command that
installs something is printed before it runs. CHROMIUM names another browser for the step `web`.

The checks need no GPU. Every adapter of the machine is tested.
Exit codes: 0 all passed, 1 or that of the failed command, 2 usage.
END
}

# Every step builds with the development dependencies, because they switch on features of other crates: a
# `cargo run` or `cargo check` without them would compile nearly all crates a second time.
program=${CARGO_TARGET_DIR:-target}/debug/fall-line
steps=(tools format build adapters lints features tests web examples benches scripts documentation deny)
may_install=true

# shellcheck source=tests/install.sh
source tests/install.sh

step_tools() {
    command -v cargo >/dev/null || fail "Rust is missing; see https://rustup.rs"
    cargo fmt --version || install rustup component add rustfmt
    cargo clippy --version || install rustup component add clippy
    command -v cc || install_packages gcc libc6-dev
    # Its library comes with it. The tests of ranks run on Linux alone.
    [ "$(uname)" != Linux ] || command -v mpirun || install_packages openmpi-bin
    rustc --version
}

step_format() {
    cargo fmt --check
}

step_build() {
    cargo build --all-targets --locked
}

step_adapters() {
    local options=()
    step_build
    $may_install || options=(--no-install)
    if [ "$(uname)" = Linux ] && ! has_gl; then
        # Not every driver has GL without a display, so its absence is no failure.
        if $may_install && command -v apt-get >/dev/null; then
            install_packages libegl1 libgl1-mesa-dri
        fi
        has_gl || echo "There is no GL adapter: the tests run on Vulkan alone."
    fi
    tests/adapter.sh ${options[@]+"${options[@]}"} "$program"
}

has_gl() {
    WGPU_BACKEND=gl "$program" adapters >/dev/null 2>&1
}

step_lints() {
    cargo clippy --all-targets --locked -- -D warnings
}

step_features() {
    local features
    # This is what a user of the bare library builds, without what the development dependencies switch on.
    cargo check --lib --locked --no-default-features
    # An example that needs features is left out by its `required-features`: these need none.
    cargo clippy --examples --locked --no-default-features -- -D warnings
    for features in gpu files mpi gpu,files; do
        echo "-- features: $features"
        cargo clippy --lib --locked --no-default-features --features "$features" -- -D warnings
    done
}

step_tests() {
    local width
    # The output shows which adapters a test ran on, and what it left out.
    cargo test --tests --locked -- --show-output
    cargo test --doc --locked
    # Lavapipe's subgroups are as wide as its registers. The run above has 8 invocations where there is AVX2;
    # these have 4 and 16.
    for width in 128 512; do
        echo "-- registers of $width bits"
        LP_NATIVE_VECTOR_WIDTH=$width WGPU_BACKEND=vulkan cargo test --locked --test suite batches::
    done
}

# Sets CHROMIUM to an installed browser, unless it is set. Chrome comes first: Ubuntu has Chromium as a snap, which starts slowly.
find_browser() {
    local name
    for name in google-chrome chromium chromium-browser; do
        CHROMIUM=${CHROMIUM:-$(command -v "$name" || true)}
    done
    export CHROMIUM
    [ -n "$CHROMIUM" ]
}

test_web() {
    command -v node || install_packages nodejs
    node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || fail "Node $(node --version) is too old: 18 is needed"
    command -v npm || install_packages npm
    if ! find_browser; then
        install_packages chromium
        find_browser || fail "there is no Chromium, even with its package installed; set CHROMIUM to a browser"
    fi
    "$CHROMIUM" --version
    # Fails if a package is missing, or is of another version than package.json's.
    if ! npm ls --prefix tests/web >/dev/null 2>&1; then
        install npm ci --prefix tests/web --ignore-scripts --no-audit --no-fund
    fi
    FALL_LINE=$(realpath "$program") node tests/web/run.mjs
}

step_web() {
    local failed=0
    if [ -z "$web_job" ]; then
        step_build
        test_web
        return
    fi
    wait "$web_job" || failed=$?
    web_job=
    cat "$web_log"
    return "$failed"
}

step_examples() {
    local path name found=false
    for path in examples/*.rs examples/*/main.rs; do
        [ -e "$path" ] || continue
        found=true
        name=${path#examples/}
        name=${name%/main.rs}
        name=${name%.rs}
        echo "-- $name"
        cargo run --quiet --locked --example "$name"
    done
    $found || echo "There are no examples."
}

step_benches() {
    # `--benches` would run the unit tests a second time.
    cargo test --locked --bench '*'
}

step_scripts() {
    local script
    local shell=(tests/*.sh .ci/run benches/*.sh)
    for script in "${shell[@]}"; do
        bash -n "$script"
    done
    if command -v shellcheck >/dev/null; then
        shellcheck "${shell[@]}"
    else
        echo "shellcheck is not installed: bash alone has read the shell scripts."
    fi
    if command -v python3 >/dev/null; then
        for script in benches/*.py tests/golden/*.py tests/data/*.py; do
            python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$script"
        done
        if python3 -c 'import yaml' 2>/dev/null; then
            python3 -c 'import sys, yaml; [yaml.safe_load(open(path)) for path in sys.argv[1:]]' \
                action.yml .github/workflows/*.yml
        else
            echo "Python's yaml is not installed: the workflows are not checked."
        fi
        python3 benches/readme.py --check
    else
        echo "python3 is not installed: the Python scripts are not checked."
    fi
}

# Fails if a relative link in a Markdown file leads nowhere.
check_links() {
    local page link broken=false
    for page in *.md docs/*.md; do
        while read -r link; do
            if [ ! -e "$(dirname "$page")/$link" ]; then
                echo "$page: the link $link leads nowhere" >&2
                broken=true
            fi
        done < <(grep -oE '\]\([^)#]+' "$page" | cut -c3- | grep -vE '^[a-z]+:')
    done
    ! $broken
}

step_documentation() {
    RUSTDOCFLAGS="-D warnings" cargo doc --lib --examples --no-deps --locked --document-private-items
    check_links
}

# To build cargo-deny takes longer than most steps, so nobody has to. The hosted workflow runs all its checks.
step_deny() {
    if ! cargo deny --version 2>/dev/null; then
        echo "cargo-deny is not installed: the crates are not checked. \`cargo install --locked cargo-deny\` brings it."
        return
    fi
    # Advisories need the network.
    cargo deny --locked --all-features check bans licenses sources
}

chosen=()
for argument in "$@"; do
    case $argument in
        -h | --help)
            usage
            exit 0
            ;;
        --no-install) may_install=false ;;
        *)
            if ! declare -F "step_$argument" >/dev/null; then
                echo "tests/run.sh: there is no option or step \"$argument\"; see tests/run.sh --help" >&2
                exit 2
            fi
            chosen+=("$argument")
            ;;
    esac
done
if [ ${#chosen[@]} = 0 ]; then
    chosen=("${steps[@]}")
fi

# Mesa's device-select layer prints a complaint for each device if nobody is logged in.
export NODEVICE_SELECT=1

# The tests in the browser wait more than they compute, so they run beside the steps that compile.
begin_web() {
    web_log=$(mktemp)
    # A group of its own: if a step fails, the browser ends with the script.
    trap 'rm -f "$web_log"; [ -z "$web_job" ] || kill -- -"$web_job" 2>/dev/null || true' EXIT
    set -m
    test_web >"$web_log" 2>&1 &
    set +m
    web_job=$!
}

web_job=
for step in "${chosen[@]}"; do
    printf '\n== %s\n' "$step"
    SECONDS=0
    if [ "$step" = lints ] && [ "${chosen[*]}" = "${steps[*]}" ]; then
        begin_web
    fi
    "step_$step"
    printf '== %s passed in %d s\n' "$step" "$SECONDS"
done
printf '\n== all passed: %s\n' "${chosen[*]}"
