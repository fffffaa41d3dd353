#!/bin/sh
# Unpacks Debian 12's Xen, kernel and tools into a directory, without running a package's scripts: seconds instead of minutes, and the same
# on Debian 12 and 13. Then packs the initramfs that mounts it. Nothing of this machine gets into it.
#   build-rootfs.sh DIRECTORY MIRROR
set -eu
dir=$1 mirror=$2 assets=$(dirname "$0")
packages=xen-utils-4.17,xen-utils-common,xenstore-utils,xen-hypervisor-4.17-amd64,qemu-system-xen,linux-image-amd64
packages=$packages,busybox-static,cpio,kmod,openssh-server,iproute2,nftables,procps

debootstrap --foreign --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
  --include=$packages bookworm "$dir" "$mirror"
for deb in "$dir"/var/cache/apt/archives/*.deb; do
  case ${deb##*/} in
  python* | libpython* | perl-* | tzdata_* | iso-codes_* | udev_* | initramfs* | apt_* | klibc*) ;;
  *) dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale ;;
  esac
done
rm -rf "$dir/var/cache/apt/archives" "$dir/debootstrap" "$dir/usr/share/doc" "$dir/usr/share/locale"
cat >"$dir/etc/passwd" <<'P'
root:x:0:0:root:/root:/bin/sh
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
P
printf 'root:x:0:\nnogroup:x:65534:\n' >"$dir/etc/group"
printf 'root:*:19000:0:99999:7:::\n' >"$dir/etc/shadow"
chroot "$dir" ldconfig

kernel=$(cd "$dir/boot" && ls vmlinuz-* | head -n 1)
version=${kernel#vmlinuz-}
chroot "$dir" depmod "$version"
mkdir "$dir/xen"
zcat "$dir"/boot/xen-4.17-amd64.gz >"$dir/xen/xen.elf"
mv "$dir/boot/$kernel" "$dir/xen/vmlinuz"

# what dom0 needs before it sees its root file system
early="$dir/xen/early"
mkdir -p "$early/bin" "$early/modules" "$early/proc" "$early/sys" "$early/dev" "$early/new" "$early/low" "$early/rw"
cp "$dir/bin/busybox" "$early/bin/"
for module in virtio_pci virtio_net 9pnet_virtio 9p overlay; do
  chroot "$dir" modprobe --set-version "$version" --show-depends "$module"
done | sed -n 's/^insmod //p' | awk '!seen[$0]++' >"$early/order"
while read -r file _; do
  cp "$dir$file" "$early/modules/"
  echo "${file##*/}"
done <"$early/order" >"$early/list"
rm "$early/order"
cp "$assets/early-init.sh" "$early/init"
chmod 755 "$early/init"
(cd "$early" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$dir/xen/early.img"

# the guest: the same kernel, busybox, and a counter on the console
guest="$dir/xen/guest"
mkdir -p "$guest/bin" "$guest/sbin" "$guest/proc" "$guest/dev"
cp "$dir/bin/busybox" "$guest/bin/"
# what the kernel runs when it is asked to power off
printf '#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n' >"$guest/sbin/poweroff"
chmod 755 "$guest/sbin/poweroff"
cp "$assets/guest-init.sh" "$guest/init"
chmod 755 "$guest/init"
(cd "$guest" && find . | cpio -o -H newc 2>/dev/null | gzip -9) >"$dir/xen/guest.img"
rm -rf "$early" "$guest"
