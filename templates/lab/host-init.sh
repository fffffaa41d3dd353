#!/bin/sh
# PID 1 of a lab host: what systemd would start, then reaping orphans for ever.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root
umount -l /mnt
cd /
mkdir -p /run/sshd /run/libvirt /run/lock /run/colo-lab
mkdir -m 711 /run/colo /run/colo/scratch
mount -t tmpfs -o mode=711,size=512m scratch /run/colo/scratch
/usr/sbin/sshd
virtlogd -d
libvirtd -d
colo-lab-agent
touch /run/colo-lab/ready
while :; do
  sleep 3600 &
  wait $!
done
