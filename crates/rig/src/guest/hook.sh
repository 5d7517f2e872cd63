#!/bin/sh
# Hook of udhcpc (reason in $1) and of dhclient (in $reason): does what the server said, and writes it down.
case "${reason:-$1}" in
bound | renew | BOUND | RENEW | REBOOT)
    env >@LEASE@
    ip -4 address flush dev "$interface"
    if [ -n "$new_ip_address" ]; then
        ip address add "$new_ip_address/32" dev "$interface"
        exit 0
    fi
    ip address add "$ip/$mask" dev "$interface"
    set -- $staticroutes
    while [ $# -ge 2 ]; do
        case $2 in
        0.0.0.0) ip route replace "$1" dev "$interface" scope link ;;
        *) ip route replace "$1" via "$2" dev "$interface" ;;
        esac
        shift 2
    done
    ;;
BOUND6 | RENEW6 | REBIND6)
    env >@LEASE@
    ip -6 address replace "$new_ip6_address/$new_ip6_prefixlen" dev "$interface" nodad
    ;;
PREINIT | PREINIT6)
    ip link set dev "$interface" up
    ;;
esac
exit 0
