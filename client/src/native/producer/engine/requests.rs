//! Requests to brokers and their answers: what goes together, what an answer means for each batch.

use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce_response::PartitionProduceResponse;

use super::super::batch::Batch;
use super::track::Readiness;
use super::{Action, Endpoint, Engine, Lost, Outcome, Part};
use crate::error::{ClientError, ErrorKind};
use crate::native::retry::{Remedy, remedy};

/// What a request has beside its batches, at most: the header, acks, time-out.
const REQUEST_OVERHEAD: usize = 128;

/// What a batch has around it in a request, beside the topic's name.
const PART_OVERHEAD: usize = 48;

/// A request under way.
#[derive(Debug)]
pub(super) struct Flight {
    broker: i32,
    /// Tracks, and the numbers of their batches, in the order of the request.
    batches: Vec<(usize, u64)>,
}

/// What a broker says of a batch.
struct Verdict<'a> {
    error: Option<ResponseError>,
    answer: &'a PartitionProduceResponse,
    endpoints: &'a ProduceResponse,
}

impl Engine {
    /// Sends a broker what is due, in as many requests as may be under way to it.
    pub(super) fn pump(&mut self, broker: i32, now: Instant) {
        let most = self.accumulator.settings.max_in_flight;
        loop {
            let Some(state) = self.brokers.get_mut(&broker) else { return };
            if state.in_flight >= most {
                return;
            }
            if state.in_flight == 0 {
                // What waits for just this may go along.
                for at in std::mem::take(&mut state.eager) {
                    if let Some(track) = self.tracks.get_mut(at) {
                        track.is_eager = false;
                        self.look(at, now);
                    }
                }
            }
            if !self.send_one(broker, now) {
                return;
            }
        }
    }

    /// Sends one request. False if nothing was due.
    fn send_one(&mut self, broker: i32, now: Instant) -> bool {
        let settings = &self.accumulator.settings;
        let mut size = REQUEST_OVERHEAD;
        let mut parts: Vec<(usize, u64, Part)> = Vec::new();
        let mut moved = Vec::new();
        while let Some(state) = self.brokers.get_mut(&broker) {
            let Some(at) = state.due.pop_front() else { break };
            let Some(track) = self.tracks.get(at) else { continue };
            if track.readiness(settings, self.identity, &self.brokers, now) != Readiness::Now(broker) {
                moved.push(at);
                continue;
            }
            let grown = size + track.next_size() + track.topic.len() + PART_OVERHEAD;
            if !parts.is_empty() && grown > settings.max_request_size {
                if let Some(state) = self.brokers.get_mut(&broker) {
                    state.due.push_front(at);
                }
                break;
            }
            size = grown;
            let Some(track) = self.tracks.get_mut(at) else { continue };
            if let Some((number, bytes)) = track.launch(&self.accumulator, self.identity) {
                let topic = Arc::clone(&track.topic);
                parts.push((at, number, Part { topic, partition: track.partition.number, bytes }));
            }
            moved.push(at);
        }
        let sent = !parts.is_empty();
        if sent {
            self.dispatch(broker, parts);
        }
        for at in moved {
            if let Some(track) = self.tracks.get_mut(at) {
                track.is_due = false;
                self.look(at, now);
            }
        }
        sent
    }

    fn dispatch(&mut self, broker: i32, mut parts: Vec<(usize, u64, Part)>) {
        if parts.len() > 1 {
            // Stable: those of a topic come to stand together.
            parts.sort_by(|(_, _, one), (_, _, other)| one.topic.cmp(&other.topic));
        }
        let request = self.next_request;
        self.next_request += 1;
        let batches = parts.iter().map(|(at, number, _)| (*at, *number)).collect();
        self.flights.insert(request, Flight { broker, batches });
        if let Some(state) = self.brokers.get_mut(&broker) {
            state.in_flight += 1;
        }
        let parts = parts.into_iter().map(|(_, _, part)| part).collect();
        self.actions.push(Action::Produce { broker, request, parts });
    }

    /// What came of a request.
    pub(in super::super) fn answered(&mut self, request: u64, outcome: Outcome, now: Instant) {
        let Some(flight) = self.flights.remove(&request) else { return };
        if let Some(state) = self.brokers.get_mut(&flight.broker) {
            state.in_flight = state.in_flight.saturating_sub(1);
        }
        self.stirred.push(flight.broker);
        match &outcome {
            Err(lost) => flight.batches.iter().for_each(|(at, number)| self.lost(*at, *number, lost, now)),
            Ok(None) => {
                for (at, number) in &flight.batches {
                    self.acknowledged(*at, *number, -1, None, now);
                }
            }
            Ok(Some(response)) => self.judged(&flight, response, now),
        }
        for (at, _) in &flight.batches {
            self.look(*at, now);
        }
    }

    /// Goes through an answer, which has the partitions in the order of the request, or in another.
    fn judged(&mut self, flight: &Flight, response: &ProduceResponse, now: Instant) {
        let answers: Vec<_> = response
            .responses
            .iter()
            .flat_map(|topic| {
                topic.partition_responses.iter().map(move |answer| (topic.name.as_str(), answer))
            })
            .collect();
        for (place, (at, number)) in flight.batches.iter().enumerate() {
            let Some(track) = self.tracks.get(*at) else { continue };
            let is_it = |(topic, answer): &&(&str, &PartitionProduceResponse)| {
                *topic == &*track.topic && answer.index == track.partition.number
            };
            let there = answers.get(place).filter(is_it).or_else(|| answers.iter().find(is_it));
            match there {
                Some((_, answer)) => {
                    let error = ResponseError::try_from_code(answer.error_code);
                    self.judge(*at, *number, &Verdict { error, answer, endpoints: response }, now);
                }
                None => {
                    let why = "the broker's answer says nothing of the partition";
                    let error = ClientError::new(ErrorKind::MalformedAnswer, self.publishing(*at), why);
                    self.lost(*at, *number, &Lost { error, sent: true }, now);
                }
            }
        }
    }

    fn judge(&mut self, at: usize, number: u64, verdict: &Verdict<'_>, now: Instant) {
        let answer = verdict.answer;
        let Some(error) = verdict.error else {
            let log_time = Some(answer.log_append_time_ms).filter(|time| *time >= 0);
            return self.acknowledged(at, number, answer.base_offset, log_time, now);
        };
        let idempotent = self.accumulator.settings.idempotent;
        match error {
            // It is there, from an earlier attempt, whose offset the broker does not remember.
            ResponseError::DuplicateSequenceNumber if idempotent => {
                return self.acknowledged(at, number, -1, None, now);
            }
            _ => {}
        }
        let asked = self.publishing(at);
        let told = ClientError::from_code(error, asked, answer.error_message.as_deref());
        let Some(track) = self.tracks.get_mut(at) else { return };
        let Some(mut batch) = track.land(number) else { return };
        batch.in_doubt |= leaves_in_doubt(error);
        if batch.in_doubt && track.is_overtaken(number) {
            return self.delivered(at, batch, -1, None);
        }
        match error {
            ResponseError::MessageTooLarge | ResponseError::RecordListTooLarge => {
                self.split(at, batch, &told);
            }
            ResponseError::OutOfOrderSequenceNumber if idempotent && track.is_first(number) => {
                if let Some(batch) = track.put_aside(batch) {
                    track.epoch_is_over = true;
                    self.pause(at, now);
                    self.again(at, batch, told, now);
                }
            }
            ResponseError::OutOfOrderSequenceNumber | ResponseError::UnknownProducerId if idempotent => {
                // The first has nothing to wait for: numbers are forgotten. Others follow the first.
                if track.is_first(number) {
                    track.epoch_is_over = true;
                    self.pause(at, now);
                }
                self.again(at, batch, told, now);
            }
            ResponseError::InvalidProducerEpoch if idempotent => {
                track.epoch_is_over = true;
                track.identity_is_over = true;
                self.pause(at, now);
                self.again(at, batch, told, now);
            }
            ResponseError::ProducerFenced | ResponseError::InvalidProducerIdMapping => {
                let why = told.why().to_owned();
                let fenced = ClientError::new(ErrorKind::Fenced, self.publishing(at), why);
                self.give_up(at, batch, &fenced.remedy("start another publisher"));
            }
            _ if remedy(error) == Remedy::None => self.give_up(at, batch, &told),
            _ => {
                let moved = self.moved(at, verdict);
                self.refresh |= remedy(error) == Remedy::RefreshMetadata;
                if !moved {
                    self.pause(at, now);
                }
                self.again(at, batch, told, now);
            }
        }
    }

    /// Takes up a leader that the broker has named. True if there is a new one.
    fn moved(&mut self, at: usize, verdict: &Verdict<'_>) -> bool {
        let leader = &verdict.answer.current_leader;
        let (node, epoch) = (leader.leader_id.0, leader.leader_epoch);
        let Some(track) = self.tracks.get_mut(at) else { return false };
        if node < 0 || epoch <= track.leader_epoch {
            return false;
        }
        (track.leader, track.leader_epoch) = (Some(node), epoch);
        let named = verdict.endpoints.node_endpoints.iter().find(|endpoint| endpoint.node_id.0 == node);
        let endpoint = named.map(|endpoint| Endpoint {
            host: endpoint.host.to_string(),
            port: endpoint.port,
            rack: endpoint.rack.as_ref().map(ToString::to_string),
        });
        let (topic, partition) = (Arc::clone(&track.topic), track.partition.number);
        self.actions.push(Action::Leader { topic, partition, node, epoch, endpoint });
        true
    }

    fn acknowledged(&mut self, at: usize, number: u64, offset: i64, log_time: Option<i64>, now: Instant) {
        let Some(track) = self.tracks.get_mut(at) else { return };
        let Some(batch) = track.land(number) else { return };
        for there in track.succeeded(number, now) {
            self.delivered(at, there, -1, None);
        }
        self.delivered(at, batch, offset, log_time);
    }

    fn delivered(&mut self, at: usize, batch: Batch, offset: i64, log_time: Option<i64>) {
        let Some(track) = self.tracks.get(at) else { return };
        let accumulator = &self.accumulator;
        let count = u64::from(batch.count.unsigned_abs());
        let (partition, usual) = (&track.partition, accumulator.settings.batch_size);
        batch.delivered(&track.topic, partition.number, offset, log_time, &accumulator.budget, usual);
        accumulator.settle(partition, count);
    }

    /// Has a batch sent again whose answer did not come.
    fn lost(&mut self, at: usize, number: u64, lost: &Lost, now: Instant) {
        let Some(track) = self.tracks.get_mut(at) else { return };
        let Some(mut batch) = track.land(number) else { return };
        batch.in_doubt |= lost.sent;
        if batch.in_doubt && track.is_overtaken(number) {
            return self.delivered(at, batch, -1, None);
        }
        self.refresh = true;
        self.pause(at, now);
        if !lost.error.is_retriable() {
            let error = lost.error.clone().asked(self.publishing(at));
            self.give_up(at, batch, &error);
        } else if lost.sent {
            self.again(at, batch, lost.error.clone(), now);
        } else {
            // It has not been tried.
            self.bring_back(at, batch, lost.error.clone(), now);
        }
    }

    /// Counts an attempt, and has the batch sent again if there may be more.
    fn again(&mut self, at: usize, mut batch: Batch, error: ClientError, now: Instant) {
        batch.attempts = batch.attempts.saturating_add(1);
        if batch.attempts > self.accumulator.settings.retries {
            let error = error.asked(self.publishing(at));
            return self.give_up(at, batch, &error);
        }
        self.bring_back(at, batch, error, now);
    }

    fn bring_back(&mut self, at: usize, mut batch: Batch, error: ClientError, now: Instant) {
        if batch.created + self.accumulator.settings.delivery_timeout <= now {
            let late = self.too_late(at, Some(&error));
            return self.give_up(at, batch, &late);
        }
        batch.last_error = Some(error);
        if let Some(track) = self.tracks.get_mut(at) {
            track.bring_back(batch);
        }
    }

    /// Lets a track rest for a while, and longer after each failure. Failures of what was under way together are one.
    fn pause(&mut self, at: usize, now: Instant) {
        let chance = self.dice.below(1000);
        let Some(track) = self.tracks.get_mut(at) else { return };
        if track.not_before.is_none_or(|before| before <= now) {
            track.failures = track.failures.saturating_add(1);
            track.not_before = Some(now + self.accumulator.settings.backoff(track.failures, chance));
        }
    }

    /// Puts smaller batches in the place of one that the broker finds too large.
    fn split(&mut self, at: usize, batch: Batch, told: &ClientError) {
        if batch.count < 2 {
            let why = format!("{}, for a record of {} bytes", told.why(), batch.size());
            let error = ClientError::new(ErrorKind::TooLarge, self.publishing(at), why)
                .remedy("send less at a time, or raise max.message.bytes of the topic");
            return self.give_up(at, batch, &error);
        }
        let parts = batch.split(self.accumulator.settings.codec, &self.accumulator.budget);
        if let Some(track) = self.tracks.get_mut(at) {
            parts.into_iter().for_each(|part| track.bring_back(part));
        }
    }
}

/// Whether a batch that is answered so may be in the log all the same.
fn leaves_in_doubt(error: ResponseError) -> bool {
    matches!(
        error,
        ResponseError::RequestTimedOut
            | ResponseError::NotEnoughReplicasAfterAppend
            | ResponseError::NetworkException
            | ResponseError::KafkaStorageError
            | ResponseError::UnknownServerError
    )
}
