//! Where a group's offsets are moved to: found out before anything is moved.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::{CommittedOffset, FoundOffset, ListOffsets, OffsetAt, OffsetMove, ResetTo};
use crate::admin::fan_out::{self, Outcomes};
use crate::error::{ClientError, ErrorKind};
use crate::native::Cluster;
use crate::record::TopicPartition;

/// The moves of all partitions.
pub(super) async fn moves(
    cluster: &Arc<Cluster>,
    standing: Vec<CommittedOffset>,
    to: ResetTo,
    deadline: Instant,
) -> Result<Outcomes<TopicPartition, OffsetMove>, ClientError> {
    let at = match to {
        ResetTo::Timestamp(at) => Some(OffsetAt::Timestamp(at)),
        ResetTo::Ago(ago) => Some(OffsetAt::Timestamp(now_ms()?.saturating_sub(millis(ago.as_millis())))),
        ResetTo::Earliest | ResetTo::Latest | ResetTo::Offset(_) | ResetTo::Shift(_) => None,
    };
    let asked = [Some(OffsetAt::Earliest), Some(OffsetAt::Latest), at];
    let wanted = standing
        .iter()
        .flat_map(|known| asked.iter().flatten().map(|at| (known.partition.clone(), *at)))
        .collect();
    let found: HashMap<_, _> =
        fan_out::run(cluster, ListOffsets, wanted, deadline).await.into_iter().collect();
    Ok(standing
        .into_iter()
        .map(|known| {
            let look = |at| look(&found, &known.partition, at);
            let planned = (|| {
                let (first, end) =
                    (look(OffsetAt::Earliest)?.unwrap_or(0), look(OffsetAt::Latest)?.unwrap_or(0));
                let later = at.map(look).transpose()?.flatten();
                Ok(OffsetMove { from: known.offset, to: place(to, known.offset, first, end, later) })
            })();
            (known.partition, planned)
        })
        .collect())
}

fn look(
    found: &HashMap<(TopicPartition, OffsetAt), Result<Option<FoundOffset>, ClientError>>,
    partition: &TopicPartition,
    at: OffsetAt,
) -> Result<Option<i64>, ClientError> {
    match found.get(&(partition.clone(), at)) {
        Some(Ok(found)) => Ok(found.map(|found| found.offset)),
        Some(Err(error)) => Err(error.clone()),
        None => {
            let asked = format!("looking for an offset of {partition}");
            Err(ClientError::new(ErrorKind::MalformedAnswer, asked, "it was not answered"))
        }
    }
}

/// Where a partition goes on that stands at `from`, begins at `first` and ends at `end`. `later`: the offset that a
/// timestamp was found at.
fn place(to: ResetTo, from: Option<i64>, first: i64, end: i64, later: Option<i64>) -> i64 {
    let wanted = match to {
        ResetTo::Earliest => first,
        ResetTo::Latest => end,
        ResetTo::Offset(offset) => offset,
        ResetTo::Timestamp(_) | ResetTo::Ago(_) => later.unwrap_or(end),
        ResetTo::Shift(by) => from.unwrap_or(first).saturating_add(by),
    };
    wanted.min(end).max(first)
}

fn now_ms() -> Result<i64, ClientError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|error| {
        ClientError::new(ErrorKind::System, "reading the system's clock", error.to_string())
            .remedy("set the clock")
    })?;
    Ok(millis(since.as_millis()))
}

fn millis(millis: u128) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_group_goes_on_where_it_is_told_and_where_there_are_records() {
        let place = |to, from| place(to, from, 10, 100, Some(40));
        assert_eq!(place(ResetTo::Earliest, Some(50)), 10);
        assert_eq!(place(ResetTo::Latest, Some(50)), 100);
        assert_eq!(place(ResetTo::Offset(60), None), 60);
        assert_eq!(place(ResetTo::Offset(5), None), 10);
        assert_eq!(place(ResetTo::Offset(500), None), 100);
        assert_eq!(place(ResetTo::Timestamp(1), Some(50)), 40);
        assert_eq!(super::place(ResetTo::Ago(Duration::ZERO), Some(50), 10, 100, None), 100);
        assert_eq!(place(ResetTo::Shift(-20), Some(50)), 30);
        assert_eq!(place(ResetTo::Shift(i64::MAX), Some(50)), 100);
        assert_eq!(place(ResetTo::Shift(i64::MIN), None), 10);
    }
}
