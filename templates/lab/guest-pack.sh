#!/bin/sh
# Second half of guest-build.sh, inside the Debian root file system: /assets in, /out out.
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends gcc libc6-dev busybox-static kmod cpio xz-utils syslinux syslinux-common mtools fdisk >/dev/null
cd /tmp
package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
apt-get download -qq "$package"
dpkg-deb -x linux-image-*.deb /k
rm linux-image-*.deb
[ -d /k/lib ] || ln -s usr/lib /k/lib
version=$(ls /k/lib/modules)
depmod -b /k "$version"
cp /k/boot/vmlinuz-"$version" /out/vmlinuz

g=/tmp/initramfs
mkdir -p $g/bin $g/lib $g/etc/acpi/PWRF
cp "$(command -v busybox)" $g/bin/busybox
gcc -O2 -static -Wall -o $g/bin/guestd /assets/guestd.c
strip $g/bin/guestd
cp /assets/guest-init.sh $g/init
chmod 755 $g/init
printf '#!/bin/busybox sh\n/bin/busybox poweroff -f\n' >$g/etc/acpi/PWRF/00000080
chmod 755 $g/etc/acpi/PWRF/00000080
for module in virtio_pci virtio_blk virtio_scsi virtio_net e1000 e1000e ata_piix ahci sd_mod button evdev pvpanic-mmio; do
  modprobe -d /k -S "$version" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r file; do
  name=$(basename "$file" .xz)
  case $file in
    *.xz) xz -dc "$file" >$g/lib/"$name" ;;
    *) cp "$file" $g/lib/"$name" ;;
  esac
  echo "/lib/$name"
done >$g/modules.order
(cd $g && find . | sort | cpio -o -H newc --quiet | gzip -9n) >/out/initrd.img

# A PC disk: MBR, one active FAT partition in the first 64 MiB with syslinux, 64 MiB free behind it for /write.
disk=/tmp/disk.raw
truncate -s 128M $disk
echo 'start=2048, size=129024, type=c, bootable' | sfdisk -q $disk
dd if=/usr/lib/syslinux/mbr/mbr.bin of=$disk conv=notrunc bs=440 count=1 status=none
mformat -i $disk@@1M -T 129024 -h 16 -s 63 -H 2048 -v COLOGUEST ::
cat >/tmp/syslinux.cfg <<'CFG'
SERIAL 0 115200
DEFAULT guest
LABEL guest
  KERNEL vmlinuz
  INITRD initrd.img
  APPEND console=ttyS0 quiet panic=1 colo.ip0=10.77.0.10/24 colo.ip60=fd77::10/64 colo.ip1=10.78.0.10/24
CFG
mcopy -i $disk@@1M /out/vmlinuz /out/initrd.img /tmp/syslinux.cfg ::
syslinux --install --offset 1048576 $disk
qemu-img convert -q -f raw -O qcow2 $disk /out/disk.qcow2
echo "$version" >/out/kernel-version
