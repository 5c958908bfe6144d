//! The simulated world: its pages beside recorded ones, its server, and the readers and meters of the project on it.

mod acceptance;
mod pages;
mod served;
