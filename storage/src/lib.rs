//! The segmented, memory-mapped partition log of Klamm, in the on-disk format of Apache Kafka.
