//! What the Green HPA promises, each promise on the real autoscaler with the metrics adapter as it is shipped.

mod day;
mod discovery;
mod faults;
mod fewest;
mod intensity;
mod outage;
mod site;
mod stage;
