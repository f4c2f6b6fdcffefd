//! Reading as a member of a group: partitions come and go, and what was written is committed.

use std::time::Instant;

use klamm::raw::{Consumer, Topics};

use super::{CLOSE_WITHIN, Commits, Consume, Stop, Writer};
use crate::cli::connect::Cluster;
use crate::cli::data::options;
use crate::cli::data::places;
use crate::cli::data::reading::{LOOK_UP, Trouble};
use crate::cli::error::{Failure, say};
use crate::cli::signals::Interrupt;

/// Reads until the end is asked for, or nothing is left.
pub(super) fn run(
    consume: &Consume,
    cluster: &Cluster,
    interrupt: &Interrupt,
    writer: &mut Writer,
) -> Result<Stop, Failure> {
    let topics = if consume.regex {
        Topics::Matching(consume.topics.join("|"))
    } else {
        // A group may wait for a topic that is not there yet; a person has most likely mistyped it.
        places::topics(cluster, &cluster.admin()?, &consume.topics, false)?;
        Topics::Named(consume.topics.clone())
    };
    let (client, mut settings) =
        options::consumer(cluster, consume.group.as_deref(), consume.isolation_level)?;
    settings.auto_offset_reset = consume.reset();
    let interval = settings.auto_commit_interval;
    let consumer = Consumer::subscribe(client, settings, &topics)?;
    let mut commits = Commits { due: Some(Instant::now() + interval), interval };
    let stop = read(consume, cluster, &consumer, interrupt, writer, &mut commits);
    let written = stop.is_ok().then(|| writer.sink.flush()).transpose();
    // Nobody reads on: what was not written is left to the group.
    if matches!(written, Ok(Some(()))) {
        consumer.commit().map_err(|error| cluster.explain(error))?;
    }
    let closed = consumer.close(CLOSE_WITHIN);
    let stop = stop?;
    written?;
    closed?;
    Ok(stop)
}

fn read(
    consume: &Consume,
    cluster: &Cluster,
    consumer: &Consumer,
    interrupt: &Interrupt,
    writer: &mut Writer,
    commits: &mut Commits,
) -> Result<Stop, Failure> {
    let mut trouble = Trouble::default();
    while !writer.is_full() {
        let next = match consumer.try_next() {
            Some(next) => Some(next),
            None => {
                writer.sink.flush()?;
                writer.sink.check_reader()?;
                if consume.ends() && has_ended(consumer) {
                    return Ok(Stop::Done);
                }
                trouble.check(consumer, cluster)?;
                consumer.next(LOOK_UP)
            }
        };
        let look = match next {
            None => true,
            Some(Err(error)) => {
                trouble.take_in(error, cluster)?;
                true
            }
            Some(Ok(record)) => {
                trouble.is_over();
                writer.write(&record)?
            }
        };
        if look {
            commits.commit(writer, || {
                // One that a rebalance or a broker's restart has got in the way of is made up for by the next.
                match consumer.commit() {
                    Err(error) if error.is_retriable() => say(format_args!("{error}; trying on")),
                    done => done?,
                }
                Ok(())
            })?;
            if interrupt.is_asked() {
                return Ok(Stop::Interrupted);
            }
        }
    }
    Ok(Stop::Done)
}

/// Whether the group has given partitions to this member, and it has read all of them to their ends.
fn has_ended(consumer: &Consumer) -> bool {
    let assigned = consumer.assignment().len();
    let positions = consumer.positions();
    assigned > 0 && positions.len() == assigned && positions.iter().all(|(_, at)| at.lag == Some(0))
}
