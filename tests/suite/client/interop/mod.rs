//! Clients of other makes at the other end: what this client writes they read, what they write it reads, and groups have
//! members of every make. They are programs in `tests/peers/exchange`.

mod groups;
mod peer;
mod records;
