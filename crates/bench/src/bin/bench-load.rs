//! Load for the guest-to-guest bench: small packets by the batch, round trips, and connections one after another.
//!
//! Each command prints one JSON object. It runs inside a guest's network namespace.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, sockopt};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// Datagrams of one system call.
const BATCH: usize = 64;
/// Octets of a round trip's message.
const MESSAGE: usize = 1;

#[derive(Debug, Parser)]
#[command(about = "Load for the guest-to-guest bench")]
enum Load {
    /// Count datagrams from the first one until there is silence
    UdpReceive { port: u16 },
    /// Send datagrams as fast as they are taken
    UdpSend {
        to: IpAddr,
        port: u16,
        seconds: f64,
        size: usize,
    },
    /// Send one datagram from each of many source ports, so that each makes a connection
    UdpFlows { to: IpAddr, port: u16, flows: u16 },
    /// Answer every octet of every TCP connection; `c` also closes it
    Serve { port: u16 },
    /// TCP round trips on one connection
    RoundTrips { to: IpAddr, port: u16, seconds: f64 },
    /// TCP connections one after another, a round trip on each
    Connections { to: IpAddr, port: u16, seconds: f64 },
}

fn main() -> Result<()> {
    let result = match Load::parse() {
        Load::UdpReceive { port } => udp_receive(port)?,
        Load::UdpSend {
            to,
            port,
            seconds,
            size,
        } => udp_send((to, port).into(), seconds, size)?,
        Load::UdpFlows { to, port, flows } => udp_flows((to, port).into(), flows)?,
        Load::Serve { port } => serve(port)?,
        Load::RoundTrips { to, port, seconds } => round_trips((to, port).into(), seconds)?,
        Load::Connections { to, port, seconds } => connections((to, port).into(), seconds)?,
    };
    writeln!(io::stdout(), "{result}")?;
    Ok(())
}

/// Seconds of the monotonic clock.
fn now() -> f64 {
    let time = clock_gettime(ClockId::Monotonic);
    let both = Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    );
    both.as_secs_f64()
}

fn any(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

/// As many as a count of events in an ordinary run; exact far beyond.
fn per_second(count: u64, seconds: f64) -> f64 {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    count / seconds.max(1e-9)
}

fn udp_receive(port: u16) -> Result<serde_json::Value> {
    let socket = UdpSocket::bind(any(port))?;
    // Best effort: without the privilege the kernel's own limit holds.
    let _limited = nix::sys::socket::setsockopt(&socket, sockopt::RcvBufForce, &(32 << 20));
    socket.set_read_timeout(Some(Duration::from_secs(15)))?;
    let mut buffers = vec![[0; 2048]; BATCH];
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let (mut packets, mut first, mut last) = (0_u64, None, 0.0);
    loop {
        let mut slices: Vec<_> = buffers
            .iter_mut()
            .map(|buffer| [io::IoSliceMut::new(buffer)])
            .collect();
        let got = recvmmsg(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            &mut headers,
            &mut slices,
            MsgFlags::MSG_WAITFORONE,
            None,
        );
        let got = match got {
            Ok(messages) => messages.count(),
            Err(nix::Error::EAGAIN) => break,
            Err(nix::Error::EINTR) => 0,
            Err(error) => return Err(error).context("cannot receive"),
        };
        last = now();
        if first.is_none() {
            first = Some(last);
            socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        }
        packets += u64::try_from(got)?;
    }
    let seconds = first.map_or(0.0, |first| last - first);
    Ok(json!({ "packets": packets, "per_second": per_second(packets, seconds) }))
}

fn udp_send(to: SocketAddr, seconds: f64, size: usize) -> Result<serde_json::Value> {
    let socket = connected(to)?;
    let payload = vec![b'x'; size];
    let slices: Vec<_> = (0..BATCH).map(|_| [io::IoSlice::new(&payload)]).collect();
    let addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let begin = now();
    let mut packets = 0_u64;
    while now() - begin < seconds {
        let sent = sendmmsg(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            &mut headers,
            &slices,
            addresses,
            [],
            MsgFlags::empty(),
        );
        match sent {
            Ok(messages) => packets += u64::try_from(messages.count())?,
            Err(nix::Error::ENOBUFS | nix::Error::EINTR | nix::Error::ECONNREFUSED) => {}
            Err(error) => return Err(error).context("cannot send"),
        }
    }
    Ok(json!({ "packets": packets, "per_second": per_second(packets, now() - begin) }))
}

fn udp_flows(to: SocketAddr, flows: u16) -> Result<serde_json::Value> {
    let mut sent = 0_u64;
    for port in (20_000_u16..).take(usize::from(flows)) {
        let unspecified: IpAddr = match to.ip() {
            IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((unspecified, port))?;
        sent += u64::from(socket.send_to(b"flow", to).is_ok());
    }
    Ok(json!({ "flows": sent }))
}

fn connected(to: SocketAddr) -> Result<UdpSocket> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    Ok(socket)
}

/// Serves until it is ended.
fn serve(port: u16) -> Result<serde_json::Value> {
    let listener = TcpListener::bind(any(port))?;
    for stream in listener.incoming().flatten() {
        // A client that goes away ends its own connection only.
        let _gone = answer(stream);
    }
    Ok(json!({}))
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 64];
    loop {
        let len = stream.read(&mut buffer)?;
        let Some(message) = buffer.get(..len).filter(|message| !message.is_empty()) else {
            return Ok(());
        };
        stream.write_all(message)?;
        if message.first() == Some(&b'c') {
            return Ok(());
        }
    }
}

fn round_trips(to: SocketAddr, seconds: f64) -> Result<serde_json::Value> {
    let mut stream = connect(to)?;
    let mut times = Vec::new();
    let mut buffer = [b'r'; MESSAGE];
    for _ in 0..500 {
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
    }
    let begin = now();
    let mut at = begin;
    while at - begin < seconds {
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
        let done = now();
        times.push(done - at);
        at = done;
    }
    summary(times, at - begin)
}

fn connections(to: SocketAddr, seconds: f64) -> Result<serde_json::Value> {
    let mut times = Vec::new();
    let begin = now();
    let mut at = begin;
    while at - begin < seconds {
        let mut stream = connect(to)?;
        let mut buffer = [b'c'; MESSAGE];
        stream.write_all(&buffer)?;
        stream.read_exact(&mut buffer)?;
        // The server closes; so its ports rest in TIME-WAIT, and ours are free.
        let closed = stream.read(&mut buffer);
        ensure!(matches!(closed, Ok(0)), "the server did not close");
        drop(stream);
        let done = now();
        times.push(done - at);
        at = done;
    }
    summary(times, at - begin)
}

/// A connection; where the server is only just starting, the second try is its.
fn connect(to: SocketAddr) -> Result<TcpStream> {
    let patient = now() + 5.0;
    loop {
        match TcpStream::connect(to) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && now() < patient => {}
            Err(error) => return Err(error).with_context(|| format!("cannot connect to {to}")),
        }
    }
}

fn summary(mut times: Vec<f64>, seconds: f64) -> Result<serde_json::Value> {
    ensure!(!times.is_empty(), "nothing was measured");
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| times[(times.len() - 1) * percent / 100] * 1e6;
    Ok(json!({
        "count": times.len(),
        "per_second": per_second(u64::try_from(times.len())?, seconds),
        "p50_us": at(50),
        "p99_us": at(99),
    }))
}
