#!/bin/busybox sh
# First process of dom0: mounts the unpacked root file system over 9p, a RAM disk above it, the project and Node, and goes on there.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </list
nine='trans=virtio,version=9p2000.L,cache=loose,msize=262144'
mount -t 9p -o "$nine,ro" root /low
mount -t tmpfs -o size=400m rw /rw
mkdir /rw/up /rw/wd
mount -t overlay -o lowerdir=/low,upperdir=/rw/up,workdir=/rw/wd overlay /new
mkdir -p /new/usr/lib/colo /new/opt/node /new/opt/start
mount -t 9p -o "$nine,ro" colo /new/usr/lib/colo
mount -t 9p -o "$nine,ro" node /new/opt/node
mount -t 9p -o "$nine,ro" start /new/opt/start
for each in proc sys dev; do mount --move /$each /new/$each; done
exec switch_root /new /bin/sh /opt/start/dom0.sh
