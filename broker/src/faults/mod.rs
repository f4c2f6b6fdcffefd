//! Faults on purpose: rules that strike requests, and what they do to them.
//!
//! A broker has one [`Faults`]. Without a rule it costs a request one atomic read. With rules, a request is decoded and
//! then goes through [`begin`], its handler and [`end`]: the rules that match are counted and those that strike are put
//! together into one verdict, which parts of the request are taken out and answered for (`place`), and the
//! handler serves the rest. Closed connections, cut answers and throttles are carried out behind the dispatch, by
//! whichever transport the request came on.
//!
//! Every chance is drawn from a stream of the rule's own, made from the broker's seed and the rule's number, so that rules
//! do not disturb each other, or the ids that the broker draws.

pub(crate) mod disk;
pub(crate) mod names;
mod place;
mod rule;
mod scope;
mod verdict;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use rand::Rng;

use crate::context::{Answer, Refusal, RequestContext};
use crate::journal::{Command, Recorder, Turn};
use crate::random::Generator;
use crate::watch::Bell;

pub(crate) use place::{Faulty, Refused, Splice, Throttled};
pub use rule::{
    Close, Delay, DelayClock, DiskTrouble, Effect, Fault, FaultError, FaultRule, LONGEST_FAULT_DELAY, RuleId,
    When,
};
pub(crate) use verdict::{Subject, Verdict};

use scope::Scope;
use verdict::{Filter, Wait};

/// Rules that a broker holds. Each is looked at for every request while there is any.
pub const MAX_FAULT_RULES: usize = 1_000;

/// The faults of a broker; see [`Broker::faults`](crate::Broker::faults).
///
/// Rules are looked at in the order in which they were added, and each counts every request that it matches, whatever the
/// others do. Where several strike the same request their effects come together; of two errors for the same thing the
/// earlier rule's is told.
pub struct Faults {
    armed: AtomicBool,
    rules: Mutex<Rules>,
    seed: u64,
    storage: Arc<klamm_storage::Faults>,
    bell: Arc<Bell>,
    /// Where it is journaled what faults are asked for.
    recorder: Option<Arc<Recorder>>,
}

#[derive(Default)]
struct Rules {
    last_id: u64,
    list: Vec<Counted>,
}

/// A rule with its counts and its chance.
struct Counted {
    rule: FaultRule,
    random: Generator,
}

impl Faults {
    pub(crate) fn new(
        seed: u64,
        storage: Arc<klamm_storage::Faults>,
        bell: Arc<Bell>,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        Faults { armed: AtomicBool::new(false), rules: Mutex::default(), seed, storage, bell, recorder }
    }

    /// Has a fault happen from the next request on.
    ///
    /// # Errors
    /// If the rule contradicts itself or can never strike, with a sentence that says why; if there are
    /// [`MAX_FAULT_RULES`] already.
    pub fn add(&self, fault: Fault) -> Result<RuleId, FaultError> {
        fault.check()?;
        let mut turn = self.turn();
        let mut rules = self.rules.lock();
        if rules.list.len() >= MAX_FAULT_RULES {
            return Err(FaultError(format!("there are {MAX_FAULT_RULES} rules already: remove some")));
        }
        if let Some(turn) = &mut turn {
            turn.command(Command::AddFault(Box::new(fault.clone())));
        }
        rules.last_id += 1;
        let id = rules.last_id;
        let random = Generator::of_seed(self.seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rules.list.push(Counted { rule: FaultRule { id: RuleId(id), fault, matched: 0, hits: 0 }, random });
        self.armed.store(true, Ordering::Release);
        Ok(RuleId(id))
    }

    /// All rules, in the order in which they were added, with their counts.
    pub fn list(&self) -> Vec<FaultRule> {
        self.rules.lock().list.iter().map(|counted| counted.rule.clone()).collect()
    }

    /// How many requests a rule has struck; none if there is no such rule.
    pub fn hits(&self, id: RuleId) -> Option<u64> {
        let rules = self.rules.lock();
        rules.list.iter().find(|counted| counted.rule.id == id).map(|counted| counted.rule.hits)
    }

    /// Ends a rule, and gives it back with its counts. Requests that it holds go on as it has told them to.
    pub fn remove(&self, id: RuleId) -> Option<FaultRule> {
        let _turn = self.command(Command::RemoveFault(id.number()));
        let mut rules = self.rules.lock();
        let place = rules.list.iter().position(|counted| counted.rule.id == id)?;
        let removed = rules.list.remove(place).rule;
        self.armed.store(!rules.list.is_empty(), Ordering::Release);
        Some(removed)
    }

    /// Ends all rules, and what was said of the disk.
    pub fn clear(&self) {
        let _turn = self.command(Command::ClearFaults);
        self.rules.lock().list.clear();
        self.armed.store(false, Ordering::Release);
        self.storage.set_disk_full(false);
        self.storage.set_failing_syncs(false);
    }

    /// From now on no log gets more room, those of the broker itself included; or they do again. What fits into the room that
    /// a log has already is still written, as on a disk that fills up.
    pub fn set_disk_full(&self, full: bool) {
        let _turn = self.command(Command::DiskFull(full));
        self.storage.set_disk_full(full);
    }

    /// From now on every sync of the data folder fails; or none does. A log that a failed sync has met takes nothing more
    /// until the broker is started again. In memory there is nothing to sync.
    pub fn set_failing_syncs(&self, failing: bool) {
        let _turn = self.command(Command::FailingSyncs(failing));
        self.storage.set_failing_syncs(failing);
    }

    fn turn(&self) -> Option<Turn<'_>> {
        self.recorder.as_ref().map(|recorder| recorder.turn())
    }

    /// Journals a command, which is to be carried out before what this gives is dropped.
    fn command(&self, command: Command) -> Option<Turn<'_>> {
        let mut turn = self.turn()?;
        turn.command(command);
        Some(turn)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether there is any rule.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    /// Counts a request, and puts together what the rules that strike it do to it.
    fn decide(&self, cx: &RequestContext, key: ApiKey, subjects: &[Subject]) -> Option<Verdict> {
        let mut verdict = None;
        {
            let mut rules = self.rules.lock();
            for counted in &mut rules.list {
                if counted.matches(cx, key, subjects) && counted.strikes() {
                    counted.enter(verdict.get_or_insert_with(Verdict::default));
                }
            }
        }
        if verdict.is_some() {
            self.bell.ring();
        }
        verdict
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

impl Counted {
    fn matches(&self, cx: &RequestContext, key: ApiKey, subjects: &[Subject]) -> bool {
        let fault = &self.rule.fault;
        fault.api.is_none_or(|wanted| wanted == key)
            && (fault.effect.disk.is_none() || Scope::of(key).writes)
            && fault.min_version.is_none_or(|least| cx.version() >= least)
            && fault.max_version.is_none_or(|most| cx.version() <= most)
            && fault.client_id.as_deref().is_none_or(|wanted| cx.client_id() == wanted)
            && self.filter().takes_one_of(subjects)
    }

    fn filter(&self) -> Filter {
        let Fault { topic, partition, group, .. } = &self.rule.fault;
        Filter { topic: topic.clone(), partition: *partition, group: group.clone() }
    }

    /// Counts a request that matches, and says whether it is struck.
    fn strikes(&mut self) -> bool {
        let FaultRule { fault, matched, hits, .. } = &mut self.rule;
        *matched += 1;
        let when = &fault.when;
        let chosen = when.nth.is_none_or(|nth| *matched == nth)
            && when.every.is_none_or(|every| matched.is_multiple_of(every))
            && when.first.is_none_or(|first| *matched <= first)
            && when.limit.is_none_or(|limit| *hits < limit);
        let struck = chosen && when.probability.is_none_or(|chance| self.random.random_bool(chance));
        *hits += u64::from(struck);
        struck
    }

    fn enter(&mut self, verdict: &mut Verdict) {
        let filter = self.filter();
        let effect = self.rule.fault.effect.clone();
        verdict.errors.extend(effect.error.map(|error| (filter.clone(), error.code())));
        verdict.disk.extend(effect.disk.map(|trouble| (filter, trouble)));
        let mut draw = |delay: Delay| Wait {
            time: Duration::from_millis(self.random.random_range(delay.min_ms..=delay.max_ms)),
            clock: delay.clock,
        };
        verdict.waits.extend(effect.delay.map(&mut draw));
        verdict.waits_before_answer.extend(effect.delay_answer.map(&mut draw));
        verdict.close = verdict.close.or(effect.close);
        verdict.truncate = verdict.truncate.or(effect.truncate);
        let throttle = effect.throttle_ms.map(Duration::from_millis);
        verdict.throttle = verdict.throttle.max(throttle);
    }
}

/// What strikes a request is looked up, counted and noted in its context; delays before the work are waited for; what is
/// refused is taken out. Only called where there are rules.
pub(crate) async fn begin<R: Faulty>(
    cx: &RequestContext,
    key: ApiKey,
    request: &mut R,
) -> Answer<Refused<R::Reply>> {
    let faults = &cx.broker.hand.faults;
    let Some(verdict) = faults.decide(cx, key, &request.subjects(cx)) else { return Ok(Refused::Nothing) };
    let verdict = cx.note_verdict(verdict);
    let Some(verdict) = verdict else { return Ok(Refused::Nothing) };
    wait(cx, &verdict.waits).await;
    if verdict.close == Some(Close::BeforeWork) {
        return Err(Refusal::Fault);
    }
    Ok(if verdict.refuses() { request.refuse(cx, verdict) } else { Refused::Nothing })
}

/// Puts what was refused into the answer, waits, and says that the client was throttled.
pub(crate) async fn end<R: Throttled>(
    cx: &RequestContext,
    splice: Option<Splice<R>>,
    answer: Answer<R>,
) -> Answer<R> {
    let Some(verdict) = cx.verdict() else { return answer };
    wait(cx, &verdict.waits_before_answer).await;
    let mut reply = match answer {
        Err(Refusal::NoAnswer) if splice.is_some() => {
            return Err(Refusal::Close("a fault refused a part of what needs no answer".to_owned()));
        }
        answer => answer?,
    };
    if let Some(splice) = splice {
        splice(&mut reply);
    }
    if let Some(throttle) = verdict.throttle {
        reply.set_throttle(i32::try_from(throttle.as_millis()).unwrap_or(i32::MAX));
    }
    Ok(reply)
}

async fn wait(cx: &RequestContext, waits: &[Wait]) {
    for one in waits {
        match one.clock {
            DelayClock::Real => cx.patience.pass(one.time).await,
            DelayClock::Broker => cx.broker.timers.wait(one.time).await,
        }
    }
}
