//! How fast records are read.

use std::time::Instant;

use super::produce::speed;
use super::report::Figures;
use super::topic::Topic;
use super::{Bench, GRACE};
use crate::cli::connect::Cluster;
use crate::cli::data::options;
use crate::cli::data::places::{self, Start, Wanted};
use crate::cli::data::reading::{Reading, UpTo};
use crate::cli::error::Failure;
use crate::cli::signals::Interrupt;
use crate::cli::terminal::Progress;

/// How often a person sees how far the test has come, and it is looked whether the end is asked for, in records.
const RECORDS_PER_LOOK: u64 = 4096;

impl Bench {
    pub(super) fn consume(
        &self,
        cluster: &Cluster,
        topic: &Topic,
        interrupt: &Interrupt,
    ) -> Result<Figures, Failure> {
        let name = topic.name.to_string();
        let wanted = Wanted {
            topics: std::slice::from_ref(&name),
            regex: false,
            partitions: &[],
            start: Start::Beginning,
            until: None,
        };
        let places = places::find(cluster, &topic.admin, &wanted)?;
        let there = places.iter().map(|place| place.latest.saturating_sub(place.begin)).sum::<i64>();
        let most = self.records.min(u64::try_from(there).unwrap_or(0));
        let settings = options::consumer(cluster, None, None)?;
        let progress = Progress::new("consume", Some(most));
        let began = Instant::now();
        let mut reading = Reading::begin((cluster, &topic.admin), settings, &places, UpTo::End, false)?;
        let (mut records, mut bytes) = (0, 0);
        while records < most && !reading.is_done() {
            let next = match reading.try_next()? {
                None => reading.wait()?,
                next => next,
            };
            if let Some(record) = &next {
                records += 1;
                let size = record.key.as_ref().map_or(0, |key| key.len());
                bytes += (size + record.value.as_ref().map_or(0, |value| value.len())) as u64;
            }
            if next.is_none() || records % RECORDS_PER_LOOK == 0 {
                progress.set(records);
                progress.say(speed("consume", records, began));
                if interrupt.is_asked() {
                    break;
                }
            }
        }
        let took = began.elapsed();
        reading.consumer.close(GRACE)?;
        Ok(Figures { test: "consume", records, bytes, took, lost: 0, latency: None })
    }
}
