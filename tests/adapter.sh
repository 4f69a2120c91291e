#!/usr/bin/env bash
# Finds an adapter, or installs a software adapter on Linux, and checks all. `tests/adapter.sh --help` says more.
set -euo pipefail

usage() {
    cat <<'EOF'
usage: tests/adapter.sh [--no-install] PROGRAM [ARGUMENT]...

Runs `PROGRAM doctor ARGUMENT...`, where PROGRAM is fall-line. If Linux has no Vulkan adapter, it first installs
lavapipe, Mesa's software adapter, with apt-get. Windows brings the software adapter WARP, and a Mac has a GPU.

options:
  --no-install   change nothing on this system: if there is no adapter, say what to install and fail
  -h, --help     print this help

Exit codes: those of fall-line, of which 4 says that an adapter fails, or none is there; 1 not installed, 2 usage.
EOF
}

# shellcheck source=tests/install.sh
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

may_install=true
case ${1-} in
    -h | --help)
        usage
        exit 0
        ;;
    --no-install)
        may_install=false
        shift
        ;;
esac
if [ $# = 0 ]; then
    usage >&2
    exit 2
fi
program=$1
shift

# Mesa's device-select layer prints a complaint for each device if nobody is logged in.
export NODEVICE_SELECT=1

has_adapter() {
    WGPU_BACKEND=$1 "$program" adapters >/dev/null 2>&1
}

# A backend that the caller leaves out is not missed.
if [ "$(uname)" = Linux ] && [[ ${WGPU_BACKEND-vulkan} = *vulkan* ]] && ! has_adapter vulkan; then
    install_packages mesa-vulkan-drivers libvulkan1 libegl1 libgl1-mesa-dri
    has_adapter vulkan || fail "there is no Vulkan adapter, even with Mesa's packages installed"
fi
"$program" doctor "$@"
