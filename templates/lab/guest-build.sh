#!/bin/sh
# Builds the lab guest: kernel, initramfs and a disk that boots by firmware. Runs in private mount, PID and IPC
# namespaces, so that an interrupted build leaves no mount behind; compilers go into a throw-away overlay.
#   guest-build.sh LOWER WORK OUT ASSETS
set -eu
lower=$1 work=$2 out=$3 assets=$4
mkdir -p "$work/up" "$work/wd" "$work/root" "$out"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/up,workdir=$work/wd" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mkdir -p "$root/out" "$root/assets"
mount --bind "$out" "$root/out"
mount --bind "$assets" "$root/assets"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
if [ -f "$work/apt.conf" ]; then cp "$work/apt.conf" "$root/etc/apt/apt.conf.d/99colo-lab"; fi
exec chroot "$root" /bin/sh -eu /assets/guest-pack.sh
