//! The kernel's door: underlay sockets and devices, netlink, namespaces, shared memory, threads and clocks.
//!
//! It decides nothing and knows no engine: every module is one thing of the kernel's, with typed errors that carry the
//! kernel's own word as their source. All of it is synchronous, but for what a task
//! waits for: neighbours ([`link_local`], [`ndp`], [`packet`]) and notifications ([`netlink::Monitor`]).
//!
//! | module | what of the kernel |
//! |---|---|
//! | [`bpf`] | memory of the kernel's programs |
//! | [`clock`] | time since boot |
//! | [`frames`] | whole frames of a link, with their offloads |
//! | [`heap`] | memory that is freed goes back to the kernel |
//! | [`link_local`] | UDP between neighbours |
//! | [`ndp`] | router discovery between neighbours |
//! | [`netlink`] | links, addresses, routes, rules, neighbours |
//! | [`netns`] | network namespaces |
//! | [`nft`] | the packet filter (nftables) |
//! | [`packet`] | Ethernet frames of one type |
//! | [`poll`] | waiting for many file descriptors (epoll) |
//! | [`random`] | unpredictable octets (getrandom) |
//! | [`shm`] | memory that outlives the process |
//! | [`socket`] | what sockets of many links have in common |
//! | [`sysctl`] | the kernel's settings |
//! | [`tagged`] | whole frames of a link, with their VLAN tags |
//! | [`tap`] | the underlay over a TAP with tunnel segmentation offload |
//! | [`thread`] | processors, and pinning to one |
//! | [`timer`] | a timer to wait for beside sockets (timerfd) |
//! | [`timestamp`] | UDP sockets whose datagrams the kernel stamps |
//! | [`udp`] | the underlay over UDP sockets |
//! | [`underlay`] | which ways to the underlay there are |
//! | [`wake`] | waking another thread (eventfd) |

pub mod bpf;
pub mod clock;
pub mod frames;
pub mod heap;
pub mod link_local;
pub mod ndp;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod packet;
pub mod poll;
pub mod random;
pub mod shm;
pub mod socket;
pub mod sysctl;
pub mod tagged;
pub mod tap;
pub mod thread;
pub mod timer;
pub mod timestamp;
pub mod udp;
pub mod underlay;
pub mod wake;

#[cfg(test)]
mod testing;
