//! Reading partitions up to where they end, or on and on: which are done, and what is wrong with the rest.

use std::sync::Arc;
use std::time::{Duration, Instant};

use klamm::raw::{Begin, Consumer};
use klamm::{Admin, ClientError, ClientOptions, ConsumerOptions, ErrorKind, Record, TopicPartition};

use super::places::{self, Place};
use crate::cli::connect::Cluster;
use crate::cli::error::{Failure, say};

/// Up to where partitions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpTo {
    /// For ever, or to where their place says.
    Place,
    /// What was there at the beginning.
    End,
}

/// How long to wait for records before looking whether there is anything else to do.
pub(crate) const LOOK_UP: Duration = Duration::from_millis(20);

/// Partitions that are read by hand, each up to its end.
pub(crate) struct Reading<'a> {
    pub(crate) consumer: Consumer,
    cluster: &'a Cluster,
    admin: &'a Admin,
    parts: Vec<Part>,
    /// The part that the last record was of.
    current: usize,
    left: usize,
    trouble: Trouble,
}

struct Part {
    partition: TopicPartition,
    /// The first offset that is not read any more.
    end: i64,
    /// Whether it is to be read only as far as there is anything.
    to_the_end: bool,
    done: bool,
}

impl<'a> Reading<'a> {
    /// Begins to read. With `from_group` each partition begins where the group has committed, if it has.
    pub(crate) fn begin(
        (cluster, admin): (&'a Cluster, &'a Admin),
        (client, options): (ClientOptions, ConsumerOptions),
        places: &[Place],
        up_to: UpTo,
        from_group: bool,
    ) -> Result<Reading<'a>, ClientError> {
        let part = |place: &Place| {
            let at_the_end = (up_to == UpTo::End).then_some(place.latest);
            let end = place.end.into_iter().chain(at_the_end).min().unwrap_or(i64::MAX);
            let done = !from_group && place.begin >= end;
            Part { partition: place.partition.clone(), end, to_the_end: up_to == UpTo::End, done }
        };
        let parts: Vec<_> = places.iter().map(part).collect();
        let assigned: Vec<_> = places
            .iter()
            .zip(&parts)
            .filter(|(_, part)| !part.done)
            .map(|(place, _)| {
                let begin = if from_group { Begin::Committed } else { Begin::Offset(place.begin) };
                (place.partition.clone(), begin)
            })
            .collect();
        let left = assigned.len();
        let consumer = Consumer::assign(client, options, &assigned)?;
        Ok(Reading { consumer, cluster, admin, parts, current: 0, left, trouble: Trouble::default() })
    }

    /// Whether every partition has been read as far as it is to be.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The next record, if one is there.
    #[inline]
    pub(crate) fn try_next(&mut self) -> Result<Option<Record>, Failure> {
        loop {
            match self.consumer.try_next() {
                None => return Ok(None),
                Some(Err(error)) => self.take_in(error)?,
                Some(Ok(record)) => {
                    self.trouble.is_over();
                    if self.is_wanted(&record) {
                        return Ok(Some(record));
                    }
                }
            }
        }
    }

    /// Waits a moment for records, and finds out what is done. To be called when there were none.
    pub(crate) fn wait(&mut self) -> Result<Option<Record>, Failure> {
        self.look_for_ends();
        if self.is_done() {
            return Ok(None);
        }
        self.trouble.check(&self.consumer, self.cluster)?;
        match self.consumer.next(LOOK_UP) {
            None => Ok(None),
            Some(Err(error)) => self.take_in(error).map(|()| None),
            Some(Ok(record)) => {
                self.trouble.is_over();
                Ok(self.is_wanted(&record).then_some(record))
            }
        }
    }

    /// Whether the record lies before its partition's end; notes where that has come.
    #[inline]
    fn is_wanted(&mut self, record: &Record) -> bool {
        let is_of = |part: &Part| {
            part.partition.partition == record.partition && Arc::ptr_eq(&part.partition.topic, &record.topic)
        };
        if !self.parts.get(self.current).is_some_and(is_of) {
            match self.parts.iter().position(is_of) {
                Some(at) => self.current = at,
                None => return false,
            }
        }
        let Some(part) = self.parts.get_mut(self.current) else { return false };
        if record.offset.saturating_add(1) < part.end {
            return true;
        }
        let wanted = record.offset < part.end && !part.done;
        self.finish(self.current);
        wanted
    }

    fn finish(&mut self, at: usize) {
        let Some(part) = self.parts.get_mut(at) else { return };
        if !std::mem::replace(&mut part.done, true) {
            self.left -= 1;
            self.consumer.pause(std::slice::from_ref(&part.partition));
        }
    }

    /// Finds partitions whose ends have come without a record: what lies there is not for readers, or is gone.
    fn look_for_ends(&mut self) {
        let positions = self.consumer.positions();
        for at in 0..self.parts.len() {
            let Some(part) = self.parts.get(at).filter(|part| !part.done && part.end < i64::MAX) else {
                continue;
            };
            let Some((_, position)) = positions.iter().find(|(partition, _)| *partition == part.partition)
            else {
                continue;
            };
            if position.next >= part.end || part.to_the_end && position.lag == Some(0) {
                self.finish(at);
            }
        }
    }

    fn take_in(&mut self, error: ClientError) -> Result<(), Failure> {
        if error.kind() == ErrorKind::OffsetOutOfRange {
            return Err(self.explain_range(error));
        }
        self.trouble.take_in(error, self.cluster)
    }

    /// Says which offsets there are, where one is gone.
    fn explain_range(&self, error: ClientError) -> Failure {
        let positions = self.consumer.positions();
        for (partition, position) in positions {
            let Ok(ranges) = places::ranges(self.cluster, self.admin, std::slice::from_ref(&partition))
            else {
                continue;
            };
            if let Some((earliest, latest)) = ranges.first().copied()
                && !(earliest..=latest).contains(&position.next)
            {
                return places::out_of_range(&partition, position.next, earliest, latest).into();
            }
        }
        self.cluster.explain(error).into()
    }
}

/// What keeps records from coming, and since when.
#[derive(Debug, Default)]
pub(crate) struct Trouble(Option<(Instant, ClientError)>);

impl Trouble {
    /// Records come.
    #[inline]
    pub(crate) fn is_over(&mut self) {
        if self.0.is_some() {
            self.0 = None;
        }
    }

    /// Takes in an error. One that may pass is told, and tolerated for a time.
    pub(crate) fn take_in(&mut self, error: ClientError, cluster: &Cluster) -> Result<(), Failure> {
        if !error.is_retriable() {
            return Err(cluster.explain(error).into());
        }
        if self.0.is_none() {
            say(format_args!("{error}; trying on"));
            self.0 = Some((Instant::now(), error));
        }
        Ok(())
    }

    /// Fails with what has been going on for longer than the cluster may take to answer.
    pub(crate) fn check(&mut self, consumer: &Consumer, cluster: &Cluster) -> Result<(), Failure> {
        match consumer.trouble() {
            Some(error) => self.take_in(error, cluster)?,
            None if consumer.is_in_trouble() => {}
            None => self.is_over(),
        }
        match &self.0 {
            Some((since, error)) if since.elapsed() >= cluster.timeout() => {
                Err(cluster.explain(error.clone()).into())
            }
            _ => Ok(()),
        }
    }
}
