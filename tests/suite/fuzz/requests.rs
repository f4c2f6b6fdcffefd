//! Random requests that are well formed, of names and numbers that mean something to the broker under test: they get
//! past the guard and deep into the handlers.

use bytes::{BufMut, Bytes};
use kafka_protocol::messages::{
    ApiKey, ConsumerGroupHeartbeatResponse, FetchResponse, InitProducerIdResponse, JoinGroupResponse,
    ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, StrBytes};

use super::batches;
use super::rng::Rng;
use super::schema::{self, Element, Field, Kind};

/// What lives in the broker under test, as far as it has told.
#[derive(Default, Clone)]
pub(crate) struct World {
    pub(crate) topic_ids: Vec<[u8; 16]>,
    pub(crate) member_ids: Vec<String>,
    pub(crate) producer_ids: Vec<i64>,
    pub(crate) session_ids: Vec<i64>,
}

impl World {
    /// Takes from an answer what later requests have to know to get any further.
    pub(crate) fn learn(&mut self, key: i16, version: i16, mut answer: Bytes) {
        fn read<R: Decodable + HeaderVersion>(answer: &mut Bytes, version: i16) -> Option<R> {
            ResponseHeader::decode(answer, R::header_version(version)).ok()?;
            R::decode(answer, version).ok()
        }
        let member = |id: &StrBytes| (!id.is_empty()).then(|| id.to_string());
        match ApiKey::try_from(key) {
            Ok(ApiKey::JoinGroup) => {
                let answer = read::<JoinGroupResponse>(&mut answer, version);
                self.member_ids.extend(answer.and_then(|answer| member(&answer.member_id)));
            }
            Ok(ApiKey::ConsumerGroupHeartbeat) => {
                let answer = read::<ConsumerGroupHeartbeatResponse>(&mut answer, version);
                self.member_ids.extend(answer.and_then(|answer| member(&answer.member_id?)));
            }
            Ok(ApiKey::InitProducerId) => {
                let answer = read::<InitProducerIdResponse>(&mut answer, version);
                self.producer_ids.extend(answer.map(|answer| answer.producer_id.0).filter(|id| *id >= 0));
            }
            Ok(ApiKey::Fetch) => {
                let answer = read::<FetchResponse>(&mut answer, version);
                self.session_ids
                    .extend(answer.map(|answer| i64::from(answer.session_id)).filter(|id| *id > 0));
            }
            _ => {}
        }
        // The latest few: earlier ones may be gone.
        const KEPT: usize = 4;
        self.member_ids.drain(..self.member_ids.len().saturating_sub(KEPT));
        self.producer_ids.drain(..self.producer_ids.len().saturating_sub(KEPT));
        self.session_ids.drain(..self.session_ids.len().saturating_sub(KEPT));
    }
}

pub(crate) const TOPICS: [&str; 3] = ["t0", "t1", "t2"];

const NAMES: [&str; 10] =
    ["t0", "t1", "t2", "t.3", "t_3", "", "nobody", "__consumer_offsets", "bad name!", "\u{1f600}"];
const GROUPS: [&str; 4] = ["g0", "g1", "", "g2"];
const CONFIGS: [&str; 12] = [
    "retention.ms",
    "retention.bytes",
    "segment.bytes",
    "segment.ms",
    "cleanup.policy",
    "max.message.bytes",
    "compression.type",
    "message.timestamp.type",
    "min.insync.replicas",
    "flush.messages",
    "follower.replication.throttled.replicas",
    "no.such.config",
];
const VALUES: [&str; 12] = [
    "1",
    "0",
    "-1",
    "1000000",
    "compact",
    "delete",
    "compact,delete",
    "gzip",
    "LogAppendTime",
    "",
    "x",
    "9e99",
];
const PROTOCOLS: [&str; 5] = ["consumer", "range", "roundrobin", "", "connect"];

/// The body of a request of an API in a version, with nothing wrong in its form. None where the API is unknown.
pub(crate) fn body(key: i16, version: i16, world: &World, rng: &mut Rng) -> Option<Vec<u8>> {
    let message = schema::request(key).filter(|message| message.versions.contains(&version))?;
    let flexible = message.is_flexible(version);
    let mut writer = Writer { rng, world, version, flexible, out: Vec::new(), depth: 0 };
    writer.fields(message.fields);
    Some(writer.out)
}

struct Writer<'a> {
    rng: &'a mut Rng,
    world: &'a World,
    version: i16,
    flexible: bool,
    out: Vec<u8>,
    depth: usize,
}

impl Writer<'_> {
    fn fields(&mut self, fields: &[Field]) {
        let version = self.version;
        for field in fields.iter().filter(|field| field.tag.is_none() && field.exists(version)) {
            self.field(field);
        }
        if self.flexible {
            let mut known: Vec<_> =
                fields.iter().filter(|field| field.tag.is_some() && field.exists(version)).collect();
            known.retain(|_| self.rng.percent(50));
            self.varint(known.len());
            for field in known {
                self.varint(usize::try_from(field.tag.unwrap_or(0)).unwrap());
                let before = std::mem::take(&mut self.out);
                self.field(field);
                let value = std::mem::replace(&mut self.out, before);
                self.varint(value.len());
                self.out.extend(value);
            }
        }
    }

    fn field(&mut self, field: &Field) {
        let null = field.is_nullable(self.version) && self.rng.percent(20);
        match field.kind {
            Kind::String if null => self.length(None, 2),
            Kind::Bytes | Kind::Array(_) if null => self.length(None, 4),
            Kind::Fixed(size) => self.number(field.name, size),
            Kind::String => self.string(field.name),
            Kind::Bytes => {
                let bytes = match field.name {
                    "records" => batches::any(self.rng),
                    _ => {
                        let length = self.rng.below(40);
                        self.rng.bytes(length)
                    }
                };
                self.length(Some(bytes.len()), 4);
                self.out.extend(bytes);
            }
            Kind::Struct(fields) => {
                let nullable = field.is_nullable(self.version);
                if nullable {
                    self.out.push(if null { 0xff } else { 1 });
                }
                if !(nullable && null) {
                    self.fields(fields);
                }
            }
            Kind::Array(element) => self.array(field.name, element),
        }
    }

    fn array(&mut self, name: &str, element: Element) {
        // Mostly one element, so that much of what is asked for is not spoilt by some other part of it.
        let count = if self.depth > 2 { self.rng.below(2) } else { self.rng.pick(&[0, 1, 1, 1, 2, 3]) };
        self.length(Some(count), 4);
        self.depth += 1;
        for _ in 0..count {
            match element {
                Element::Fixed(size) => self.number(name, size),
                Element::String => self.string(name),
                Element::Struct(fields, _) => self.fields(fields),
            }
        }
        self.depth -= 1;
    }

    fn string(&mut self, name: &str) {
        let choices: &[&str] = match name {
            _ if name.contains("group") || name == "key" || name.contains("coordinator_keys") => &GROUPS,
            _ if name.contains("member") || name.contains("instance") => &["", "m0", "m1"],
            _ if name.contains("protocol") || name.contains("assignor") => &PROTOCOLS,
            "value" => &VALUES,
            "configuration_keys" => &CONFIGS,
            "name" if self.depth > 1 => &CONFIGS,
            _ => &NAMES,
        };
        let text = match self.rng.below(20) {
            3..=14 if name.contains("member") && !self.world.member_ids.is_empty() => {
                self.world.member_ids[self.rng.below(self.world.member_ids.len())].clone()
            }
            0 => "long".repeat(self.rng.below(100)),
            1 => String::from_utf8_lossy(&self.rng.bytes(6)).into_owned(),
            2 => self.rng.pick(&PROTOCOLS).to_owned(),
            _ => self.rng.pick(choices).to_owned(),
        };
        self.length(Some(text.len()), 2);
        self.out.extend(text.as_bytes());
    }

    fn number(&mut self, name: &str, size: usize) {
        let likely = self.rng.percent(80);
        let value: i64 = match (name, size) {
            (_, 16) => {
                let id = match self.world.topic_ids.as_slice() {
                    ids @ [_, ..] if likely => self.rng.pick(ids),
                    _ => self.rng.pick(&[[0; 16], [7; 16]]),
                };
                return self.out.extend(id);
            }
            // Long waits would only hold up the test.
            (name, 4) if name.ends_with("_ms") => self.rng.pick(&[0, 1, 5, 20, 50, -1]),
            ("replica_id" | "leader_epoch" | "current_leader_epoch", 4) if likely => -1,
            ("session_id", 4) if likely => match self.world.session_ids.as_slice() {
                ids @ [_, ..] if self.rng.percent(50) => self.rng.pick(ids),
                _ => 0,
            },
            ("producer_id", 8) if likely && !self.world.producer_ids.is_empty() => {
                self.rng.pick(&self.world.producer_ids)
            }
            ("session_epoch", 4) => self.rng.pick(&[0, 0, 1, 2, 3]),
            ("replication_factor", 2) => self.rng.pick(&[1, 1, -1, 0, 2]),
            ("acks", 2) if likely => self.rng.pick(&[1, -1]),
            ("min_bytes", 4) => self.rng.pick(&[0, 1, 1 << 20]),
            (name, 4) if name.contains("max_bytes") && likely => 1 << 20,
            ("timestamp" | "offset", 8) => self.rng.pick(&[-1, -2, -3, -4, -5, 0, 1, 5, i64::MAX, i64::MIN]),
            (_, 1) => self.rng.pick(&[0, 1, 2, 4, -1]),
            _ if likely => self.rng.pick(&[0, 0, 1, 2, -1]),
            _ => self.rng.pick(&[3, -2, 100, 1000, i64::MAX, i64::MIN, 0x7fff_ffff, -0x8000_0000, 0x7fff]),
        };
        // The low bytes: the extremes of smaller numbers are among the choices.
        self.out.extend(&value.to_be_bytes()[8 - size..]);
    }

    fn length(&mut self, length: Option<usize>, width: usize) {
        match (self.flexible, length) {
            (true, length) => self.varint(length.map_or(0, |length| length + 1)),
            (false, None) => self.out.put_bytes(0xff, width),
            (false, Some(length)) => self.out.extend(&length.to_be_bytes()[8 - width..]),
        }
    }

    fn varint(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.out.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.out.push(value.to_le_bytes()[0]);
    }
}
