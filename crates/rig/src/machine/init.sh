#!/bin/busybox sh
# First program of a guest: sets up what every guest needs, then runs the lines that the console sends.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module"; done </modules/order
ip link set lo up
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
stty -echo -opost
echo rig-is-up
while read -r line; do eval "$line"; done
poweroff -f
