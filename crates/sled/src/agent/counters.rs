//! What the agent did, by name.

/// Makes a struct of counters and the list of their names from one table.
macro_rules! counters {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What the agent did since it was started, in packets, queries and requests.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct AgentCounters {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl AgentCounters {
            /// Every counter: its name, what it counts, and its value.
            #[must_use]
            pub fn named(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$((stringify!($name), concat!($($doc),+).trim_ascii(), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Packets of guests punted to DNS.
    punts_dns,
    /// Packets of guests punted to the metadata service.
    punts_metadata,
    /// Punts dropped because no guest has their port.
    dropped_unknown_port,
    /// Punts dropped because the guest sent faster than it may.
    dropped_rate_limited,
    /// Punts dropped because the guest's queue was full.
    dropped_queue_full,
    /// Punts dropped because they are no packets to a service.
    dropped_malformed,
    /// Punts dropped because they are fragments.
    dropped_fragment,
    /// Openings of connections dropped because there were too many.
    dropped_connection_limit,
    /// DNS queries read, over UDP and TCP.
    dns_queries,
    /// DNS queries over TCP.
    dns_queries_tcp,
    /// DNS queries answered from the zones of the guest's VPC.
    dns_answered,
    /// DNS queries answered from the cache.
    dns_cached,
    /// DNS queries that went to a resolver, or waited for one that was there already.
    dns_forwarded,
    /// DNS queries refused: what they ask is not served.
    dns_refused,
    /// DNS queries refused because too many of the guest, or of all, wait for a resolver.
    dns_overload,
    /// DNS queries that no resolver answered.
    dns_failed,
    /// DNS messages that could not be read.
    dns_malformed,
    /// DNS answers cut for UDP.
    dns_truncated,
    /// Queries sent to resolvers, over UDP and TCP.
    resolver_queries,
    /// Queries sent to resolvers over TCP, because the answer did not fit.
    resolver_queries_tcp,
    /// Answers of resolvers taken.
    resolver_answers,
    /// Answers of resolvers that did not come in time.
    resolver_timeouts,
    /// Answers of resolvers that said of themselves that they failed.
    resolver_failures,
    /// Packets to the system port that answer no query.
    resolver_stray,
    /// Requests to the metadata service.
    metadata_requests,
    /// Requests answered with what was asked for.
    metadata_answered,
    /// Requests refused (status 4xx).
    metadata_refused,
    /// Tokens given out.
    metadata_tokens,
    /// Connections opened by guests.
    connections,
    /// Connections ended because they were idle or too slow.
    connections_timed_out,
    /// Frames injected to guests.
    injected,
    /// Router advertisements sent unasked.
    adverts,
    /// Frames that the system port's queue did not take.
    system_full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_name_and_meaning() {
        let counters = AgentCounters {
            punts_dns: 3,
            ..AgentCounters::default()
        };
        let named = counters.named();
        assert_eq!(
            named[0],
            ("punts_dns", "Packets of guests punted to DNS.", 3)
        );
        assert!(named.iter().all(|(_, help, _)| help.ends_with('.')));
    }
}
