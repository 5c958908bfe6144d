//! Extenders that do what no extender should, for scenarios of failure. They stand in for peers, never for ours.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it does with every request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Behaviour {
    /// Answers correctly and without opinion: the measure for the others.
    Neutral,
    /// Answers correctly: all points for one node.
    Prefer(String),
    /// Answers correctly, all points for one node, but late.
    Slow(String, Duration),
    /// Reads the request and never answers.
    Hang,
    /// Status 200 with a body that is no JSON.
    Garbage,
    /// Correct JSON about nodes that nobody asked for.
    WrongNames,
    /// Correct JSON with scores far above the limit of 10 for one node, and negative ones for the rest.
    WrongScores(String),
    /// JSON of other types than the protocol's: an object around the list, scores as text, node names as numbers.
    WrongTypes,
    /// An HTTP error.
    Status(u16),
    /// Promises a body and closes the connection in the middle of it.
    CutOff,
}

/// A running extender on a loopback port of its own; ends when dropped.
#[derive(Debug)]
pub struct Misbehaving {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Misbehaving {
    pub async fn start(behaviour: Behaviour) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let server = tokio::spawn(accept(listener, behaviour, Arc::clone(&requests)));
        Ok(Self { address, requests, server })
    }

    /// What a scheduler's configuration calls `urlPrefix`.
    pub fn url_prefix(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Requests read so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Misbehaving {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(listener: TcpListener, behaviour: Behaviour, requests: Arc<AtomicU64>) {
    // Dropped with this task, and every connection with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _peer)) = listener.accept().await {
        let (behaviour, requests) = (behaviour.clone(), Arc::clone(&requests));
        connections.spawn(async move {
            // An error here is the scheduler closing the connection, which is its right.
            drop(serve(BufStream::new(stream), &behaviour, &requests).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: BufStream<TcpStream>, behaviour: &Behaviour, requests: &AtomicU64) -> std::io::Result<()> {
    while let Some((path, body)) = read_request(&mut stream).await? {
        requests.fetch_add(1, Ordering::Relaxed);
        let names = node_names(&body);
        let answer = match behaviour {
            Behaviour::Hang => std::future::pending().await,
            Behaviour::CutOff => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[{\"Host\":").await?;
                return stream.flush().await;
            }
            Behaviour::Slow(favourite, delay) => {
                tokio::time::sleep(*delay).await;
                answer(&path, &names, |name| if name == favourite { 10 } else { 0 })
            }
            Behaviour::Prefer(favourite) => answer(&path, &names, |name| if name == favourite { 10 } else { 0 }),
            Behaviour::WrongScores(favourite) => {
                answer(&path, &names, |name| if name == favourite { 1_000_000 } else { -1_000_000 })
            }
            Behaviour::Neutral => answer(&path, &names, |_name| 0),
            Behaviour::WrongNames => answer(&path, &["nobody-asked".to_owned()], |_name| 10),
            Behaviour::WrongTypes => wrong_types(&path, &names),
            Behaviour::Garbage => "<html>[{\"Host\": \u{fffd}".to_owned(),
            Behaviour::Status(status) => format!("status {status}"),
        };
        let status = if let Behaviour::Status(status) = behaviour { *status } else { 200 };
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Path and body of the next request; `None` when the connection is closed between two.
async fn read_request(stream: &mut BufStream<TcpStream>) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut request_line = String::new();
    if stream.read_line(&mut request_line).await? == 0 {
        return Ok(None);
    }
    let path = request_line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((path, body)))
}

/// Node names of either form of request.
fn node_names(body: &[u8]) -> Vec<String> {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let texts = |values: Option<&Vec<Value>>, pointer: &str| -> Vec<String> {
        let name = |value: &Value| value.pointer(pointer)?.as_str().map(str::to_owned);
        values.into_iter().flatten().filter_map(name).collect()
    };
    let mut names = texts(request.pointer("/NodeNames").and_then(Value::as_array), "");
    names.extend(texts(request.pointer("/Nodes/items").and_then(Value::as_array), "/metadata/name"));
    names
}

fn answer(path: &str, names: &[String], score: impl Fn(&str) -> i64) -> String {
    if path.ends_with("/filter") {
        return json!({ "Nodes": null, "NodeNames": names, "FailedNodes": {}, "FailedAndUnresolvableNodes": {}, "Error": "" })
            .to_string();
    }
    let scores: Vec<Value> = names.iter().map(|name| json!({ "Host": name, "Score": score(name) })).collect();
    Value::from(scores).to_string()
}

fn wrong_types(path: &str, names: &[String]) -> String {
    if path.ends_with("/filter") {
        return json!({ "NodeNames": (0..names.len()).collect::<Vec<_>>(), "Error": null }).to_string();
    }
    let scores: Vec<Value> = names.iter().map(|name| json!({ "Host": name, "Score": "10" })).collect();
    json!({ "HostPriorityList": scores }).to_string()
}
