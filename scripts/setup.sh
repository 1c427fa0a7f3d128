#!/usr/bin/env bash
# Prepare everything `make demo` and `make test` need on a fresh Debian 12 machine; return at once when it is all there.
# Packages come from requirements/dev.txt with their hashes checked; Mosquitto comes from Debian.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

can_be_root() { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt_install() {  # fails without a word where there is no Debian, or neither root nor passwordless sudo is at hand
    command -v apt-get >/dev/null && can_be_root || return 1
    say "installing $* from Debian"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >&2 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" </dev/null >&2
}

find_python() {
    local candidate
    for candidate in python3.11 python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return 0
        fi
    done
    return 1
}

prepare_venv() {
    local python wanted
    wanted=$(cat requirements/dev.txt pyproject.toml | sha256sum | cut -d' ' -f1)
    if [ "$(cat .venv/.calza-lock 2>/dev/null || true)" = "$wanted" ]; then return 0; fi
    if ! python=$(find_python); then
        say "Python 3.11 or newer is needed. On Debian 12: apt-get install python3 python3-venv"
        exit 1
    fi
    # Debian ships venv without ensurepip unless python3-venv is installed, and then leaves a half-made folder behind.
    if ! .venv/bin/pip --version >/dev/null 2>&1; then
        say "creating .venv with $("$python" --version) (about a minute the first time)"
        rm -rf .venv
        if ! "$python" -m venv .venv >/dev/null 2>&1; then
            rm -rf .venv
            if ! apt_install python3-venv || ! "$python" -m venv .venv; then
                say "cannot create a virtual environment. Install python3-venv as root (apt-get install python3-venv), then run this again."
                exit 1
            fi
        fi
    fi
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt </dev/null
    # The build backend is among the pinned packages, so building needs no second download.
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . </dev/null
    echo "$wanted" >.venv/.calza-lock
}

# What the tests meet for real, each Debian package with the program that shows it is there and what is lost without it.
prepare_programs() {
    local program package lost missing=()
    while read -r program package lost; do
        PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || missing+=("$package")
    done <<<"$PROGRAMS"
    if [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"; then return 0; fi
    while read -r program package lost; do
        case " ${missing[*]} " in *" $package "*) say "without $package $lost. To have it: apt-get install $package" ;; esac
    done <<<"$PROGRAMS"
}
PROGRAMS='mosquitto mosquitto the demo uses the built-in amqtt broker, and tests that need a real broker are skipped
mosquitto_sub mosquitto-clients the compose file is not tried by hand
dbus-daemon dbus-daemon tests of what the gateway says to BlueZ are skipped
influxd influxdb the series store is not tried on a real InfluxDB engine
chromium chromium the pages are not tried in a real browser'

prepare_venv
prepare_programs
