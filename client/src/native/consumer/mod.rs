//! The native consumer.

mod assignors;
mod fetch;
mod group;
mod protocol;
mod shelf;
mod subscription;
