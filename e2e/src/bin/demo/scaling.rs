//! Act two: a day in a minute, under a plain and under a green autoscaler.

mod chart;
mod day;
mod ledger;
mod live;
mod machines;
#[cfg(test)]
mod rehearsal;
mod run;
mod shop;
mod stage;
mod table;
mod traffic;
mod twins;

pub use self::{run::run, stage::options, table::render};
