#!/bin/sh
# What starts in dom0: Xen's daemons, and two hosts on one Xen. Each has its own sshd, agent, records and sockets; domains they share.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mkdir -p /run/lock /run/sshd /run/xen /run/xenstored /var/lib/xen /var/log/xen /root/.ssh /usr/local/bin
rm -rf /var/run /var/lock
ln -s /run /var/run
ln -s /run/lock /var/lock
ln -s /opt/node/node /usr/local/bin/node
ln -s /usr/lib/colo/bin/run.js /usr/local/bin/colo
ln -s /bin/busybox /usr/local/bin/awk # for Xen's scripts
modprobe -a xen-privcmd xenfs xen-evtchn xen-gntdev xen-gntalloc xen-netback xen-blkback tun bridge dummy nf_tables
mount -t xenfs xenfs /proc/xen
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
ip link add br0 type bridge
ip address add 10.90.0.1/24 dev br0
ip address add 10.90.0.2/24 dev br0
ip link set br0 up
# a bridge that lost its last port has no carrier
ip link add port0 type dummy
ip link set port0 master br0 up
xen=/usr/lib/xen-4.17/bin
$xen/xenstored --pid-file /run/xenstored.pid || xenstored --pid-file /run/xenstored.pid
xenstore-exists / || sleep 1
$xen/xen-init-dom0
mkdir -p /var/log/xen/console
$xen/xenconsoled --pid-file=/run/xenconsoled.pid --log=guest --log-dir=/var/log/xen/console
cp /opt/start/authorized_keys /root/.ssh/authorized_keys
cp /opt/start/host_key /run/host_key
chmod 600 /run/host_key /root/.ssh/authorized_keys
chmod 700 /root /root/.ssh
chown -R 0:0 /root
echo xen-dom0 >/proc/sys/kernel/hostname

host() { # NAME PORT
  mkdir -p "/run/$1/colo" "/var/lib/$1/colo" /run/colo /var/lib/colo
  unshare --mount sh -c "
    mount --bind /run/$1/colo /run/colo
    mount --bind /var/lib/$1/colo /var/lib/colo
    mkdir -p /run/colo/pairs /run/colo/scratch
    /usr/sbin/sshd -f /dev/null -p $2 -o HostKey=/run/host_key -o UsePAM=no -o UseDNS=no -o PermitRootLogin=prohibit-password -o PidFile=none \
      -o StrictModes=no -o KexAlgorithms=curve25519-sha256 -o Ciphers=aes128-ctr -o MACs=hmac-sha2-256 -o MaxSessions=100
    exec colo agent --host $1 >/run/$1/agent.log 2>&1" &
}
host xa 22
host xb 2222
cut -d' ' -f1 /proc/uptime | sed 's/^/DOM0-UP /'
while :; do
  sleep 3600 &
  wait $!
done
