// SPDX-License-Identifier: MIT OR Apache-2.0
//
// The programs as they are timed: BPF_PROG_TEST_RUN runs one again and again on its own output, so each run draws the
// next address, transforms, and makes the packet what it was. All of that is in the time.

struct timing {
    u64 random;
    u8 headers[96];  // the headers of the tunnel, of an outbound packet
};

const volatile u32 timing_addresses = 1;  // how many addresses are drawn from
const volatile u32 timing_first = 0;      // the first of them, of IPv4
const volatile u32 timing_port_mask = 0;  // which bits of the destination port are drawn

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct timing);
} timing SEC(".maps");

SEC(SECTION)
int boundary_in(context *c)
{
    u32 zero = 0;
    struct timing *state = bpf_map_lookup_elem(&timing, &zero);
    u8 *data = DATA(c), *end = END(c);
    if (!state || data + ETH + 24 > end)
        return DROP;
    u64 random = state->random;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    state->random = random;
    data[ETH + 8] = 64;
    put32(data + ETH + 16, timing_first + (u32)((random >> 32) * timing_addresses >> 32));
    if (timing_port_mask)
        put16(data + ETH + 22, 0x8000 | (random & timing_port_mask));
    int verdict = inbound(c);
    u32 room = encapsulation(0);
#ifdef XDP
    if (bpf_xdp_adjust_head(c, (int)room))
        return DROP;
#else
    if (bpf_skb_adjust_room(c, -(int)room, BPF_ADJ_ROOM_MAC, 0))
        return DROP;
    data = DATA(c);
    if (data + ETH > END(c))
        return DROP;
    put16(data + 12, ETHERTYPE_IPV4);
#endif
    return verdict;
}

#define HEADERS (ETH + OUTER + OPTION + ETH)

SEC(SECTION)
int boundary_out(context *c)
{
    u32 zero = 0;
    struct timing *state = bpf_map_lookup_elem(&timing, &zero);
    if (!state)
        return DROP;
    int verdict = outbound(c);
    int room = OUTER + OPTION + ETH;
#ifdef XDP
    if (bpf_xdp_adjust_head(c, -room))
        return DROP;
#else
    if (bpf_skb_adjust_room(c, room, BPF_ADJ_ROOM_MAC, 0))
        return DROP;
#endif
    u8 *data = DATA(c);
    if (data + HEADERS > END(c))
        return DROP;
    __builtin_memcpy(data, state->headers, HEADERS);
    return verdict;
}
