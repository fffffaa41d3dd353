#!/bin/busybox sh
# Init of the lab guest. The kernel command line configures it:
#   colo.ip0=10.77.0.10/24  colo.ip60=fd77::10/64   addresses of the first NIC (ip1, ip61: second, ...)
#   colo.quiet                                      no tick on the serial line
#   colo.probe                                      power off as soon as the guest is up (accelerator probe)
/bin/busybox mkdir -p /proc /sys /dev /bin /sbin /tmp
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "$module"; done </modules.order 2>/dev/null

echo 0 >/proc/sys/net/ipv4/tcp_timestamps
echo 0 >/proc/sys/net/ipv6/conf/all/accept_ra
echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
echo 1 >/proc/sys/kernel/sysrq
hostname guest
ip link set lo up

tick=1 probe=0
cmdline=$(cat /proc/cmdline)
# Disks and NICs that firmware found late (IDE) appear after their module: wait for what the command line names.
for word in $cmdline; do
  case $word in
    colo.quiet) tick=0 ;;
    colo.probe) probe=1 ;;
    colo.ip6[0-9]=* | colo.ip[0-9]=*)
      key=${word%%=*} address=${word#*=}
      nic=eth${key#"${key%?}"}
      tries=0
      while [ ! -e "/sys/class/net/$nic" ] && [ $tries -lt 20 ]; do sleep 0.1; tries=$((tries + 1)); done
      case $address in
        *:*)
          echo 0 >"/proc/sys/net/ipv6/conf/$nic/accept_dad"
          ip link set "$nic" up
          ip -6 addr add "$address" dev "$nic"
          ;;
        *)
          # with the address there before "up" the guest announces itself, so that no neighbour sticks to an old MAC
          echo 1 >"/proc/sys/net/ipv4/conf/$nic/arp_notify"
          ip addr add "$address" dev "$nic"
          ip link set "$nic" up
          ;;
      esac
      ;;
  esac
done

if [ $probe = 1 ]; then
  echo 'GUEST READY'
  poweroff -f
fi
acpid -c /etc/acpi -l /tmp/acpid.log -p /tmp/acpid.pid
/bin/guestd
echo 'GUEST READY'
n=0
while :; do
  sleep 1
  n=$((n + 1))
  [ $tick = 1 ] && echo "tick $n"
done
