//! What is answered to which question, and what was asked.

use std::collections::HashMap;

use jiff::Timestamp;

/// What an autoscaler may ask for. Labels other than those named are not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Question {
    /// A metric of one object; `resource` with its group, for example `deployments.apps`.
    Object { namespace: String, resource: String, name: String, metric: String },
    /// A metric of all pods of a namespace.
    Pods { namespace: String, metric: String },
    /// An external metric.
    External { namespace: String, metric: String },
    /// Use of the pods with this value of the label `app`.
    Usage { namespace: String, app: String },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Said {
    /// Values: one for an object, any number for an external metric, one for each pod that has one.
    Samples(Vec<Sample>),
    /// A refusal with this HTTP status and message.
    Refusal(u16, String),
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The pod it is about; empty where the question names the object.
    pub pod: String,
    /// In thousandths. Of a pod's use: by resource.
    pub milli: Vec<(String, i64)>,
    pub at: Timestamp,
    pub window_seconds: u32,
}

/// One time that something was asked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Asked {
    pub at: Timestamp,
    pub said: Said,
}

/// All answers, and the questions so far.
#[derive(Debug, Default)]
pub(super) struct Script {
    answers: HashMap<Question, Said>,
    asked: HashMap<Question, Vec<Asked>>,
}

impl Sample {
    /// A value that is nobody's, measured now over a minute.
    pub fn of(milli: i64) -> Self {
        Self { pod: String::new(), milli: vec![(String::new(), milli)], at: Timestamp::now(), window_seconds: 60 }
    }

    /// A pod's value.
    pub fn of_pod(pod: impl Into<String>, milli: i64) -> Self {
        Self { pod: pod.into(), ..Self::of(milli) }
    }

    /// A pod's use of a resource.
    pub fn usage(pod: impl Into<String>, resource: &str, milli: i64) -> Self {
        Self { pod: pod.into(), milli: vec![(resource.to_owned(), milli)], ..Self::of(0) }
    }

    /// The same at another instant, over another time.
    #[must_use]
    pub fn taken(mut self, at: Timestamp, window_seconds: u32) -> Self {
        (self.at, self.window_seconds) = (at, window_seconds);
        self
    }

    /// The value where there is only one.
    pub(super) fn single(&self) -> i64 {
        self.milli.first().map_or(0, |(_, milli)| *milli)
    }
}

impl Script {
    pub(super) fn set(&mut self, question: Question, said: Said) {
        self.answers.insert(question, said);
    }

    pub(super) fn asked(&self, question: &Question) -> Vec<Asked> {
        self.asked.get(question).cloned().unwrap_or_default()
    }

    /// Answers, and notes that it was asked.
    pub(super) fn ask(&mut self, question: Question, at: Timestamp) -> Said {
        let unknown = || Said::Refusal(404, format!("nobody has scripted {question:?}"));
        let said = self.answers.get(&question).cloned().unwrap_or_else(unknown);
        self.asked.entry(question).or_default().push(Asked { at, said: said.clone() });
        said
    }
}
