//! One address in front of several, as a Service with several pods has one: every connection goes to one of the ends that
//! are ready, and stays there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::control_plane::loopback_client;

/// Between two looks at `/readyz` of every end. A kubelet looks each ten seconds; tests have less time.
const PERIOD: Duration = Duration::from_millis(500);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Failed looks in a row after which an end gets no more connections, as a kubelet counts by default.
const FAILURES: u32 = 3;

/// One end behind a [`Balancer`].
#[derive(Debug, Clone)]
pub struct End {
    /// Where connections go.
    pub address: SocketAddr,
    /// URL that tells whether it is ready.
    pub readiness: String,
}

/// A running balancer, ended when dropped, with all its connections.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    state: Arc<State>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    ends: Vec<End>,
    /// Failed looks in a row, by end.
    failures: Mutex<Vec<u32>>,
    /// Connections so far, by end.
    connections: Vec<AtomicUsize>,
    turn: AtomicUsize,
}

impl Balancer {
    /// Begins to accept connections. Every end counts as ready until it has been looked at.
    pub async fn start(ends: Vec<End>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let http = loopback_client().map_err(io::Error::other)?;
        let state = Arc::new(State {
            failures: Mutex::new(vec![0; ends.len()]),
            connections: ends.iter().map(|_| AtomicUsize::new(0)).collect(),
            turn: AtomicUsize::new(0),
            ends,
        });
        let tasks =
            vec![tokio::spawn(accept(listener, Arc::clone(&state))), tokio::spawn(watch(http, Arc::clone(&state)))];
        Ok(Self { address, state, tasks })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends that get connections now, by their place in the list given at the start.
    pub fn ready(&self) -> Vec<usize> {
        self.state.ready()
    }

    /// Connections that each end has got so far.
    pub fn connections(&self) -> Vec<usize> {
        self.state.connections.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl State {
    fn ready(&self) -> Vec<usize> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.iter().enumerate().filter(|(_, failures)| **failures < FAILURES).map(|(place, _)| place).collect()
    }

    /// The next end in turn among those that are ready.
    fn next(&self) -> Option<&End> {
        let ready = self.ready();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let place = *ready.get(turn.checked_rem(ready.len())?)?;
        self.connections.get(place)?.fetch_add(1, Ordering::Relaxed);
        self.ends.get(place)
    }

    fn looked(&self, place: usize, ready: bool) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = failures.get_mut(place) {
            *count = if ready { 0 } else { count.saturating_add(1) };
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        if let Some(end) = state.next() {
            connections.spawn(forward(stream, end.address));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(mut from: TcpStream, address: SocketAddr) {
    // An end that is gone refuses, and the caller's connection ends with this function.
    if let Ok(mut to) = TcpStream::connect(address).await {
        drop(copy_bidirectional(&mut from, &mut to).await);
    }
}

async fn watch(http: reqwest::Client, state: Arc<State>) {
    loop {
        let looks = state.ends.iter().enumerate().map(|(place, end)| {
            let (http, state) = (&http, &state);
            async move {
                let answer = http.get(&end.readiness).timeout(PROBE_TIMEOUT).send().await;
                state.looked(place, answer.is_ok_and(|answer| answer.status().is_success()));
            }
        });
        futures::future::join_all(looks).await;
        tokio::time::sleep(PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ends: usize) -> State {
        let end = End { address: SocketAddr::from(([127, 0, 0, 1], 1)), readiness: String::new() };
        State {
            ends: vec![end; ends],
            failures: Mutex::new(vec![0; ends]),
            connections: (0..ends).map(|_| AtomicUsize::new(0)).collect(),
            turn: AtomicUsize::new(0),
        }
    }

    #[test]
    fn ends_take_turns_and_one_that_fails_three_times_in_a_row_is_left_out_until_it_is_ready_again() {
        let state = state(2);
        let connections = |state: &State| -> Vec<usize> {
            state.connections.iter().map(|count| count.load(Ordering::Relaxed)).collect()
        };
        for _ in 0..4 {
            assert!(state.next().is_some());
        }
        assert_eq!(connections(&state), vec![2, 2]);
        for (ready, expected) in [(false, 2), (false, 2), (true, 2), (false, 2), (false, 2), (false, 1)] {
            state.looked(0, ready);
            assert_eq!(state.ready().len(), expected);
        }
        for _ in 0..3 {
            assert!(state.next().is_some());
        }
        assert_eq!(connections(&state), vec![2, 5]);
        state.looked(0, true);
        assert_eq!(state.ready(), [0, 1]);
    }

    #[test]
    fn nobody_is_asked_where_nobody_is_ready() {
        let state = state(1);
        for _ in 0..FAILURES {
            state.looked(0, false);
        }
        assert!(state.next().is_none());
    }
}
