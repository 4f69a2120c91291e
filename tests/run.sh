#!/usr/bin/env bash
# Checks everything, on every adapter that this machine offers. It needs Rust; a C linker and software
# adapters are installed where there are none, on Debian and Ubuntu.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

has_adapter() {
    WGPU_BACKEND=$1 cargo run --quiet -- adapters >/dev/null 2>&1
}

install() {
    if ! command -v apt-get >/dev/null; then
        echo "please install what stands for these Debian packages: $*" >&2
        exit 1
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

step() {
    printf '\n== %s\n' "$*"
}

step "tools"
for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

command -v cc >/dev/null || install gcc libc6-dev

step "format"
cargo fmt --check

step "build"
cargo build --all-targets --locked

step "adapters"
if [ "$(uname)" = Linux ] && { ! has_adapter vulkan || ! has_adapter gl; }; then
    install mesa-vulkan-drivers libvulkan1 libegl1 libgl1-mesa-dri
    has_adapter vulkan || { echo "no Vulkan adapter, even with Mesa's installed" >&2; exit 1; }
    has_adapter gl || echo "no GL adapter: the tests run on Vulkan alone"
fi
cargo run --quiet -- adapters

step "lints"
cargo clippy --all-targets --locked -- -D warnings

step "tests, and every bench once"
# Mesa's device-select layer complains of every device where nobody is logged in.
export NODEVICE_SELECT=1
cargo test --all-targets --locked -- --show-output
cargo test --doc --locked
# Lavapipe's subgroups are as wide as its registers: 4, 8 (above, where there is AVX2) and 16 invocations.
for width in 128 512; do
    LP_NATIVE_VECTOR_WIDTH=$width WGPU_BACKEND=vulkan cargo test --locked --test batches
done

step "scripts"
bash -n benches/gpu.sh
if command -v python3 >/dev/null; then
    for script in benches/*.py tests/golden/*.py tests/data/*.py; do
        python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$script"
    done
else
    echo "no python3: the scripts in Python are not read"
fi

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --document-private-items

step "all passed"
