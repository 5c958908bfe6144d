//! Events on objects, for `kubectl describe`: after the fact and at leisure.
//!
//! Notices come over a bounded channel from whoever has something to say and would rather drop it than wait; one task
//! writes them at a limited rate.

use std::{
    borrow::Cow,
    hash::{BuildHasher, BuildHasherDefault},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use rustc_hash::FxHasher;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};

/// A write that takes longer is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often an idle task says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// The API server refuses longer notes.
const NOTE_MAX_BYTES: usize = 1_024;
/// The API server refuses longer names.
const NAME_MAX_BYTES: usize = 253;

/// Something an object's owner may want to read.
#[derive(Debug, Clone)]
pub struct Note {
    /// The object.
    pub regarding: ObjectReference,
    /// When it happened.
    pub at: Timestamp,
    /// Whether somebody should look at it.
    pub severity: Severity,
    /// A word for programs, in upper camel case.
    pub reason: Cow<'static, str>,
    /// What was being done, in upper camel case.
    pub action: &'static str,
    /// A sentence for people.
    pub text: String,
}

/// Whether somebody should look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// All is well.
    Normal,
    /// Not all is.
    Warning,
}

/// Who reports.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// The program, such as `kube-sci.dev/extender`.
    pub controller: &'static str,
    /// The replica.
    pub instance: String,
}

/// Where events go; the API server outside tests.
pub trait EventSink: Send {
    /// Writes one event.
    fn write(&self, event: &Event) -> impl Future<Output = Result<(), kube::Error>> + Send;
}

/// Writes events.
#[derive(Debug)]
pub struct Events<S> {
    sink: S,
    reporter: Reporter,
    failing: bool,
}

impl Severity {
    /// As in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

impl EventSink for Client {
    async fn write(&self, event: &Event) -> Result<(), kube::Error> {
        let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
        Api::<Event>::namespaced(self.clone(), namespace).create(&PostParams::default(), event).await.map(drop)
    }
}

impl<S: EventSink> Events<S> {
    /// Writes in the name of `reporter`.
    pub fn new(sink: S, reporter: Reporter) -> Self {
        Self { sink, reporter, failing: false }
    }

    /// Writes what comes for ever, at most so many a second. `note` may have nothing to say to a notice, `outcome` hears
    /// whether a note was written, `beat` is called at least every five seconds, writes aside.
    pub async fn run<N: Send>(
        mut self,
        max_per_second: u32,
        mut notices: mpsc::Receiver<N>,
        mut note: impl FnMut(N) -> Option<Note> + Send,
        outcome: impl Fn(bool) + Send,
        beat: impl Fn() + Send,
    ) {
        let mut beats = interval(BEAT_EVERY);
        let mut slots = interval(Duration::from_secs(1) / max_per_second.max(1));
        slots.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = beats.tick() => beat(),
                Some(notice) = notices.recv() => {
                    let Some(note) = note(notice) else { continue };
                    slots.tick().await;
                    outcome(self.write(&note).await);
                }
            }
        }
    }

    async fn write(&mut self, note: &Note) -> bool {
        let event = event(note, &self.reporter);
        let failure = match timeout(WRITE_TIMEOUT, self.sink.write(&event)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {} s", WRITE_TIMEOUT.as_secs())),
        };
        // One line per outage, not per event; a counter has the rest.
        match &failure {
            Some(error) if !self.failing => tracing::warn!(error, "events cannot be written"),
            None if self.failing => tracing::info!("events are written again"),
            _ => {}
        }
        self.failing = failure.is_some();
        failure.is_none()
    }
}

fn event(note: &Note, reporter: &Reporter) -> Event {
    let name = note.regarding.name.as_deref().unwrap_or_default();
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(name, note)),
            namespace: Some(note.regarding.namespace.clone().unwrap_or_else(|| "default".to_owned())),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(note.at)),
        type_: Some(note.severity.as_str().to_owned()),
        reason: Some(note.reason.clone().into_owned()),
        action: Some(note.action.to_owned()),
        note: Some(beginning(&note.text, NOTE_MAX_BYTES).to_owned()),
        reporting_controller: Some(reporter.controller.to_owned()),
        reporting_instance: Some(reporter.instance.clone()),
        regarding: Some(note.regarding.clone()),
        ..Event::default()
    }
}

/// Unique by time, kind and what is said: several things may be said at the same instant. Of a very long name of an
/// object the end is left out.
fn event_name(object: &str, note: &Note) -> String {
    let said = (note.regarding.kind.as_deref(), &*note.reason, note.text.as_str());
    let said = BuildHasherDefault::<FxHasher>::default().hash_one(said);
    let unique = format!("{:x}.{said:x}", note.at.as_nanosecond());
    let room = NAME_MAX_BYTES.saturating_sub(unique.len() + 1);
    format!("{}.{unique}", beginning(object, room).trim_end_matches(['-', '.']))
}

/// At most `bytes` of the text, up to a character boundary.
fn beginning(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_of_an_object_with_the_longest_name_has_a_valid_name() {
        let name = format!("{}.{}", "a".repeat(234), "b".repeat(18));
        assert_eq!(name.len(), 253);
        let note = Note {
            regarding: ObjectReference { name: Some(name.clone()), ..ObjectReference::default() },
            at: "2026-01-31T12:00:00.123456789Z".parse().unwrap(),
            severity: Severity::Normal,
            reason: "Reason".into(),
            action: "Acting",
            text: "é".repeat(1_000),
        };
        let event = event(&note, &Reporter { controller: "kube-sci.dev/test", instance: "replica-1".into() });
        let event_name = event.metadata.name.unwrap();
        assert!(event_name.len() <= 253, "{}", event_name.len());
        let labels: Vec<&str> = event_name.split('.').collect();
        assert!(labels.iter().all(|label| !label.is_empty() && !label.ends_with('-')), "{event_name}");
        assert_eq!(event.regarding.unwrap().name.as_deref(), Some(name.as_str()));
        assert!(event.note.unwrap().len() <= NOTE_MAX_BYTES);
    }

    #[test]
    fn two_things_said_at_the_same_instant_are_two_events() {
        let note = |reason: &'static str| Note {
            regarding: ObjectReference { name: Some("web".to_owned()), ..ObjectReference::default() },
            at: "2026-01-31T12:00:00Z".parse().unwrap(),
            severity: Severity::Warning,
            reason: reason.into(),
            action: "Acting",
            text: "text".to_owned(),
        };
        let name = |note: &Note| event_name("web", note);
        assert_ne!(name(&note("CarbonMissing")), name(&note("GuardMissing")));
        assert_eq!(name(&note("CarbonMissing")), name(&note("CarbonMissing")), "saying it again is no second event");
    }
}
