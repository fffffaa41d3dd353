#!/bin/sh
# Turns fresh namespaces into one lab host: its own view of the file system, then its init. All mounts are made inside
# the host's mount namespace, so they end with its last process and nothing is left to unmount.
#   host-enter.sh NAME LOWER DIR TREE GUEST ACCEL      DIR holds the host's own up/ and wd/
set -eu
name=$1 lower=$2 dir=$3 tree=$4 guest=$5 accel=$6
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$dir/up,workdir=$dir/wd" "$dir/root"
cd "$dir/root"
mkdir -p mnt proc sys dev run tmp usr/lib/colo var/lib/colo/guest var/lib/colo/images
chmod 711 var/lib/colo var/lib/colo/images
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
chmod 1777 tmp

mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm dev/net
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
mknod -m 666 dev/net/tun c 10 200
if [ "$accel" = kvm ]; then mknod -m 666 dev/kvm c 10 232; fi
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr

mount --bind "$tree" usr/lib/colo
mount -o remount,bind,ro usr/lib/colo
mount --bind "$guest" var/lib/colo/guest
mount -o remount,bind,ro var/lib/colo/guest
hostname "$name"
pivot_root . mnt
exec chroot . /usr/local/sbin/colo-lab-init
