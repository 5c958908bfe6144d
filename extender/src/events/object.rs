use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};

use super::Notice;
use crate::decisions::PodKey;

/// Who the events say they are from.
pub const REPORTER: &str = "kube-sci.dev/extender";

/// The API server refuses longer notes.
const NOTE_MAX_BYTES: usize = 1_024;

/// The API server refuses longer names.
const NAME_MAX_BYTES: usize = 253;

/// One event's own part.
#[derive(Debug)]
pub struct Note<'a> {
    pod: &'a PodKey,
    uid: &'a Arc<str>,
    at: Timestamp,
    kind: &'static str,
    reason: &'static str,
    action: &'static str,
    text: String,
}

impl<'a> Note<'a> {
    /// What a notice says.
    pub fn of(notice: &'a Notice) -> Self {
        match notice {
            Notice::Bound(report) => Self {
                pod: &report.pod,
                uid: &report.uid,
                at: report.at,
                kind: "Normal",
                reason: "CarbonFootprint",
                action: "Binding",
                text: report.to_string(),
            },
            Notice::MalformedLimit { pod, uid, error, at } => Self {
                pod,
                uid,
                at: *at,
                kind: "Warning",
                reason: "CarbonLimitIgnored",
                action: "Filtering",
                text: format!("no carbon limit is applied: {error}"),
            },
        }
    }
}

pub(super) fn event(note: &Note<'_>, instance: &str) -> Event {
    let PodKey { namespace, name } = note.pod;
    Event {
        metadata: ObjectMeta {
            name: Some(event_name(name, note.at)),
            namespace: Some(namespace.to_string()),
            ..ObjectMeta::default()
        },
        event_time: Some(MicroTime(note.at)),
        type_: Some(note.kind.to_owned()),
        reason: Some(note.reason.to_owned()),
        action: Some(note.action.to_owned()),
        note: Some(cut(&note.text)),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        regarding: Some(ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            namespace: Some(namespace.to_string()),
            name: Some(name.to_string()),
            uid: Some(note.uid.to_string()),
            ..ObjectReference::default()
        }),
        ..Event::default()
    }
}

/// As client-go names events: unique by time. Of a very long name of a pod the end is left out.
fn event_name(pod: &str, at: Timestamp) -> String {
    let time = format!("{:x}", at.as_nanosecond());
    let room = NAME_MAX_BYTES.saturating_sub(time.len() + 1);
    format!("{}.{time}", beginning(pod, room).trim_end_matches(['-', '.']))
}

/// At most as long as the API server takes.
fn cut(text: &str) -> String {
    beginning(text, NOTE_MAX_BYTES).to_owned()
}

/// At most `bytes` of the text, up to a character boundary.
fn beginning(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}
