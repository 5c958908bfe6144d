//! Usual values.

use super::{Unfit, hour::Hour};
use crate::quantity::GramsPerKwh;

/// The usual value of each month and hour of the day, both in UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct Climatology(Box<[[GramsPerKwh; 24]; 12]>);

impl Climatology {
    /// From January on, each from midnight on.
    pub fn new(months: [[GramsPerKwh; 24]; 12]) -> Self {
        Self(Box::new(months))
    }

    /// The usual value of an hour.
    pub fn at(&self, hour: Hour) -> Option<GramsPerKwh> {
        self.0.get(hour.month_index())?.get(usize::from(hour.of_day())).copied()
    }

    /// The usual values of the hours from `first` on.
    ///
    /// # Errors
    /// Never in practice: the table is complete.
    pub(super) fn predict(&self, first: Hour, hours: usize) -> Result<Vec<GramsPerKwh>, Unfit> {
        (0_i64..).take(hours).map(|ahead| self.at(first.plus(ahead)).ok_or(Unfit::NoTable)).collect()
    }
}
