//! Free loopback ports that nobody else is about to take.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Ports this process has handed out; a second control plane in the same process must not get one of them.
static HANDED_OUT: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

const LOWEST: u16 = 10_000;
/// IANA's start of the dynamic range, where the system does not say otherwise.
const DYNAMIC_RANGE_START: u16 = 49_152;
const ATTEMPTS: u32 = 1_000;

/// No free port was found.
#[derive(Debug, thiserror::Error)]
#[error("find a free port on 127.0.0.1 between {LOWEST} and the system's dynamic range")]
#[non_exhaustive]
pub struct PortError;

/// A loopback address whose port was free a moment ago.
///
/// The port lies below the system's dynamic range. A port of that range could be taken by any outgoing connection while a
/// server restarts, and a client that keeps knocking on it would in the end connect to itself.
pub fn free_address() -> Result<SocketAddr, PortError> {
    let span = dynamic_range_start().saturating_sub(LOWEST).max(1);
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let handed_out = handed_out.get_or_insert_default();
    let mut state = seed();
    for _ in 0..ATTEMPTS {
        state = step(state);
        let offset = u16::try_from(state % u64::from(span)).unwrap_or_default();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, LOWEST.saturating_add(offset)));
        if !handed_out.contains(&address.port()) && TcpListener::bind(address).is_ok() {
            handed_out.insert(address.port());
            return Ok(address);
        }
    }
    Err(PortError)
}

fn dynamic_range_start() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|start| *start > LOWEST)
        .unwrap_or(DYNAMIC_RANGE_START)
}

/// Differs between processes that start at the same instant, so that they do not walk the same ports.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ (u64::from(std::process::id()) << 32) ^ now.as_secs()
}

/// One step of the `splitmix64` generator: enough to scatter.
fn step(state: u64) -> u64 {
    let mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}
