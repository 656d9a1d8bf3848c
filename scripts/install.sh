#!/bin/sh
# Make .venv and install the project into it. Does nothing when nothing has changed.
#
#   scripts/install.sh          what `make demo` needs
#   scripts/install.sh test     also what tests need: a screen where there is none (Xvfb), and an ssh server to log in to
#
# Variables: PYTHON            the interpreter to use (3.11 or newer)
#            PCCS_TORCH_INDEX  address of a package index with CPU builds of torch; used when no
#                              NVIDIA device is found (such a build is about ten times smaller)
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

find_python() {
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3 python; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer was not found. Install it, or name it: make PYTHON=/path/to/python3.12 ..."
    exit 2
}

has_nvidia() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; }

missing_libraries() {
    # soname:Debian package, one a line; prints the packages whose library the loader does not know.
    known=$(ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null || true)
    for pair in libEGL.so.1:libegl1 libGL.so.1:libgl1 libxkbcommon-x11.so.0:libxkbcommon-x11-0 \
        libxcb-cursor.so.0:libxcb-cursor0 libxcb-icccm.so.4:libxcb-icccm4 \
        libxcb-keysyms.so.1:libxcb-keysyms1 libxcb-shape.so.0:libxcb-shape0 \
        libxcb-image.so.0:libxcb-image0 libxcb-render-util.so.0:libxcb-render-util0 \
        libxcb-xinerama.so.0:libxcb-xinerama0 libxcb-randr.so.0:libxcb-randr0 \
        libxcb-xkb.so.1:libxcb-xkb1 libdbus-1.so.3:libdbus-1-3 libfontconfig.so.1:libfontconfig1; do
        case "$known" in
            *"${pair%%:*}"*) ;;
            *) printf '%s ' "${pair#*:}" ;;
        esac
    done
    [ -n "$(find /usr/share/fonts -name '*.[to]tf' 2>/dev/null | head -n 1)" ] || printf 'fonts-dejavu-core '
    [ "${1:-}" = test ] || return 0
    command -v Xvfb >/dev/null 2>&1 || printf 'xvfb xauth '
    # Not where systemd runs: there the package would also start a server that is open to the network.
    [ -d /run/systemd/system ] || PATH="$PATH:/usr/sbin:/sbin" command -v sshd >/dev/null 2>&1 ||
        printf 'openssh-server openssh-client '
}

install_libraries() {
    [ "$(uname -s)" = Linux ] || return 0
    packages=$(missing_libraries "${1:-}")
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" = 0 ]; then root=""; elif sudo -n true 2>/dev/null; then root="sudo"; else root=none; fi
    if [ "$root" != none ] && command -v apt-get >/dev/null 2>&1; then
        say "Installing system packages: $packages"
        # shellcheck disable=SC2086 # a list of words
        if $root apt-get update -qq && $root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $packages >/dev/null; then
            return 0
        fi
    fi
    say "The window (or a test) needs system packages that are not here. Everything else works without them. Run:"
    say "    sudo apt-get install $packages"
}

install_torch() {
    torch=$(grep '^torch==' constraints.txt)
    if has_nvidia; then
        say "Installing $torch (an NVIDIA device is present: the CUDA build)"
        "$pip" install "$torch" -c constraints.txt
    elif [ -n "${PCCS_TORCH_INDEX:-}" ]; then
        say "Installing $torch (no NVIDIA device: the CPU build from PCCS_TORCH_INDEX)"
        "$pip" install "$torch" -c constraints.txt --extra-index-url "$PCCS_TORCH_INDEX"
    else
        say "Installing $torch (no NVIDIA device; the CPU build is taken where pip knows one)"
        "$pip" install "$torch" -c constraints.txt
    fi
}

install_libraries "${1:-}"
stamp=.venv/installed
pip=.venv/bin/pip
export PIP_DISABLE_PIP_VERSION_CHECK=1
state=$(cat pyproject.toml constraints.txt scripts/install.sh | cksum)
if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
    exit 0
fi
if [ ! -x .venv/bin/python ]; then
    python=$(find_python)
    say "Making .venv with $("$python" --version)"
    "$python" -m venv .venv
fi
install_torch
say "Installing napari-pccs and what it needs (versions of constraints.txt)"
"$pip" install -c constraints.txt -e ".[all,dev,docs]"
printf '%s\n' "$state" >"$stamp"
say "Installed."
