#!/bin/bash
# First program of a guest with cloud-init: the unit that finds the data source and does
# what must be done before anybody logs in; then the lines of the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
while read -r module; do busybox insmod "$module"; done </modules/order
ip link set lo up
ip link set eth0 up
busybox udhcpc -i eth0 -n -q -f -t 10 -T 1 -s /hook -O staticroutes
cloud-init init
stty -echo -opost
echo rig-is-up
while read -r line; do eval "$line"; done
busybox poweroff -f
