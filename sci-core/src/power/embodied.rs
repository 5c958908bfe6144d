//! Carbon that went into making a node's part of a server: the rule of Cloud Carbon Footprint.

use crate::quantity::{Bytes, Cores, GramsCo2e};

/// Hardware threads of the server that an unknown node is taken to be a part of: two sockets of 24 cores, the host
/// of most shapes in Cloud Carbon Footprint's list.
pub(super) const REFERENCE_SERVER_THREADS: f64 = 96.0;

const BASE_SERVER_KG: f64 = 1_000.0;
const SECOND_SOCKET_KG: f64 = 100.0;
/// Memory that the base server includes.
const INCLUDED_GIB: f64 = 16.0;
/// Life-cycle assessment of a Dell R740: 533 kg for 384 GB.
const KG_PER_GIB: f64 = 533.0 / 384.0;
const BYTES_PER_GIB: f64 = 1_073_741_824.0;
pub(super) const GRAMS_PER_KG: f64 = 1_000.0;

/// A node's part of a server with two sockets and `server_threads` hardware threads.
///
/// ```text
/// x = threads / server_threads
/// kgCO2e = x * (1000 + 100) + 533 / 384 * max(0, memory - 16 * x)        memory in GiB
/// ```
///
/// Disks and accelerators are not counted: a node does not say which it has.
pub(super) fn share_of_server(threads: Cores, memory: Bytes, server_threads: f64) -> GramsCo2e {
    let share = threads.get() / server_threads.max(1.0);
    let extra_gib = (memory.get() / BYTES_PER_GIB - INCLUDED_GIB * share).max(0.0);
    let kg = share * (BASE_SERVER_KG + SECOND_SOCKET_KG) + KG_PER_GIB * extra_gib;
    GramsCo2e::clamped(kg * GRAMS_PER_KG)
}
