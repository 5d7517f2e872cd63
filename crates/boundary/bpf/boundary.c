// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The transformation between the customer's packets and encapsulated ones. The same file is the tc program and, with XDP
// defined, the XDP program. What it does to a packet is told in Rust, in src/transform; a test runs both on the same
// packets. Change the two together.

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define INLINE static __attribute__((always_inline))

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

// ---- What is shared with Rust: src/settings.rs, src/table.rs, src/event.rs.

struct settings {
    u8 group[16];     // the group's anycast address
    u8 az[6];         // the AZ of all sleds
    u8 group_mac[6];  // the group's inner Ethernet address
    u8 in_dst[6];     // Ethernet addresses of what goes to the fabric
    u8 in_src[6];
    u8 out_dst[6];    // Ethernet addresses of what goes to the customer
    u8 out_src[6];
    u32 mtu;          // the longest packet of the underlay
    u32 in_link;      // where to what goes to the fabric goes; 0: on to the kernel
    u32 out_link;     // the same towards the customer
    u32 mask;         // the number of buckets less one
    u32 hop;          // whether the program is the hop that counts in an inbound packet
    u32 plain;        // tc: packets are not marked as encapsulated, so that one can be run again and again
};

const volatile struct settings settings = {};

enum event {
    IN_FORWARDED,
    IN_UNMAPPED,
    IN_NO_BLOCK,
    IN_NO_PORT,
    IN_FRAGMENT,
    IN_MALFORMED,
    IN_SOURCE,
    IN_HOP_LIMIT,
    IN_TOO_LONG,
    IN_NO_ROOM,
    OUT_FORWARDED,
    OUT_MALFORMED,
    OUT_GENEVE,
    OUT_VNI,
    OUT_OPTION,
    OUT_SOURCE,
    OUT_MAC,
    OUT_ECN,
    OUT_AGGREGATE,
    OUT_NO_ROOM,
    EVENTS,
};

struct count {
    u64 packets;
    u64 octets;
};

struct slot {
    u64 high;
    u64 low;
    u64 tag;
    u64 holder;
};

#define SLOTS 4
struct bucket {
    struct slot slots[SLOTS];
};

#define WHOLE 0x10001u
#define SHARED 2u

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, 2);
    __type(key, u32);
    __type(value, struct bucket);
} table SEC(".maps");

struct pool {
    u32 length;
    u8 address[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 4096);
    __type(key, struct pool);
    __type(value, u8);
} pools SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EVENTS);
    __type(key, u32);
    __type(value, struct count);
} counts SEC(".maps");

// ---- What differs between the builds.

#ifdef XDP
typedef struct xdp_md context;
#define SECTION "xdp"
#define PASS XDP_PASS
#define DROP XDP_DROP
#define LENGTH(c) ((u32)((c)->data_end - (c)->data))
#define SEGMENT(c) 0
#define GO(link) ((link) ? bpf_redirect(link, 0) : XDP_PASS)
#else
typedef struct __sk_buff context;
#define SECTION "classifier"
#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT
#define LENGTH(c) ((c)->len)
#define SEGMENT(c) ((c)->gso_size)
#define GO(link) ((link) ? bpf_redirect(link, 0) : TC_ACT_OK)
#endif

#define DATA(c) ((u8 *)(long)(c)->data)
#define END(c) ((u8 *)(long)(c)->data_end)

// Newer than the headers of Debian 12.
#define DECAP_L3_IPV4 (1ULL << 7)
#define DECAP_L3_IPV6 (1ULL << 8)

// The octets that are looked at are in the first ones of a packet that is in pieces.
#define LINEAR 256

INLINE void linear(context *c)
{
#ifndef XDP
    u32 here = c->data_end - c->data;
    if (here < LINEAR && c->len > here)
        bpf_skb_pull_data(c, c->len < LINEAR ? c->len : LINEAR);
#endif
}

// ---- Octets.

#define ETH 14
#define IPV6 40
#define GENEVE 8
#define UDP 8
#define OPTION 4
#define MSS_OPTION 8
#define OUTER (IPV6 + UDP + GENEVE)
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define BRIDGING 0x6558
#define PORT 6081
#define VNI 99

#define TCP_PROTOCOL 6
#define UDP_PROTOCOL 17
#define ICMP_PROTOCOL 1
#define ICMPV6_PROTOCOL 58

INLINE u16 be16(const u8 *p) { return (u16)p[0] << 8 | p[1]; }
INLINE u64 be64(const u8 *p)
{
    u64 word;
    __builtin_memcpy(&word, p, 8);
    return bpf_be64_to_cpu(word);
}
INLINE void put16(u8 *p, u16 value)
{
    value = bpf_htons(value);
    __builtin_memcpy(p, &value, 2);
}
INLINE void put32(u8 *p, u32 value)
{
    value = bpf_htonl(value);
    __builtin_memcpy(p, &value, 4);
}
INLINE void put48(u8 *p, u64 value)
{
    put16(p, value >> 32);
    put32(p + 2, value);
}
// Both in the octets' order: constants of the settings.
INLINE void copy6(u8 *to, const volatile u8 *from)
{
    for (int i = 0; i < 6; i++)
        to[i] = from[i];
}
INLINE int same6(const u8 *one, const volatile u8 *other)
{
    u8 differs = 0;
    for (int i = 0; i < 6; i++)
        differs |= one[i] ^ other[i];
    return !differs;
}

INLINE void count(u32 event, u32 octets)
{
    struct count *count = bpf_map_lookup_elem(&counts, &event);
    if (count) {
        count->packets += 1;
        count->octets += octets;
    }
}

INLINE int drop(u32 event)
{
    count(event, 0);
    return DROP;
}

INLINE int pass(u32 event)
{
    count(event, 0);
    return PASS;
}

// ---- The table.

#define MIX_1 0x9e3779b97f4a7c15ULL
#define MIX_2 0xd6e8feb86659fd93ULL
#define MIX_3 0xa0761d6478bd642fULL

struct found {
    u64 tag;
    u64 holder;
};

INLINE int search(u32 at, u64 high, u64 low, u32 tag, struct found *found)
{
    struct bucket *bucket = bpf_map_lookup_elem(&table, &at);
    if (!bucket)
        return 0;
    for (int i = 0; i < SLOTS; i++) {
        volatile struct slot *slot = &bucket->slots[i];
        u64 held = slot->tag;
        if (slot->low != low || (u32)held != tag || slot->high != high)
            continue;
        found->tag = held;
        found->holder = slot->holder;
        // Another one may have moved in meanwhile: its key is written before its holder.
        if (slot->low == low && slot->high == high)
            return 1;
    }
    return 0;
}

INLINE int lookup(u64 high, u64 low, u32 tag, struct found *found)
{
    u64 hash = high * MIX_1 ^ low;
    hash ^= hash >> 32;
    hash = (hash + tag * MIX_3) * MIX_2;
    hash ^= hash >> 29;
    hash *= MIX_1;
    hash ^= hash >> 32;
    u32 mask = settings.mask;
    u32 first = (u32)hash & mask;
    if (search(first, high, low, tag, found))
        return 1;
    u32 second = (u32)(hash >> 32) & mask;
    if (second == first)
        second ^= 1;
    return search(second, high, low, tag, found);
}

// ---- An inbound packet.

struct packet {
    u64 src_high;
    u64 src_low;
    u64 dst_high;
    u64 dst_low;
    u32 total;     // octets of the IP packet
    u32 l4;        // where the upper layer begins, from the frame's start
    u16 ports[2];  // of TCP and UDP where they are whole packets
    u8 protocol;
    u8 tos;
    u8 hops;
    u8 v6;
    u8 fragment;   // 1: the first one, 2: a later one
    u8 upper;      // whether the upper layer was found
};

#define MAPPED(v4) (0xffff00000000ULL | (v4))

INLINE int read_v4(const u8 *data, const u8 *end, u32 at, struct packet *p)
{
    const u8 *ip = data + at;
    if (ip + 20 > end)
        return 0;
    u32 header = (ip[0] & 0xf) * 4;
    p->total = be16(ip + 2);
    if (ip[0] >> 4 != 4 || header < 20 || p->total < header)
        return 0;
    u32 src, dst;
    __builtin_memcpy(&src, ip + 12, 4);
    __builtin_memcpy(&dst, ip + 16, 4);
    p->src_high = p->dst_high = 0;
    p->src_low = MAPPED(bpf_ntohl(src));
    p->dst_low = MAPPED(bpf_ntohl(dst));
    p->tos = ip[1];
    p->hops = ip[8];
    p->protocol = ip[9];
    u16 place = be16(ip + 6);
    p->fragment = place & 0x1fff ? 2 : place & 0x2000 ? 1 : 0;
    p->l4 = at + header;
    p->v6 = 0;
    p->upper = 1;
    return 1;
}

INLINE int read_v6(const u8 *data, const u8 *end, u32 at, struct packet *p)
{
    const u8 *ip = data + at;
    if (ip + IPV6 > end || ip[0] >> 4 != 6)
        return 0;
    p->total = IPV6 + be16(ip + 4);
    p->src_high = be64(ip + 8);
    p->src_low = be64(ip + 16);
    p->dst_high = be64(ip + 24);
    p->dst_low = be64(ip + 32);
    p->tos = ip[0] << 4 | ip[1] >> 4;
    p->hops = ip[7];
    p->protocol = ip[6];
    p->fragment = 0;
    p->l4 = at + IPV6;
    p->v6 = 1;
    p->upper = 1;
    return 1;
}

#define EXTENSIONS 4

// Walks over IPv6 extension headers (RFC 8200, section 4).
INLINE void extensions(const u8 *data, const u8 *end, struct packet *p)
{
    for (int i = 0; i <= EXTENSIONS; i++) {
        u8 next = p->protocol;
        if (next != 0 && next != 43 && next != 44 && next != 51 && next != 60)
            return;
        const u8 *header = data + p->l4;
        if (i == EXTENSIONS || header + 8 > end)
            break;
        u32 length = (header[1] + 1) * 8;
        if (next == 51)
            length = (header[1] + 2) * 4;
        if (next == 44) {
            length = 8;
            u16 place = be16(header + 2);
            if (place & 0xfff8)
                p->fragment = 2;
            else if (place & 1)
                p->fragment = 1;
        }
        p->protocol = header[0];
        p->l4 += length;
        if (p->fragment == 2)
            return;
    }
    p->upper = 0;
}

INLINE int is_ports(u8 protocol) { return protocol == TCP_PROTOCOL || protocol == UDP_PROTOCOL; }

// Addresses that no packet of another network comes from.
INLINE int is_foreign(const struct packet *p)
{
    if (!p->v6) {
        u8 first = p->src_low >> 24;
        return first != 0 && first != 127 && first < 224;
    }
    u16 first = p->src_high >> 48;
    return first < 0xff00 && (first & 0xffc0) != 0xfe80 && p->src_high;
}

// The port of a message about a packet that one of ours sent (RFC 792; RFC 4443, section 3).
INLINE int embedded_port(const u8 *data, const u8 *end, const struct packet *p, u32 *port)
{
    struct packet sent;
    u32 at = p->l4 + 8;
    if (p->v6) {
        if (!read_v6(data, end, at, &sent))
            return 0;
        if (sent.protocol == 44) {
            const u8 *header = data + sent.l4;
            if (header + 8 > end || be16(header + 2) & 0xfff8)
                return 0;
            sent.protocol = header[0];
            sent.l4 += 8;
        }
    } else if (!read_v4(data, end, at, &sent) || sent.fragment == 2) {
        return 0;
    }
    if (sent.src_high != p->dst_high || sent.src_low != p->dst_low)
        return 0;
    const u8 *l4 = data + sent.l4;
    if (l4 + 6 > end)
        return 0;
    if (is_ports(sent.protocol)) {
        *port = be16(l4);
        return 1;
    }
    int asks = p->v6 ? sent.protocol == ICMPV6_PROTOCOL && l4[0] == 128
                     : sent.protocol == ICMP_PROTOCOL &&
                           (l4[0] == 8 || l4[0] == 13 || l4[0] == 15 || l4[0] == 17);
    *port = be16(l4 + 4);
    return asks;
}

// The port by which the holder of a part of a shared address is found.
INLINE int port_of(const u8 *data, const u8 *end, const struct packet *p, u32 *port)
{
    const u8 *l4 = data + p->l4;
    if (!p->upper || l4 + 8 > end)
        return 0;
    if (is_ports(p->protocol)) {
        *port = be16(l4 + 2);
        return 1;
    }
    if (p->protocol != (p->v6 ? ICMPV6_PROTOCOL : ICMP_PROTOCOL))
        return 0;
    u8 type = l4[0];
    int answer = p->v6 ? type == 129 : type == 0 || type == 14 || type == 16 || type == 18;
    int error = p->v6 ? type < 128 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    *port = be16(l4 + 4);
    if (error)
        return embedded_port(data, end, p, port);
    return answer;
}

// The source port of the tunnel: the same for both directions of a flow, and for all fragments of a packet.
INLINE u16 entropy(const struct packet *p)
{
    u64 hash = ((p->src_high ^ p->dst_high) + MIX_3) * MIX_1;
    hash ^= p->src_low ^ p->dst_low;
    hash += ((u64)(u16)(p->ports[0] ^ p->ports[1]) << 8 | p->protocol) * MIX_2;
    hash ^= hash >> 32;
    hash *= MIX_1;
    return (u16)(hash >> 48) | 0xc000;
}

INLINE int is_pool(const struct packet *p)
{
    struct pool pool = {.length = 128};
    u64 high = bpf_cpu_to_be64(p->dst_high), low = bpf_cpu_to_be64(p->dst_low);
    __builtin_memcpy(pool.address, &high, 8);
    __builtin_memcpy(pool.address + 8, &low, 8);
    return bpf_map_lookup_elem(&pools, &pool) != 0;
}

// The octets of the headers that each segment of a large packet has, from the IP header on.
INLINE u32 segment_headers(const u8 *data, const u8 *end, const struct packet *p)
{
    const u8 *l4 = data + p->l4;
    u32 upper = UDP;
    if (l4 + 13 <= end && p->protocol == TCP_PROTOCOL)
        upper = (l4[12] >> 4) * 4;
    return p->l4 - ETH + upper;
}

// Counts the hop that this is (RFC 1624 for the checksum).
INLINE void count_hop(u8 *ip, int v6)
{
    if (v6) {
        ip[7] -= 1;
        return;
    }
    // A word that falls by 0x100 lets the checksum rise by as much.
    u32 sum = be16(ip + 10) + 0x100u;
    put16(ip + 10, sum + (sum >> 16));
    ip[8] -= 1;
}

INLINE u32 encapsulation(u32 segment) { return OUTER + OPTION + ETH + (segment ? MSS_OPTION : 0); }

// Puts the tunnel headers where there is room for them; `frame` is the first octet of the outer Ethernet header.
INLINE void encapsulate(u8 *frame, const struct packet *p, u64 holder, u16 source, u32 segment)
{
    u32 room = encapsulation(segment);
    u16 length = room - IPV6 + p->total;
    copy6(frame, settings.in_dst);
    copy6(frame + 6, settings.in_src);
    put16(frame + 12, ETHERTYPE_IPV6);
    u8 *ip = frame + ETH;
    put32(ip, 0x60000000u | (u32)p->tos << 20 | source);
    put16(ip + 4, length);
    ip[6] = UDP_PROTOCOL;
    ip[7] = 64;
    for (int i = 0; i < 16; i++)
        ip[8 + i] = settings.group[i];
    for (int i = 0; i < 6; i++)
        ip[24 + i] = settings.az[i];
    put16(ip + 30, holder);
    put32(ip + 32, 0);
    put32(ip + 36, 1);
    u8 *udp = ip + IPV6;
    put16(udp, source);
    put16(udp + 2, PORT);
    put32(udp + 4, (u32)length << 16);
    u8 *geneve = udp + UDP;
    u8 *option = geneve + GENEVE;
    put32(geneve, (u32)(segment ? 3 : 1) << 24 | 0x40u << 16 | BRIDGING);
    put32(geneve + 4, VNI << 8);
    if (segment) {
        put32(option, 0xff520201u);
        put32(option + 4, segment << 16);
        option += MSS_OPTION;
    }
    put32(option, 0xff528100u);
    u8 *inner = option + OPTION;
    put48(inner, holder >> 16);
    copy6(inner + 6, settings.group_mac);
    put16(inner + 12, p->v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
}

INLINE int make_room(context *c, u32 segment)
{
    u32 room = encapsulation(segment);
#ifdef XDP
    return bpf_xdp_adjust_head(c, -(int)room);
#else
    u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 |
                BPF_F_ADJ_ROOM_ENCAP_L4_UDP | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
                BPF_F_ADJ_ROOM_ENCAP_L2(ETH);
    return bpf_skb_adjust_room(c, room, BPF_ADJ_ROOM_MAC, settings.plain ? 0 : flags);
#endif
}

INLINE int inbound(context *c)
{
#ifndef XDP
    if (c->vlan_present)
        return PASS;
#endif
    linear(c);
    u8 *data = DATA(c), *end = END(c);
    u32 frame = LENGTH(c), segment = SEGMENT(c);
    struct packet p;
    struct found found;
    if (data + ETH > end)
        return PASS;
    u16 type = be16(data + 12);
    if (type == ETHERTYPE_IPV4) {
        if (!read_v4(data, end, ETH, &p) || ETH + p.total > frame)
            return drop(IN_MALFORMED);
    } else if (type == ETHERTYPE_IPV6) {
        if (!read_v6(data, end, ETH, &p) || ETH + p.total > frame)
            return drop(IN_MALFORMED);
    } else {
        return PASS;
    }
    if (!lookup(p.dst_high, p.dst_low, WHOLE, &found))
        return is_pool(&p) ? drop(IN_UNMAPPED) : PASS;
    if (p.v6)
        extensions(data, end, &p);
    if ((u8)(found.tag >> 32) == SHARED) {
        u32 shift = (found.tag >> 40) & 0xf, port = 0;
        if (p.fragment == 2)
            return drop(IN_FRAGMENT);
        if (!port_of(data, end, &p, &port))
            return drop(IN_NO_PORT);
        if (!lookup(p.dst_high, p.dst_low, shift << 24 | ((port >> shift) + 1), &found))
            return drop(IN_NO_BLOCK);
    }
    if (!is_foreign(&p))
        return drop(IN_SOURCE);
    if (settings.hop && p.hops <= 1)
        return pass(IN_HOP_LIMIT);
    u32 room = encapsulation(segment);
    u32 longest = p.total;
    if (segment)
        longest = segment + segment_headers(data, end, &p);
    if (room + longest > settings.mtu || room - IPV6 + p.total > 0xffff)
        return pass(IN_TOO_LONG);
    p.ports[0] = p.ports[1] = 0;
    const u8 *l4 = data + p.l4;
    if (!p.fragment && p.upper && is_ports(p.protocol) && l4 + 4 <= end) {
        p.ports[0] = be16(l4);
        p.ports[1] = be16(l4 + 2);
    }
    u16 source = entropy(&p);
    if (settings.hop)
        count_hop(data + ETH, p.v6);
    if (make_room(c, segment))
        return drop(IN_NO_ROOM);
    data = DATA(c);
    end = END(c);
    if (segment) {
        if (data + ETH + OUTER + OPTION + MSS_OPTION + ETH > end)
            return drop(IN_NO_ROOM);
        encapsulate(data, &p, found.holder, source, segment);
    } else {
        if (data + ETH + OUTER + OPTION + ETH > end)
            return drop(IN_NO_ROOM);
        encapsulate(data, &p, found.holder, source, 0);
    }
    count(IN_FORWARDED, p.total);
    return GO(settings.in_link);
}

// ---- An outbound packet.

#define OPTIONS 8
#define OPTIONS_OCTETS 64

// Reads the options (RFC 8926, section 3.5); 0 where one is critical and unknown, or malformed.
INLINE int read_options(const u8 *data, const u8 *end, u32 at, u32 behind, u32 *mss)
{
    for (int i = 0; i <= OPTIONS; i++) {
        if (at == behind)
            return 1;
        const u8 *option = data + at;
        if (i == OPTIONS || option + 4 > end || at + 4 > behind)
            return 0;
        u32 length = (option[3] & 0x1f) * 4;
        u16 class = be16(option);
        int external = class == 0xff52 && option[2] == 0x81 && !length;
        if (option[2] & 0x80 && !external)
            return 0;
        if (at + 4 + length > behind)
            return 0;
        if (class == 0xff52 && option[2] == 2 && length && option + 6 <= end)
            *mss = be16(option + 4);
        at += 4 + length;
    }
    return 0;
}

// DSCP and ECN after the tunnel (RFC 2983; RFC 6040, figure 4); -1 where the packet must be dropped.
INLINE int merge_tos(u8 outer, u8 inner)
{
    u8 in = inner & 3, out = outer & 3;
    if (!in)
        return out == 3 ? -1 : (outer & 0xfc);
    if (out == 3 || (in == 2 && out == 1))
        in = out;
    return (outer & 0xfc) | in;
}

INLINE void set_tos(u8 *ip, int v6, u8 old, u8 new)
{
    if (v6) {
        ip[0] = 0x60 | new >> 4;
        ip[1] = (new << 4) | (ip[1] & 0xf);
        return;
    }
    // RFC 1624, equation 3.
    u32 sum = (u16)~be16(ip + 10) + (u16)~(u16)old + new;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(ip + 10, ~sum);
    ip[1] = new;
}

INLINE int is_sled(const u8 *address)
{
    u32 zeroes, one;
    __builtin_memcpy(&zeroes, address + 8, 4);
    __builtin_memcpy(&one, address + 12, 4);
    return same6(address, settings.az) && address[6] != 0 && address[6] != 0xff &&
           address[7] != 0 && !zeroes && one == bpf_htonl(1);
}

INLINE int remove_room(context *c, u32 room, int v6)
{
#ifdef XDP
    return bpf_xdp_adjust_head(c, (int)room);
#else
    u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | (v6 ? DECAP_L3_IPV6 : DECAP_L3_IPV4);
    return bpf_skb_adjust_room(c, -(int)room, BPF_ADJ_ROOM_MAC, flags);
#endif
}

INLINE int is_for_group(const u8 *address)
{
    u8 differs = 0;
    for (int i = 0; i < 16; i++)
        differs |= address[i] ^ settings.group[i];
    return !differs;
}

INLINE int outbound(context *c)
{
#ifndef XDP
    if (c->vlan_present)
        return PASS;
#endif
    linear(c);
    u8 *data = DATA(c), *end = END(c);
    u32 frame = LENGTH(c), segment = SEGMENT(c);
    if (data + ETH + OUTER > end || be16(data + 12) != ETHERTYPE_IPV6)
        return PASS;
    u8 *ip = data + ETH, *udp = ip + IPV6, *geneve = udp + UDP;
    if (ip[0] >> 4 != 6 || ip[6] != UDP_PROTOCOL || !is_for_group(ip + 24) || be16(udp + 2) != PORT)
        return PASS;
    u32 payload = be16(ip + 4), length = be16(udp + 4);
    if (ETH + IPV6 + payload > frame || length > payload || length < UDP + GENEVE)
        return drop(OUT_MALFORMED);
    if (!is_sled(ip + 8))
        return drop(OUT_SOURCE);
    u32 options = (geneve[0] & 0x3f) * 4;
    if (geneve[0] >> 6 || geneve[1] & 0x80 || be16(geneve + 2) != BRIDGING ||
        options > OPTIONS_OCTETS || UDP + GENEVE + options > length)
        return drop(OUT_GENEVE);
    if (geneve[4] || geneve[5] || geneve[6] != VNI)
        return drop(OUT_VNI);
    u32 mss = 0;
    if (!read_options(data, end, ETH + OUTER, ETH + OUTER + options, &mss))
        return drop(OUT_OPTION);
    if (segment && !mss)
        return drop(OUT_AGGREGATE);
    u8 outer_tos = ip[0] << 4 | ip[1] >> 4;
    u32 at = ETH + OUTER + options;
    u8 *inner = data + at;
    if (inner + ETH > end)
        return drop(OUT_MALFORMED);
    if (!same6(inner, settings.group_mac))
        return drop(OUT_MAC);
    struct packet p;
    u16 type = be16(inner + 12);
    if (type == ETHERTYPE_IPV4) {
        if (!read_v4(data, end, at + ETH, &p))
            return drop(OUT_MALFORMED);
    } else if (type == ETHERTYPE_IPV6) {
        if (!read_v6(data, end, at + ETH, &p))
            return drop(OUT_MALFORMED);
    } else {
        return drop(OUT_MALFORMED);
    }
    if (UDP + GENEVE + options + ETH + p.total > length)
        return drop(OUT_MALFORMED);
    if (!is_foreign(&p))
        return drop(OUT_SOURCE);
    int tos = merge_tos(outer_tos, p.tos);
    if (tos < 0)
        return drop(OUT_ECN);
    if (tos != p.tos) {
        u8 *header = inner + ETH;
        if (header + 20 > end)
            return drop(OUT_MALFORMED);
        set_tos(header, p.v6, p.tos, tos);
    }
    if (remove_room(c, at, p.v6))
        return drop(OUT_NO_ROOM);
    data = DATA(c);
    end = END(c);
    if (data + ETH > end)
        return drop(OUT_NO_ROOM);
    copy6(data, settings.out_dst);
    copy6(data + 6, settings.out_src);
    put16(data + 12, type);
    count(OUT_FORWARDED, p.total);
    return GO(settings.out_link);
}

#ifdef TIMING
#include "timing.h"
#else
SEC(SECTION)
int boundary_in(context *c) { return inbound(c); }

SEC(SECTION)
int boundary_out(context *c) { return outbound(c); }
#endif

char _license[] SEC("license") = "Dual MIT/GPL";
