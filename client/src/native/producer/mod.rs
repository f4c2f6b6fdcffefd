//! The native producer.

mod accumulator;
mod batch;
mod budget;
mod engine;
mod inbox;
mod partitioner;
mod settings;
