//! g
mod state;
