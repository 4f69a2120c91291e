# Functions that install what is missing, for the scripts beside this one. `may_install` says whether they may.
# shellcheck shell=bash

fail() {
    echo "$0: $*" >&2
    exit 1
}

# Runs a command that changes the system, or fails if that is not wanted.
install() {
    if ! ${may_install:?}; then
        fail "missing; this would install it: $*"
    fi
    echo "installing: $*" >&2
    "$@" >&2
}

# Installs Debian packages, or fails and names them.
install_packages() {
    local as_root=()
    command -v apt-get >/dev/null || fail "missing; please install what corresponds to these Debian packages: $*"
    if [ "$(id -u)" != 0 ]; then
        as_root=(sudo)
        if $may_install && ! command -v sudo >/dev/null; then
            fail "missing; please install these packages as root: $*"
        fi
    fi
    if $may_install; then
        install "${as_root[@]}" apt-get update -qq
    fi
    install "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"
}
