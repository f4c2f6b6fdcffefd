//! Java's string hash, and what Kafka derives from it.

/// `String.hashCode`: over UTF-16 units, wrapping.
fn java_hash(string: &str) -> i32 {
    string.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// The partition of `__consumer_offsets` that a group lives in.
pub(crate) fn partition_for(group_id: &str, partitions: i32) -> i32 {
    // Kafka's `Utils.abs`: the smallest number, which has no positive counterpart, counts as 0.
    let hash = java_hash(group_id).checked_abs().unwrap_or(0);
    hash.checked_rem(partitions).unwrap_or(0)
}

/// The order in which a Java `HashMap` with these keys, inserted in this order, would list them. Kafka settles a tie
/// between protocols by it.
pub(crate) fn java_map_order<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let mut buckets = 16u32;
    while keys.len() as u64 * 4 > u64::from(buckets) * 3 {
        buckets = buckets.saturating_mul(2);
    }
    let bucket = |key: &&str| {
        let hash = java_hash(key).cast_unsigned();
        (hash ^ (hash >> 16)) & (buckets - 1)
    };
    let mut ordered = keys.to_vec();
    ordered.sort_by_key(bucket);
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(java_hash(""), 0);
        assert_eq!(java_hash("a"), 97);
        assert_eq!(java_hash("hello"), 99_162_322);
        assert_eq!(java_hash("polygenelubricants"), i32::MIN);
        // A character outside the basic plane is two units.
        assert_eq!(java_hash("\u{1f600}"), 1_772_899);
    }

    #[test]
    fn partitions_are_kafkas() {
        assert_eq!(partition_for("", 50), 0);
        assert_eq!(partition_for("hello", 50), 22);
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("anything", 0), 0);
        let negative = "console-consumer-1";
        assert!((0..50).contains(&partition_for(negative, 50)));
    }

    #[test]
    fn keys_come_in_the_order_of_javas_buckets() {
        // 'a' is 97 and 'q' is 113: both in bucket 1, as they were inserted; 'b' in bucket 2.
        assert_eq!(java_map_order(&["b", "q", "a"]), ["q", "a", "b"]);
    }
}
