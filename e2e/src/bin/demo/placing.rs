//! Act one: the same pods on a plain and on a green kube-scheduler.

mod account;
mod run;
mod scene;
mod signals;
mod table;

pub use self::{run::run, signals::Signals, table::render};
