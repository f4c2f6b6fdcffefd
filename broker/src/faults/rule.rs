//! A fault as a rule: which requests it is for, which of those it strikes, and what it does to them.
//!
//! A plain value that can be written as JSON. Knows nothing of brokers, connections or answers.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::ApiKey;
use serde::{Deserialize, Serialize};

use super::names;
use super::scope::{Scope, WRITERS};
use crate::api;

/// The longest that a fault may hold a request or mute a connection: an hour. Longer is a mistake in units.
pub const LONGEST_FAULT_DELAY: Duration = Duration::from_secs(60 * 60);

/// Something that goes wrong on purpose: a rule that strikes some requests, and what it does to them.
///
/// Built from [`Fault::on`] or [`Fault::any`] and handed to [`Faults::add`](super::Faults::add). Without further words it
/// strikes every request of its API.
///
/// ```
/// use std::time::Duration;
/// use klamm_broker::{ApiKey, Broker, Fault, ResponseError};
///
/// let broker = Broker::builder().topic("orders", 3).start()?;
/// let moved = broker.faults().add(
///     Fault::on(ApiKey::Produce).topic("orders").nth(2).error(ResponseError::NotLeaderOrFollower),
/// )?;
/// broker.faults().add(Fault::on(ApiKey::Fetch).probability(0.1).delay(Duration::from_millis(20)))?;
/// assert_eq!(broker.faults().hits(moved), Some(0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// The API, by its name (`"Produce"`) or key; all of them where it is missing.
    #[serde(with = "names::api", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "names::api_schema"))]
    pub api: Option<ApiKey>,
    /// The lowest version that is struck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<i16>,
    /// The highest version that is struck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_version: Option<i16>,
    /// The client id that is struck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The topic that a request has to name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// The partition that a request has to name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// The group that a request has to name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Which of the requests that match are struck.
    #[serde(flatten)]
    pub when: When,
    /// What is done to them.
    #[serde(flatten)]
    pub effect: Effect,
}

/// Which of the requests that match a rule are struck. With several words all of them have to agree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct When {
    /// Only this one of the requests that match, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Every so many: of 3 the third, the sixth, and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Only so many from the first on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    /// With this chance, from 0 to 1, drawn from the broker's seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// No more than so many hits in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What a fault does to a request that it strikes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Effect {
    /// The answer has this error, by Kafka's name (`"NOT_LEADER_OR_FOLLOWER"`) or code, and what it is about is not done.
    #[serde(with = "names::error", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(schema_with = "names::error_schema"))]
    pub error: Option<ResponseError>,
    /// The request waits before it is worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Delay>,
    /// The answer waits before it is sent, when the work is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay_answer: Option<Delay>,
    /// The connection is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub close: Option<Close>,
    /// So many bytes of the answer are sent, its length included; then the connection is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncate: Option<usize>,
    /// The answer says that the client was throttled for so many milliseconds, where its version can, and the broker
    /// reads nothing more from the connection for as long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle_ms: Option<u64>,
    /// What the disk does to what the request appends. Without an API it is for all that append.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskTrouble>,
}

/// When a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Close {
    /// Before the request is worked on: nothing of it is done.
    BeforeWork,
    /// After the work, instead of the answer: the acknowledgement is lost.
    BeforeAnswer,
}

/// What a disk does to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DiskTrouble {
    /// There is no room. Nothing is appended, and the partition goes on with the next request.
    Full,
    /// The sync after the append fails. As after a real one, the partition takes nothing more until the broker is
    /// started again, because nobody knows what is on the disk; in memory, until the topic is deleted.
    FailedSync,
}

/// A time to wait, drawn between two bounds from the broker's seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// At least so many milliseconds.
    pub min_ms: u64,
    /// At the most so many milliseconds.
    pub max_ms: u64,
    /// Whose milliseconds.
    #[serde(default)]
    pub clock: DelayClock,
}

/// Whose time a delay takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DelayClock {
    /// The client's own, real time: a slow network.
    #[default]
    Real,
    /// The broker's: the request waits until a test moves a manual clock.
    Broker,
}

/// Why a rule is not taken. A sentence that says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub(super) String);

impl Fault {
    /// A fault of requests of one API.
    pub fn on(api: ApiKey) -> Self {
        Fault { api: Some(api), ..Fault::default() }
    }

    /// A fault of requests of every API.
    pub fn any() -> Self {
        Fault::default()
    }

    /// Only requests of these versions.
    pub fn versions(mut self, versions: RangeInclusive<i16>) -> Self {
        (self.min_version, self.max_version) = (Some(*versions.start()), Some(*versions.end()));
        self
    }

    /// Only requests of clients that call themselves so.
    pub fn client(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Only requests that name this topic; an error is for this topic alone, and the others are served.
    pub fn topic(mut self, name: impl Into<String>) -> Self {
        self.topic = Some(name.into());
        self
    }

    /// Only requests that name this partition; an error is for this partition alone, and the others are served.
    pub fn partition(mut self, index: i32) -> Self {
        self.partition = Some(index);
        self
    }

    /// Only requests that name this group.
    pub fn group(mut self, id: impl Into<String>) -> Self {
        self.group = Some(id.into());
        self
    }

    /// Only the `n`th of the requests that match, counted from 1.
    pub fn nth(mut self, n: u64) -> Self {
        self.when.nth = Some(n);
        self
    }

    /// Every `n`th of the requests that match.
    pub fn every(mut self, n: u64) -> Self {
        self.when.every = Some(n);
        self
    }

    /// The first `n` of the requests that match.
    pub fn first(mut self, n: u64) -> Self {
        self.when.first = Some(n);
        self
    }

    /// With this chance, from 0 to 1, drawn from the broker's seed.
    pub fn probability(mut self, chance: f64) -> Self {
        self.when.probability = Some(chance);
        self
    }

    /// No more than `n` hits in all.
    pub fn limit(mut self, n: u64) -> Self {
        self.when.limit = Some(n);
        self
    }

    /// The answer has this error, and what it is about is not done. It stands where Kafka would put it: with the
    /// partition, the topic or the group that the rule names; as far out as the answer goes if it names none.
    pub fn error(mut self, error: ResponseError) -> Self {
        self.effect.error = Some(error);
        self
    }

    /// The request waits for so long of real time before it is worked on.
    pub fn delay(self, time: Duration) -> Self {
        self.delay_between(time, time)
    }

    /// The request waits before it is worked on, for a time drawn from the broker's seed.
    pub fn delay_between(mut self, least: Duration, most: Duration) -> Self {
        self.effect.delay = Some(Delay::between(least, most));
        self
    }

    /// The request waits until the broker's clock has gone on by so much before it is worked on.
    pub fn delay_on_clock(mut self, time: Duration) -> Self {
        self.effect.delay = Some(Delay { clock: DelayClock::Broker, ..Delay::between(time, time) });
        self
    }

    /// The answer waits for so long of real time before it is sent, when the work is done.
    pub fn delay_answer(mut self, time: Duration) -> Self {
        self.effect.delay_answer = Some(Delay::between(time, time));
        self
    }

    /// The connection is closed, and nothing of the request is done.
    pub fn close_before_work(mut self) -> Self {
        self.effect.close = Some(Close::BeforeWork);
        self
    }

    /// The work is done, and the connection is closed instead of an answer: the acknowledgement is lost.
    pub fn close_before_answer(mut self) -> Self {
        self.effect.close = Some(Close::BeforeAnswer);
        self
    }

    /// So many bytes of the answer are sent, its length included; then the connection is closed.
    pub fn truncate(mut self, bytes: usize) -> Self {
        self.effect.truncate = Some(bytes);
        self
    }

    /// The answer says that the client was throttled for so long, and the broker does not read from the connection
    /// meanwhile, as Kafka does it where a quota is used up.
    pub fn throttle(mut self, time: Duration) -> Self {
        self.effect.throttle_ms = Some(millis(time));
        self
    }

    /// There is no room on the disk for what the request appends: of a Produce the batches of the topic and partition that
    /// the rule names; of any other request all that it has the broker remember (topics, configs, ids, groups, offsets).
    /// Requests that append nothing are not struck.
    pub fn disk_full(mut self) -> Self {
        self.effect.disk = Some(DiskTrouble::Full);
        self
    }

    /// The sync after what the request appends fails, and the log takes nothing more until the broker is started again: the
    /// partition of a Produce; of a request of groups the partition of `__consumer_offsets` that remembers the group; of all
    /// others the journal of topics, configs and producer ids.
    pub fn failed_sync(mut self) -> Self {
        self.effect.disk = Some(DiskTrouble::FailedSync);
        self
    }

    /// Whether the rule can mean anything.
    ///
    /// # Errors
    /// With a sentence that says what contradicts what.
    pub fn check(&self) -> Result<(), FaultError> {
        self.check_api()?;
        self.check_filters()?;
        self.check_when()?;
        self.check_effect()
    }

    fn check_api(&self) -> Result<(), FaultError> {
        let (least, most) = (self.min_version.unwrap_or(0), self.max_version.unwrap_or(i16::MAX));
        refuse(least > most || most < 0, || format!("there are no versions from {least} to {most}"))?;
        let Some(key) = self.api else { return Ok(()) };
        let Some(api) = api::find(key as i16) else {
            return Err(FaultError(format!(
                "{key:?} is not served, so that no rule for it would ever be hit"
            )));
        };
        let served = api.versions;
        refuse(least > served.max || most < served.min, || {
            format!(
                "{key:?} is served in versions {} to {}; the rule is for {least} to {most}",
                served.min, served.max
            )
        })
    }

    fn check_filters(&self) -> Result<(), FaultError> {
        refuse(self.partition.is_some_and(|index| index < 0), || {
            "partitions are numbered from 0".to_owned()
        })?;
        refuse(self.partition.is_some() && self.topic.is_none(), || {
            "a partition is meant of some topic: name the topic too".to_owned()
        })?;
        let Some(key) = self.api else { return Ok(()) };
        let scope = Scope::of(key);
        let lacks = |what| format!("{key:?} names no {what}, so that no request of it would match");
        refuse(self.topic.is_some() && !scope.topics, || lacks("topics"))?;
        refuse(self.partition.is_some() && !scope.partitions, || lacks("partitions"))?;
        refuse(self.group.is_some() && !scope.groups, || lacks("groups"))
    }

    fn check_when(&self) -> Result<(), FaultError> {
        let When { nth, every, first, probability, limit } = self.when;
        for (word, number) in [("nth", nth), ("every", every), ("first", first), ("limit", limit)] {
            refuse(number == Some(0), || format!("'{word}' counts from 1; 0 would never strike"))?;
        }
        refuse(probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)), || {
            "a probability lies between 0 and 1".to_owned()
        })?;
        let alone = [nth.is_some(), every.is_some(), first.is_some()];
        refuse(alone.iter().filter(|given| **given).count() > 1, || {
            "'nth', 'every' and 'first' are three ways to choose: give one of them".to_owned()
        })
    }

    fn check_effect(&self) -> Result<(), FaultError> {
        let Effect { error, delay, delay_answer, close, truncate, throttle_ms, disk } = &self.effect;
        refuse(self.effect == Effect::default(), || {
            "the rule does nothing: give it an error, a delay, or another effect".to_owned()
        })?;
        for delay in [delay, delay_answer].into_iter().flatten() {
            delay.check()?;
        }
        let longest = millis(LONGEST_FAULT_DELAY);
        refuse(throttle_ms.is_some_and(|ms| ms > longest), || {
            format!("a throttle of more than {longest} milliseconds is refused")
        })?;
        let before = *close == Some(Close::BeforeWork);
        let after_work = [
            delay_answer.is_some(),
            truncate.is_some(),
            throttle_ms.is_some(),
            error.is_some(),
            disk.is_some(),
        ];
        refuse(before && after_work.contains(&true), || {
            "a connection that is closed before the work sees nothing of another effect than a delay"
                .to_owned()
        })?;
        refuse(*close == Some(Close::BeforeAnswer) && (truncate.is_some() || throttle_ms.is_some()), || {
            "a connection that is closed before the answer gets neither a part of it nor a throttle"
                .to_owned()
        })?;
        refuse(truncate.is_some() && throttle_ms.is_some(), || {
            "a connection that is closed after a part of the answer cannot be throttled".to_owned()
        })?;
        refuse(error.is_some() && disk.is_some(), || {
            "with an error of its own the request never comes to the disk: give one of both".to_owned()
        })?;
        refuse(error.is_some_and(|error| error.code() == 0), || "0 is no error".to_owned())?;
        let reads_only = self.api.filter(|api| disk.is_some() && !Scope::of(*api).writes);
        refuse(reads_only.is_some(), || {
            let names: Vec<_> = WRITERS.iter().map(|api| format!("{api:?}")).collect();
            format!(
                "{:?} appends nothing, so that it meets no trouble with the disk; what does is {}. \
                 Faults::set_disk_full and Faults::set_failing_syncs trouble all that the broker writes",
                reads_only.unwrap_or(ApiKey::Produce),
                names.join(", ")
            )
        })
    }
}

impl Delay {
    fn between(least: Duration, most: Duration) -> Self {
        Delay { min_ms: millis(least), max_ms: millis(most), clock: DelayClock::Real }
    }

    fn check(&self) -> Result<(), FaultError> {
        let longest = millis(LONGEST_FAULT_DELAY);
        refuse(self.min_ms > self.max_ms, || {
            format!("a delay from {} to {} milliseconds is none", self.min_ms, self.max_ms)
        })?;
        refuse(self.max_ms > longest, || format!("a delay of more than {longest} milliseconds is refused"))
    }
}

/// Whole milliseconds, at least one of a time that is not zero.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

fn refuse(is_wrong: bool, why: impl FnOnce() -> String) -> Result<(), FaultError> {
    if is_wrong { Err(FaultError(why())) } else { Ok(()) }
}

/// Names one rule of one broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct RuleId(pub(super) u64);

impl RuleId {
    /// The number that stands for the rule where there are only numbers.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl From<u64> for RuleId {
    fn from(number: u64) -> Self {
        RuleId(number)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A rule of a broker, and how often it was met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FaultRule {
    /// Its name.
    pub id: RuleId,
    /// The rule.
    pub fault: Fault,
    /// How many requests matched it.
    pub matched: u64,
    /// How many requests it struck.
    pub hits: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(fault: Fault) -> String {
        fault.check().expect_err("the rule means nothing").to_string()
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_a_sentence() {
        let error = ResponseError::NotLeaderOrFollower;
        assert!(refused(Fault::on(ApiKey::Heartbeat).topic("t").error(error)).contains("names no topics"));
        assert!(
            refused(Fault::on(ApiKey::CreateTopics).topic("t").partition(1).error(error))
                .contains("partitions")
        );
        assert!(refused(Fault::on(ApiKey::Produce).group("g").error(error)).contains("names no groups"));
        assert!(refused(Fault::on(ApiKey::Produce)).contains("does nothing"));
        assert!(refused(Fault::on(ApiKey::Vote).error(error)).contains("not served"));
        assert!(refused(Fault::on(ApiKey::Produce).versions(90..=99).error(error)).contains("versions"));
        assert!(refused(Fault::on(ApiKey::Produce).nth(1).every(2).error(error)).contains("three ways"));
        assert!(refused(Fault::on(ApiKey::Produce).nth(0).error(error)).contains("counts from 1"));
        assert!(
            refused(Fault::on(ApiKey::Produce).probability(1.5).error(error)).contains("between 0 and 1")
        );
        assert!(
            refused(Fault::on(ApiKey::Produce).close_before_work().error(error)).contains("before the work")
        );
        assert!(
            refused(Fault::on(ApiKey::Produce).close_before_answer().truncate(3))
                .contains("before the answer")
        );
        assert!(refused(Fault::on(ApiKey::Fetch).disk_full()).contains("what does is Produce, Metadata"));
        assert!(Fault::any().disk_full().check().is_ok());
        assert!(refused(Fault::on(ApiKey::Fetch).delay(Duration::from_secs(86_400))).contains("refused"));
        assert!(refused(Fault::any().partition(3).error(error)).contains("name the topic"));
    }

    #[test]
    fn a_rule_is_one_flat_object_of_json() {
        let fault = Fault::on(ApiKey::Produce)
            .topic("orders")
            .partition(1)
            .nth(2)
            .error(ResponseError::NotLeaderOrFollower)
            .delay(Duration::from_millis(5));
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(
            text,
            r#"{"api":"Produce","topic":"orders","partition":1,"nth":2,"error":"NOT_LEADER_OR_FOLLOWER","delay":{"min_ms":5,"max_ms":5,"clock":"real"}}"#
        );
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
        let by_number: Fault =
            serde_json::from_str(r#"{"api":0,"error":6,"close":"before_answer"}"#).unwrap();
        assert_eq!(by_number.effect.error, Some(ResponseError::NotLeaderOrFollower));
        for wrong in
            [r#"{"api":"Produse"}"#, r#"{"error":"NO_SUCH"}"#, r#"{"topik":"t"}"#, r#"{"close":"soon"}"#]
        {
            assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong}");
        }
    }
}
