//! `klamm::testing` as those who write tests use it: time with clients attached, the guard, many brokers at once.

mod children;
mod guard;
mod many;
mod tasks;
mod time;
