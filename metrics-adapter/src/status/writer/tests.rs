use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::*;
use crate::{
    engine::{
        NoMetrics,
        stage::{Stage, autoscaler},
    },
    fake_api::{self, refusal},
};

/// An API server that takes statuses.
#[derive(Clone, Default)]
struct Server {
    written: Arc<Mutex<Vec<(String, Value)>>>,
    refuses: Arc<AtomicBool>,
}

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        fake_api::client(move |parts, body| {
            if server.refuses.load(Ordering::Relaxed) {
                return refusal(500);
            }
            assert!(parts.uri.query().unwrap().contains("fieldManager=kube-sci-metrics-adapter"));
            let body: Value = serde_json::from_slice(body).unwrap();
            server.written.lock().unwrap().push((parts.uri.path().to_owned(), body.clone()));
            (200, body)
        })
    }

    /// Paths of statuses that were written since this was asked last.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.written.lock().unwrap()).into_iter().map(|(path, _)| path).collect()
    }
}

struct Setting {
    stage: Stage,
    server: Server,
    writer: StatusWriter,
    table: PolicyTableHandle,
    now: Arc<Mutex<Timestamp>>,
    events: mpsc::Receiver<Note>,
}

impl Setting {
    fn new(leadership: Leadership) -> Self {
        let mut stage = Stage::ready(450.0);
        stage.autoscalers(&[autoscaler(&["carbon_adjusted_load", "cpu"])]);
        stage.no_budgets();
        let (server, table) = (Server::default(), PolicyTableHandle::default());
        let now = Arc::new(Mutex::new(stage.now));
        let (sender, events) = mpsc::channel(100);
        let clock = Arc::clone(&now);
        let writer = StatusWriter::new(StatusOptions {
            client: server.client(),
            table: table.clone(),
            leadership,
            events: Some(sender),
            metrics: Arc::new(NoMetrics),
            clock: Arc::new(move || *clock.lock().unwrap()),
        });
        Self { stage, server, writer, table, now, events }
    }

    async fn look(&mut self) -> Vec<String> {
        *self.now.lock().unwrap() = self.stage.now;
        self.table.publish(self.stage.tick());
        self.writer.look(&|| ()).await;
        self.server.take()
    }

    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.events.try_recv().ok()).map(|note| note.reason.into_owned()).collect()
    }
}

const PATH: &str = "/apis/kube-sci.dev/v1alpha1/namespaces/shop/greenscalingpolicies/web/status";

#[tokio::test]
async fn a_status_is_written_where_it_matters_and_refreshed_now_and_then() {
    let mut setting = Setting::new(Leadership::always());
    setting.stage.policy(json!({}));
    assert_eq!(setting.look().await, [PATH]);
    assert_eq!(setting.told(), ["Throttled"]);
    assert_eq!(setting.look().await, [""; 0]);

    // Numbers that move wait for a minute.
    setting.stage.load(2_000.0);
    assert_eq!(setting.look().await, [""; 0]);
    setting.stage.pass(Duration::from_mins(1));
    assert_eq!(setting.look().await, [PATH]);
    assert_eq!(setting.told(), [""; 0]);

    // What changes a condition does not wait.
    setting.stage.intensities(&[]);
    assert_eq!(setting.look().await, [PATH]);
    assert_eq!(setting.told(), ["CarbonMissing", "ReleasedCarbonUnknown"]);
}

#[tokio::test]
async fn who_does_not_lead_writes_nothing() {
    let mut setting = Setting::new(Leadership::default());
    setting.stage.policy(json!({}));
    assert_eq!(setting.look().await, [""; 0]);
    assert_eq!(setting.told(), [""; 0]);
}

#[tokio::test]
async fn a_refused_status_is_tried_again_and_its_events_are_told_once() {
    let mut setting = Setting::new(Leadership::always());
    setting.stage.policy(json!({}));
    setting.server.refuses.store(true, Ordering::Relaxed);
    setting.look().await;
    assert_eq!(setting.told(), [""; 0]);
    setting.server.refuses.store(false, Ordering::Relaxed);
    assert_eq!(setting.look().await, [""; 0], "not at once");
    setting.stage.pass(Duration::from_secs(5));
    assert_eq!(setting.look().await, [PATH]);
    assert_eq!(setting.told(), ["Throttled"]);
}

#[tokio::test]
async fn a_new_leader_repeats_nothing() {
    let mut setting = Setting::new(Leadership::always());
    setting.stage.policy(json!({}));
    setting.look().await;
    let written = policy_status(&setting.stage.state(), setting.stage.now);
    let mut next = Setting::new(Leadership::always());
    next.stage.status = serde_json::to_value(&written).unwrap();
    next.stage.policy(json!({}));
    assert_eq!(next.look().await, [""; 0], "the same need not be written");
    assert_eq!(next.told(), [""; 0]);
    next.stage.intensities(&[]);
    assert_eq!(next.look().await, [PATH]);
    assert_eq!(next.told(), ["CarbonMissing", "ReleasedCarbonUnknown"]);
}

#[tokio::test]
async fn budgets_are_written_too() {
    let mut setting = Setting::new(Leadership::always());
    setting.stage.budget(json!({}));
    assert_eq!(setting.look().await, ["/apis/kube-sci.dev/v1alpha1/namespaces/shop/carbonbudgets/month/status"]);
    assert_eq!(setting.look().await, [""; 0]);
}

#[test]
fn of_many_statuses_what_changed_is_written_first_then_the_oldest_and_never_all_at_once() {
    let mut stage = Stage::ready(450.0);
    let names: Vec<String> = (0..50).map(|n| format!("web-{n}")).collect();
    stage.relist(&names.iter().map(String::as_str).collect::<Vec<_>>());
    stage.no_budgets();
    stage.autoscalers(&[]);
    let table = stage.tick();
    let (mut book, mut now) = (Book::default(), stage.now);
    let write = |book: &mut Book, now: Timestamp| -> Vec<String> {
        let jobs = policy_jobs(&table, book, now).into_iter();
        let written = jobs.map(|Job { key, mark, uid, conditions, .. }| {
            let name = key.name.to_string();
            book.insert(key, Written { uid, mark, at: now, conditions, failed: false });
            name
        });
        written.collect()
    };
    let counts: Vec<usize> = (0..4).map(|_| write(&mut book, now).len()).collect();
    assert_eq!(counts, [PER_LOOK, PER_LOOK, 10, 0], "new ones do not wait for long");

    let written_before = |book: &Book, name: &str, at: Timestamp| {
        book.iter().any(|(key, written)| *key.name == *name && written.at < at)
    };
    now += REFRESH;
    let refreshed: BTreeSet<String> = (0..12).flat_map(|_| write(&mut book, now)).collect();
    assert_eq!(refreshed.len(), 12 * REFRESHES_PER_LOOK, "none is refreshed twice before another");
    let waiting: Vec<&String> = names.iter().filter(|name| written_before(&book, name, now)).collect();
    assert_eq!(waiting.len(), 2);

    now += REFRESH;
    let refused = book.iter_mut().find(|(key, _)| *key.name == **waiting[0]).unwrap().1;
    refused.failed = true;
    let delays: Vec<Duration> = policy_jobs(&table, &mut book, now).iter().map(|job| job.delay).collect();
    assert_eq!(delays, [0, 0, 1, 2, 3].map(|paces| PACE * paces), "what is only old does not come in a burst");
    let next = write(&mut book, now);
    assert_eq!(next.len(), 1 + REFRESHES_PER_LOOK);
    assert_eq!([&next[0], &next[1]], [waiting[0], waiting[1]], "first what was refused, then the oldest");
}
