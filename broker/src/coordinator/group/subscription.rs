//! What a consumer's protocol metadata says it subscribes to.
//!
//! Only the part that every version of the consumer protocol starts with is read: a version, topic names, user data.

use bytes::{Buf, Bytes};

/// The topics that a consumer subscribes to; none if the metadata is not of the consumer protocol.
pub(crate) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut left = metadata.clone();
    let version = left.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = u32::try_from(left.try_get_i32().ok()?).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(left.try_get_i16().ok()?).ok()?;
        if length > left.len() {
            return None;
        }
        let name = left.split_to(length);
        topics.push(std::str::from_utf8(&name).ok()?.to_owned());
    }
    let user_data = left.try_get_i32().ok()?;
    (user_data < 0 || user_data.unsigned_abs() as usize <= left.len()).then_some(topics)
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;

    #[test]
    fn topics_are_read_and_what_follows_is_left_alone() {
        let mut metadata = BytesMut::new();
        metadata.put_i16(3);
        metadata.put_i32(2);
        for topic in ["a", "bc"] {
            metadata.put_i16(topic.len() as i16);
            metadata.put_slice(topic.as_bytes());
        }
        metadata.put_i32(-1);
        metadata.put_slice(b"owned partitions and more");
        assert_eq!(topics(&metadata.clone().freeze()), Some(vec!["a".to_owned(), "bc".to_owned()]));
        assert_eq!(topics(&metadata.freeze().slice(0..9)), None);
    }

    #[test]
    fn other_bytes_are_not_a_subscription() {
        assert_eq!(topics(&Bytes::new()), None);
        assert_eq!(topics(&Bytes::from_static(b"\0\0\xff\xff\xff\xff")), None);
        assert_eq!(topics(&Bytes::from_static(b"\0\0\x7f\xff\xff\xff")), None);
    }
}
