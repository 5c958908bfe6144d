//! Inputs of one vector, which notice when one of them is never looked at.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use sci_core::quantity::{Share, Utilization};
use serde_json::{Map, Value};

pub(super) struct Inputs<'a> {
    id: &'a str,
    values: &'a Map<String, Value>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(id: &'a str, values: &'a Value) -> Self {
        Self { id, values: values.as_object().unwrap(), read: RefCell::default() }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.values.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// For inputs that upstream names but the formula does not need.
    pub(super) fn ignore(&self, key: &str) {
        self.get(key);
    }

    pub(super) fn optional(&self, key: &str) -> Option<f64> {
        self.get(key).map(|value| value.as_f64().unwrap())
    }

    pub(super) fn number(&self, key: &str) -> f64 {
        self.optional(key).unwrap_or_else(|| panic!("{}: input {key} is missing", self.id))
    }

    pub(super) fn text(&self, key: &str) -> &'a str {
        self.get(key).and_then(Value::as_str).unwrap_or_else(|| panic!("{}: text {key} is missing", self.id))
    }

    pub(super) fn numbers(&self, key: &str) -> Vec<f64> {
        self.get(key).and_then(Value::as_array).unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    pub(super) fn object(&self, key: &str) -> Inputs<'a> {
        Inputs::new(self.id, self.get(key).unwrap_or_else(|| panic!("{}: object {key} is missing", self.id)))
    }

    pub(super) fn objects(&self, key: &str) -> Vec<Inputs<'a>> {
        let values = self.get(key).and_then(Value::as_array).unwrap();
        values.iter().map(|value| Inputs::new(self.id, value)).collect()
    }

    pub(super) fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs_f64(self.number(key))
    }

    pub(super) fn hours(&self, key: &str) -> Duration {
        Duration::from_secs_f64(self.number(key) * 3_600.0)
    }

    pub(super) fn percent(&self, key: &str) -> Utilization {
        Utilization::new(self.number(key) / 100.0).unwrap()
    }

    /// One input over another.
    pub(super) fn ratio(&self, part: &str, whole: &str) -> Share {
        Share::of(self.number(part), self.number(whole)).unwrap()
    }

    pub(super) fn all_read(&self) -> Result<(), String> {
        let read = self.read.borrow();
        match self.values.keys().find(|key| !read.contains(*key)) {
            Some(key) => Err(format!("{}: nothing reads {key}", self.id)),
            None => Ok(()),
        }
    }
}
