#!/usr/bin/env bash
# Checks everything, on every adapter that this machine offers. It needs Rust and a C linker; where there
# is no Vulkan adapter, on Debian and Ubuntu, it installs the software one.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

has_vulkan() {
    WGPU_BACKEND=vulkan cargo run --quiet -- adapters
}

step() {
    printf '\n== %s\n' "$*"
}

step "components"
for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
done

step "format"
cargo fmt --check

step "build"
cargo build --all-targets --locked

step "adapters"
if ! has_vulkan >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null; then
        echo "no Vulkan adapter, and no apt-get to install one: install Mesa's lavapipe" >&2
        exit 1
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        mesa-vulkan-drivers libvulkan1 libegl1 libgl1-mesa-dri >/dev/null
fi
has_vulkan >/dev/null
cargo run --quiet -- adapters

step "lints"
cargo clippy --all-targets --locked -- -D warnings

step "tests, and every bench once"
# Mesa's device-select layer complains of every device where nobody is logged in.
export NODEVICE_SELECT=1
cargo test --all-targets --locked -- --show-output
cargo test --doc --locked

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --document-private-items

step "all passed"
