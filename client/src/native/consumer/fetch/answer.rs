//! What comes back from a fetch, partition by partition.

use std::collections::HashMap;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::PartitionData;

use super::batches::{Rules, sift};
use super::request;
use crate::error::ClientError;
use crate::native::cluster;
use crate::native::consumer::context::Context;
use crate::native::consumer::shelf::{Fetched, ToFetch, rest_until, unreadable};
use crate::native::retry::{Remedy, remedy};
use crate::options::IsolationLevel;

/// Takes in an answer to a fetch of `parts`.
pub(super) fn take_in(context: &Context, parts: &[ToFetch], answer: FetchResponse, version: i16) {
    for endpoint in &answer.node_endpoints {
        context.cluster.note_address(endpoint.node_id.0, &endpoint.host, endpoint.port);
    }
    let by_id = request::is_by_id(version);
    let mut asked: HashMap<i32, Vec<&ToFetch>> = HashMap::new();
    for part in parts {
        asked.entry(part.partition.partition).or_default().push(part);
    }
    let mut room = context.shelf.bytes_left();
    let mut refresh = false;
    for topic in answer.responses {
        let is_of = |part: &ToFetch| match by_id {
            true => part.leader.topic_id == topic.topic_id,
            false => *part.partition.topic == *topic.topic.as_str(),
        };
        for partition in topic.partitions {
            let numbered = asked.get(&partition.partition_index);
            // What was not asked for is not believed.
            let Some(part) = numbered.and_then(|parts| parts.iter().find(|part| is_of(part))) else {
                continue;
            };
            refresh |= take_partition(context, part, partition, &mut room);
        }
    }
    if refresh {
        context.cluster.refresh();
    }
}

/// Says whether metadata are to be asked for anew.
fn take_partition(context: &Context, part: &ToFetch, partition: PartitionData, room: &mut usize) -> bool {
    if let Some(code) = ResponseError::try_from_code(partition.error_code) {
        return refused(context, part, &partition, code);
    }
    let shelf = &context.shelf;
    if partition.diverging_epoch.epoch >= 0 {
        shelf.check(part.key);
        return false;
    }
    if partition.preferred_read_replica.0 >= 0 {
        let until = Instant::now() + context.cluster.options().metadata_max_age;
        shelf.prefer(part.key, partition.preferred_read_replica.0, until);
    }
    let rules = Rules {
        check_crcs: context.options.check_crcs,
        read_committed: context.options.isolation_level == IsolationLevel::ReadCommitted,
    };
    let records = partition.records.unwrap_or_default();
    let sifted = sift(&records, part.offset, partition.aborted_transactions, &rules, room);
    if sifted.chunks.is_empty() && !records.is_empty() && sifted.fault.is_none() {
        // Only the beginning of a batch, or nothing that lies behind: asking at once would give the same.
        tracing::warn!(partition = %part.partition, offset = part.offset, "a fetch brought nothing whole");
        shelf.rest(part.key, rest_until(Instant::now(), context.cluster.options().retry_backoff));
    }
    let fetched = Fetched {
        from: part.offset,
        high_watermark: partition.high_watermark,
        last_stable_offset: partition.last_stable_offset,
        chunks: sifted.chunks,
    };
    shelf.deliver(part.key, fetched);
    if let Some((offset, why)) = sifted.fault {
        shelf.give_up(part.key, offset, unreadable(&part.partition, offset, &why));
    }
    false
}

/// Takes in that a partition could not be read. Says whether metadata are to be asked for anew.
fn refused(context: &Context, part: &ToFetch, partition: &PartitionData, code: ResponseError) -> bool {
    let shelf = &context.shelf;
    let (now, options) = (Instant::now(), context.cluster.options());
    let rest = || shelf.rest_longer(part.key, now, (options.retry_backoff, options.retry_backoff_max));
    let leader = &partition.current_leader;
    if leader.leader_id.0 >= 0 && leader.leader_epoch > part.leader.epoch {
        let leader = cluster::Leader { node: leader.leader_id.0, epoch: leader.leader_epoch };
        context.cluster.note_leader(&part.partition.topic, part.partition.partition, leader);
    }
    let told = || ClientError::from_code(code, format!("reading {}", part.partition), None);
    match (code, remedy(code)) {
        (ResponseError::OffsetOutOfRange, _) => {
            shelf.out_of_range(part.key, part.offset, rest_until(now, options.retry_backoff))
        }
        (ResponseError::CorruptMessage, _) => {
            shelf.give_up(
                part.key,
                part.offset,
                unreadable(&part.partition, part.offset, "the log is corrupt there"),
            );
        }
        (ResponseError::OffsetNotAvailable, _) | (_, Remedy::Wait) => rest(),
        // The broker knows a newer leader, or will soon.
        (_, Remedy::RefreshMetadata) => {
            rest();
            return true;
        }
        // A broker says that of what it does not expect.
        (ResponseError::UnknownServerError, _) => rest(),
        _ => {
            rest();
            shelf.tell_of(part.key, told());
        }
    }
    false
}
