//! The publisher/subscriber client of Klamm.
