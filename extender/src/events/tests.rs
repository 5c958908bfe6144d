use std::{sync::Mutex, time::Duration};

use k8s_openapi::api::events::v1::Event;
use kube_sci_server::metrics::MetricsRegistry;

use super::*;
use crate::config::Mode;

#[derive(Clone, Default)]
struct Sink {
    written: Arc<Mutex<Vec<Event>>>,
    refuse: bool,
}

impl EventSink for Sink {
    async fn write(&self, event: &Event) -> Result<(), kube::Error> {
        if self.refuse {
            return Err(kube::Error::LinesCodecMaxLineLengthExceeded);
        }
        self.written.lock().unwrap().push(event.clone());
        Ok(())
    }
}

fn pod() -> PodKey {
    PodKey { namespace: "ns".into(), name: "p".into() }
}

fn bound() -> Notice {
    Notice::Bound(BoundReport {
        pod: pod(),
        uid: "u-1".into(),
        node: "n3".into(),
        at: Timestamp::UNIX_EPOCH,
        known: 230,
        rank: 1,
        grams_per_hour: 4.1,
        best_grams_per_hour: 4.1,
        median_grams_per_hour: 11.8,
        regret_share: 0.0,
    })
}

fn malformed(uid: &str) -> Notice {
    let error = LimitError { annotation: "kube-sci.dev/max-intensity", expected: "a number", value: "x".repeat(5_000) };
    Notice::MalformedLimit { pod: pod(), uid: uid.into(), error, at: Timestamp::UNIX_EPOCH }
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::register(&MetricsRegistry::new("test", "0"), Mode::Enforce))
}

/// Runs a writer over the notices until `outcomes` writes were counted.
async fn written(sink: Sink, notices: Vec<Notice>, outcomes: u64) -> (Vec<Event>, Arc<Metrics>) {
    let (sender, receiver) = channel();
    for notice in notices {
        sender.try_send(notice).unwrap();
    }
    let (metrics, stop) = (metrics(), CancellationToken::new());
    let writer = EventWriter::new(sink.clone(), "replica-1".to_owned(), metrics.clone());
    let config = EventsConfig { enabled: true, max_per_second: 1_000 };
    let task = tokio::spawn(writer.run(config, receiver, || {}, stop.clone()));
    let counted =
        || ["sent", "failed"].iter().map(|outcome| metrics.decisions.events.get(outcome).unwrap().get()).sum::<u64>();
    while counted() < outcomes {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    task.await.unwrap();
    let events = sink.written.lock().unwrap().clone();
    (events, metrics)
}

#[tokio::test]
async fn a_binding_becomes_an_event_on_the_pod() {
    let (events, metrics) = written(Sink::default(), vec![bound()], 1).await;
    let event = &events[0];
    assert_eq!(event.note.as_deref(), Some("bound to n3: 4.1 g/h, best of 230; median candidate 11.8 g/h"));
    assert_eq!(event.type_.as_deref(), Some("Normal"));
    let regarding = event.regarding.as_ref().unwrap();
    assert_eq!(regarding.uid.as_deref(), Some("u-1"));
    assert_eq!(event.metadata.namespace.as_deref(), Some("ns"));
    assert_eq!(metrics.decisions.events.get("sent").unwrap().get(), 1);
}

#[tokio::test]
async fn a_refused_event_is_counted() {
    let (events, metrics) = written(Sink { refuse: true, ..Sink::default() }, vec![bound()], 1).await;
    assert!(events.is_empty());
    assert_eq!(metrics.decisions.events.get("failed").unwrap().get(), 1);
}

#[tokio::test]
async fn a_pod_is_warned_once_and_in_short() {
    let (events, _) = written(Sink::default(), vec![malformed("u"), malformed("u"), bound()], 2).await;
    let warnings: Vec<_> = events.iter().filter(|event| event.type_.as_deref() == Some("Warning")).collect();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].note.as_ref().unwrap().len() <= 1_024);
}

#[tokio::test]
async fn repeated_warnings_hold_up_nobody() {
    let (sender, receiver) = channel();
    for notice in (0..100).map(|_| malformed("u")).chain([bound()]) {
        sender.try_send(notice).unwrap();
    }
    let (metrics, stop, started) = (metrics(), CancellationToken::new(), std::time::Instant::now());
    let writer = EventWriter::new(Sink::default(), "replica-1".to_owned(), metrics.clone());
    let config = EventsConfig { enabled: true, max_per_second: 10 };
    let task = tokio::spawn(writer.run(config, receiver, || {}, stop.clone()));
    while metrics.decisions.events.get("sent").unwrap().get() < 2 {
        tokio::task::yield_now().await;
    }
    // Two events take a tenth of a second, a hundred and one would take ten.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    stop.cancel();
    task.await.unwrap();
}

#[test]
fn remembered_warnings_are_bounded() {
    let mut warned = Warned::default();
    for uid in 0..3 * WARNED_PODS {
        assert!(warned.insert(&uid.to_string().into()));
    }
    assert_eq!(warned.uids.len(), WARNED_PODS);
    assert!(!warned.insert(&(3 * WARNED_PODS - 1).to_string().into()));
}
