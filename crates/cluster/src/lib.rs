//! Kubernetes objects and grid files in, one immutable Snapshot out.
//!
//! ```text
//! API server --watch--> observer --events--> index (one writer) --publish--> Snapshot <--load-- any number of readers
//! signals    --poll---> observer ----------------^
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`config`] | the configuration that all programs share |
//! | [`connect`] | the way to the API server |
//! | [`annotations`] | every annotation and label that is read |
//! | [`objects`] | slim views of Kubernetes objects |
//! | [`identity`] | what a node is: grid zone, hardware, PUE, each with its origin |
//! | [`events`] | events on objects |
//! | [`energy`] | who used the energy, and what was learned from it |
//! | [`index`] | the single writer's state |
//! | [`snapshot`] | what readers see |
//! | [`assumptions`] | pods decided but not yet seen |
//! | [`assess`] | one pod on one node: the number everywhere |
//! | [`wanted`] | grid zones that are asked about although no node stands in them |
//! | [`watch`] | one kind of object: list, then watch, for ever |
//! | [`observer`] | the tasks that keep all of it current |

pub mod annotations;
pub mod assess;
pub mod assumptions;
pub mod config;
pub mod connect;
pub mod energy;
pub mod events;
pub mod identity;
pub mod index;
pub mod objects;
pub mod observer;
pub mod snapshot;
pub mod wanted;
pub mod watch;
