//! What the Green HPA promises, each promise on the real autoscaler with the metrics adapter as it is shipped.

mod curves;
mod day;
mod discovery;
mod faults;
mod fewest;
mod hung;
mod intensity;
mod outage;
mod poller;
mod registration;
mod restarts;
mod rotation;
mod site;
mod stage;
mod usage;
mod usual;
