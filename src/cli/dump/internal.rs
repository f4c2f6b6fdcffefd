//! Records that brokers write for themselves: markers of transactions, and what groups have committed.

/// Reads the parts of a record, one after the other.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn i64(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.i16()?).ok()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// What a control record says, by its key.
pub(super) fn marker(key: &[u8]) -> Option<String> {
    let mut key = Parts(key);
    let (_version, kind) = (key.i16()?, key.i16()?);
    Some(match kind {
        0 => "abort marker".to_owned(),
        1 => "commit marker".to_owned(),
        2 => "leader change".to_owned(),
        3 => "snapshot header".to_owned(),
        4 => "snapshot footer".to_owned(),
        other => format!("control record of type {other}"),
    })
}

/// What a record of `__consumer_offsets` says. Those of the newer group protocols are told by their type and group.
pub(super) fn of_group(key: &[u8], value: Option<&[u8]>) -> Option<String> {
    let mut key = Parts(key);
    match key.i16()? {
        0 | 1 => {
            let (group, topic, partition) = (key.text()?, key.text()?, key.i32()?);
            let of = format!("group '{group}', partition {partition} of '{topic}'");
            Some(match value {
                None => format!("{of}: committed offset deleted"),
                Some(value) => format!("{of}: {}", committed(value)?),
            })
        }
        2 => {
            let group = key.text()?;
            Some(match value {
                None => format!("group '{group}' deleted"),
                Some(value) => format!("group '{group}': {}", group_state(value)?),
            })
        }
        kind => {
            let group = key.text()?;
            let what = if value.is_some() { "written" } else { "deleted" };
            Some(format!("group '{group}': record of type {kind} {what}"))
        }
    }
}

fn committed(value: &[u8]) -> Option<String> {
    let mut value = Parts(value);
    let version = value.i16()?;
    let offset = value.i64()?;
    let epoch = match version {
        3.. => Some(value.i32()?).filter(|epoch| *epoch >= 0),
        _ => None,
    };
    // From version 4 on texts are written otherwise, and nothing behind the epoch is looked at.
    let metadata = if version <= 3 { value.text()? } else { "" };
    let epoch = epoch.map_or_else(String::new, |epoch| format!(", leader epoch {epoch}"));
    let metadata = if metadata.is_empty() { String::new() } else { format!(", metadata '{metadata}'") };
    Some(format!("committed offset {offset}{epoch}{metadata}"))
}

fn group_state(value: &[u8]) -> Option<String> {
    let mut value = Parts(value);
    let version = value.i16()?;
    if version > 3 {
        return Some("classic group".to_owned());
    }
    let (protocol_type, generation) = (value.text()?, value.i32()?);
    Some(format!("generation {generation} of type '{protocol_type}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        out.extend(text.as_bytes());
    }

    #[test]
    fn commits_are_told() {
        let mut key = vec![0, 1];
        text(&mut key, "billing");
        text(&mut key, "orders");
        key.extend(3_i32.to_be_bytes());
        let mut value = vec![0, 3];
        value.extend(42_i64.to_be_bytes());
        value.extend((-1_i32).to_be_bytes());
        text(&mut value, "");
        value.extend(0_i64.to_be_bytes());
        let of = "group 'billing', partition 3 of 'orders'";
        assert_eq!(of_group(&key, Some(&value)), Some(format!("{of}: committed offset 42")));
        assert_eq!(of_group(&key, None), Some(format!("{of}: committed offset deleted")));
        // What is cut off is left to be shown as bytes.
        for cut in 0..key.len() {
            assert_eq!(of_group(&key[..cut], None), None, "{cut}");
        }
    }

    #[test]
    fn markers_and_groups_are_told() {
        assert_eq!(marker(&[0, 0, 0, 1]).as_deref(), Some("commit marker"));
        assert_eq!(marker(&[0, 0, 0, 0]).as_deref(), Some("abort marker"));
        assert_eq!(marker(&[0]), None);
        let mut key = vec![0, 2];
        text(&mut key, "g");
        assert_eq!(of_group(&key, None).as_deref(), Some("group 'g' deleted"));
    }
}
