#!/bin/sh
# Prints "kvm" when the lab guest boots with KVM within 20 s, else "tcg". A /dev/kvm that opens proves nothing.
#   accel-probe.sh LOWER GUEST      in private mount and PID namespaces
set -u
lower=$1 guest=$2
mount --rbind /dev "$lower/dev"
mount -t tmpfs tmpfs "$lower/tmp"
mount --bind "$guest" "$lower/mnt"
out=$lower/tmp/serial
chroot "$lower" qemu-system-x86_64 -accel kvm -nodefaults -display none -no-reboot -m 128 -serial stdio \
  -kernel /mnt/vmlinuz -initrd /mnt/initrd.img -append 'console=ttyS0 quiet panic=1 colo.probe' >"$out" 2>&1 &
pid=$!
answer=tcg tries=0
while [ $tries -lt 100 ]; do
  if grep -q 'GUEST READY' "$out"; then answer=kvm && break; fi
  if grep -q 'internal error' "$out" || ! kill -0 "$pid" 2>/dev/null; then break; fi
  sleep 0.2
  tries=$((tries + 1))
done
kill -KILL "$pid" 2>/dev/null
echo "$answer"
