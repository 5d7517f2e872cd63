//! The kernel's door: underlay sockets and devices, netlink, namespaces, shared memory, threads and clocks.
