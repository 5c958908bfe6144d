//! Asking as autoscalers ask: some callers at a time, each with the next question in turn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use http::{HeaderMap, HeaderValue, header};
use reqwest::Url;
use serde::Deserialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::samples::Samples;

/// Autoscalers that kube-controller-manager looks at at the same time, by default.
pub const CALLERS: usize = 5;
/// What the autoscaler of kube-controller-manager says it can read.
const ACCEPT: &str = "application/vnd.kubernetes.protobuf, */*";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// Tag of a protobuf field: number 1, with its length before it.
const FIRST_TEXT: u8 = 0x0a;

/// Somebody who asks: where, as whom, and what has to come back.
#[derive(Debug, Clone)]
pub struct Caller {
    client: reqwest::Client,
    server: Url,
    headers: HeaderMap,
    expected: String,
}

/// When questions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Spread evenly over this time, whether earlier ones are answered or not.
    Over(Duration),
    /// Each caller asks as soon as it has its answer.
    Flat,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    value: String,
}

impl Caller {
    /// Somebody who has got to hear one item of this value each time.
    ///
    /// # Errors
    /// Where `server` is no URL.
    pub fn new(client: reqwest::Client, server: &str, headers: HeaderMap, expected: u32) -> anyhow::Result<Self> {
        let server = server.parse().with_context(|| format!("read the URL {server}"))?;
        let mut headers = headers;
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        Ok(Self { client, server, headers, expected: expected.to_string() })
    }

    /// Asks one question and checks the answer.
    ///
    /// # Errors
    /// Where the answer is not the expected one.
    pub async fn ask(&self, path: &str) -> anyhow::Result<()> {
        let url = self.server.join(path)?;
        let answer = self.client.get(url).headers(self.headers.clone()).send();
        let answer = answer.await.with_context(|| format!("ask {path}"))?;
        let (status, version) = (answer.status(), answer.version());
        let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
        let body = answer.bytes().await.with_context(|| format!("read the answer of {path}"))?;
        ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&body));
        ensure!(version == http::Version::HTTP_2, "{path} is answered over {version:?}");
        let is_protobuf = kind.is_some_and(|kind| kind.as_bytes() == PROTOBUF.as_bytes());
        let value = if is_protobuf { in_protobuf(&body, &self.expected) } else { in_json(&body) };
        let value = value.with_context(|| format!("read the answer of {path}"))?;
        ensure!(value == self.expected, "{path} is {value} and should be {}", self.expected);
        Ok(())
    }

    /// Asks every question once, [`CALLERS`] at a time, and returns how long answers took.
    ///
    /// # Errors
    /// As [`Self::ask`], of any question.
    pub async fn poll(&self, paths: &Arc<[String]>, pace: Pace) -> anyhow::Result<Samples> {
        let (next, started) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS.min(paths.len()) {
            let (caller, paths, next) = (self.clone(), Arc::clone(paths), Arc::clone(&next));
            callers.spawn(async move { caller.take_turns(&paths, &next, pace, started).await });
        }
        let mut all = Samples::new()?;
        while let Some(samples) = callers.join_next().await {
            all.add(&samples??)?;
        }
        Ok(all)
    }

    async fn take_turns(
        &self,
        paths: &[String],
        next: &AtomicUsize,
        pace: Pace,
        started: Instant,
    ) -> anyhow::Result<Samples> {
        let mut samples = Samples::new()?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(number) else { return Ok(samples) };
            let from = wait_for(pace.due(started, number, paths.len())).await;
            self.ask(path).await?;
            samples.record(from.elapsed());
        }
    }
}

fn in_json(body: &[u8]) -> anyhow::Result<String> {
    let List { items } = serde_json::from_slice(body)?;
    match <[Item; 1]>::try_from(items) {
        Ok([Item { value }]) => Ok(value),
        Err(items) => anyhow::bail!("it has {} items", items.len()),
    }
}

/// Whether the one quantity in Kubernetes' protobuf is the expected one: a message whose first field is its text.
fn in_protobuf(body: &[u8], expected: &str) -> anyhow::Result<String> {
    ensure!(body.starts_with(b"k8s\0"), "it does not begin as Kubernetes' protobuf does");
    let length = u8::try_from(expected.len())?;
    let quantity: Vec<u8> = [FIRST_TEXT, length].into_iter().chain(expected.bytes()).collect();
    let found = body.windows(quantity.len()).filter(|window| **window == *quantity).count();
    ensure!(found == 1, "{expected} is {found} times in it: {}", String::from_utf8_lossy(body));
    Ok(expected.to_owned())
}

impl Pace {
    /// When a question is to be asked.
    fn due(self, started: Instant, number: usize, of: usize) -> Option<Instant> {
        match self {
            Self::Flat => None,
            Self::Over(time) => {
                let share = u32::try_from(number).ok().zip(u32::try_from(of.max(1)).ok());
                share.map(|(number, of)| started + time * number / of)
            }
        }
    }
}

/// From when the answer is awaited: a question that no caller was free for has waited since it was due. A timer that goes
/// off late is nobody's fault.
async fn wait_for(due: Option<Instant>) -> Instant {
    match due {
        Some(due) if due > Instant::now() => {
            sleep_until(due).await;
            Instant::now()
        }
        Some(due) => due,
        None => Instant::now(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_in_both_formats() {
        let json = br#"{"kind":"MetricValueList","items":[{"metric":{"name":"m"},"value":"700"}]}"#;
        assert_eq!(in_json(json).unwrap(), "700");
        in_json(br#"{"items":[]}"#).unwrap_err();
        let protobuf = b"k8s\0\x0a\x10MetricValueList1\x2a\x05\x0a\x03700";
        assert_eq!(in_protobuf(protobuf, "700").unwrap(), "700");
        for other in ["70", "7000", "560"] {
            in_protobuf(protobuf, other).unwrap_err();
        }
        in_protobuf(b"\x0a\x03700", "700").unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn questions_are_spread_evenly() {
        let (started, pace) = (Instant::now(), Pace::Over(Duration::from_secs(15)));
        let due: Vec<_> = (0..3).map(|number| pace.due(started, number, 3).unwrap() - started).collect();
        assert_eq!(due, [0, 5, 10].map(Duration::from_secs));
        assert_eq!(Pace::Flat.due(started, 1, 3), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_waited_for_a_caller_counts_from_when_it_was_due() {
        let due = Instant::now() + Duration::from_secs(1);
        assert_eq!(wait_for(Some(due)).await, due);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(wait_for(Some(due)).await, due);
        assert_eq!(wait_for(None).await, Instant::now());
    }
}
