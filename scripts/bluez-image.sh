#!/usr/bin/env bash
# Build the virtual machine in which the gateway meets real BlueZ: a Debian kernel and an initial RAM disk with
# bluetoothd, dbus, Python and the gateway's libraries. Our own code is not in it; tests/bluez adds it at each start.
#
# Prints the folder with `vmlinuz` and `base.cpio.zst`; builds them only when this script or requirements/gateway.txt
# has changed. Root or passwordless sudo is needed to build, nothing but QEMU to use what was built.
# CALZA_CACHE: where to keep it (default ~/.cache/calza). CALZA_DEBIAN: another Debian mirror.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 3>&1 </dev/null >&2 # only the folder's name goes to standard output

SUITE=bookworm # the release whose BlueZ our gateways run on
MIRROR=${CALZA_DEBIAN:-} # empty: debootstrap's own default
CACHE=${CALZA_CACHE:-$HOME/.cache/calza}/bluez-image
PACKAGES=bluez,dbus,python3,kmod,procps,iproute2
# hci_vhci: the adapter. ecb to sha512_generic: what pairing computes with; without them BlueZ reports a pairing that
# never was. uhid: bluetoothd asks for it. virtio_*: the ways in and out of the machine.
MODULES="hci_vhci uhid ecb cmac ecdh_generic ctr drbg jitterentropy_rng hmac sha512_generic
    virtio_pci virtio_console virtio_net"
# Most of the weight, and nothing that a gateway on BlueZ loads.
WITHOUT='^(bumble|cryptography)=='

say() { printf 'bluez-image: %s\n' "$*"; }

can_be_root() { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

need() { # need COMMAND PACKAGE...: install the packages when the command is missing
    local command=$1
    shift
    if PATH=$PATH:/usr/sbin command -v "$command" >/dev/null; then return 0; fi
    if ! command -v apt-get >/dev/null || ! can_be_root; then
        say "$command is missing and cannot be installed from here. As root: apt-get install $*"
        exit 3
    fi
    say "installing $* from Debian"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

build() { # build FOLDER
    local work=$1.work root=$1.work/root kernel
    as_root rm -rf "$work" && mkdir -p "$work"

    say "fetching Debian $SUITE (a minute)"
    as_root env PATH="$PATH:/usr/sbin:/sbin" debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$root" ${MIRROR:+"$MIRROR"} >"$work/debootstrap.log"

    # Asked for by the name that stays: linux-image-amd64 depends on the kernel of the day.
    as_root cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    as_root chroot "$root" /bin/sh -ec '
        image=$(apt-cache depends linux-image-amd64 | sed -n "s/^ *Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)
        cd /tmp && apt-get -qq -o APT::Sandbox::User=root download "$image"
        dpkg-deb -x linux-image-*.deb /tmp/kernel'
    kernel=$(ls "$root/tmp/kernel/lib/modules")
    say "kernel $kernel"
    as_root chroot "$root" depmod -b /tmp/kernel "$kernel"
    # Without the blank before "insmod" a module's own options would be taken for its name.
    as_root chroot "$root" modprobe -d /tmp/kernel -S "$kernel" -a --show-depends $MODULES |
        sed -n "s,^insmod /tmp/kernel/\([^ ]*\).*,\1,p" | sort -u >"$work/modules"
    printf "lib/modules/$kernel/%s\n" modules.order modules.builtin modules.builtin.modinfo >>"$work/modules"
    as_root tar -C "$root/tmp/kernel" -cf - -T "$work/modules" | as_root tar -C "$root" -xf -
    as_root depmod -b "$root" "$kernel"
    as_root install -m 644 "$root/tmp/kernel/boot/vmlinuz-$kernel" "$work/vmlinuz"
    printf '%s\n' $MODULES | as_root tee "$root/etc/calza-modules" >/dev/null

    say "fetching the gateway's libraries"
    # One block of the lock file is a name with its version and, indented below, its hashes.
    awk -v without="$WITHOUT" '/^[^ #]/ { keep = $0 !~ without } keep' requirements/gateway.txt >"$work/requirements.txt"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --target "$work/site-packages" --no-compile \
        --only-binary :all: --implementation cp --python-version 3.11 --platform manylinux_2_36_x86_64 \
        --platform manylinux_2_34_x86_64 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
        --no-deps --require-hashes -r "$work/requirements.txt"
    as_root mkdir -p "$root/opt"
    as_root cp -r "$work/site-packages" "$root/opt/site-packages"
    as_root chroot "$root" python3 -m compileall -q -j 0 /opt/site-packages /usr/lib/python3.11 || true # a few are not for 3.11

    as_root rm -rf "$root"/{boot,home,media,mnt,srv,tmp} "$root"/var/{cache,log,lib/apt,lib/dpkg} \
        "$root"/usr/share/{doc,doc-base,info,locale,man,perl5,zoneinfo,i18n,bash-completion,lintian,perl} \
        "$root"/usr/lib/x86_64-linux-gnu/{perl,perl-base,gconv,libapt-*} "$root"/usr/lib/{apt,dpkg} \
        "$root"/usr/lib/python3.11/{ensurepip,idlelib,lib2to3,pydoc_data,test,tkinter}
    as_root mkdir -p "$root"/{tmp,mnt} "$root"/var/{cache,log}
    as_root sh -c "cd '$root' && find . -xdev -print0 | cpio -0 -o -H newc --quiet" | zstd -q -T0 -6 -o "$work/base.cpio.zst"
    as_root rm -rf "$root" "$work/site-packages"
    mv "$work" "$1"
}

need qemu-system-x86_64 qemu-system-x86
folder=$CACHE/$(cat scripts/bluez-image.sh requirements/gateway.txt | sha256sum | cut -c1-16)
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9
if [ ! -d "$folder" ]; then
    need debootstrap debootstrap debian-archive-keyring
    need cpio cpio
    need zstd zstd
    build "$folder"
    say "built in $SECONDS s: $(du -h "$folder/base.cpio.zst" | cut -f1) packed"
fi
printf '%s\n' "$folder" >&3
