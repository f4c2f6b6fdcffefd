//! Answers the shelf's questions about positions: one attempt each; what fails is asked again after a pause.

use std::collections::BTreeMap;
use std::time::Instant;

use kafka_protocol::error::ResponseError;

use crate::backend::OffsetSpec;
use crate::error::{ClientError, ErrorKind};
use crate::native::consumer::context::Context;
use crate::native::consumer::offsets::{self, Answers, Epochs};
use crate::native::consumer::shelf::{Lookup, Question};
use crate::native::retry::{Remedy, remedy};
use crate::record::TopicPartition;

/// Asks, and tells the shelf.
pub(super) async fn answer(context: Context, questions: Vec<Lookup>) {
    let _told = context.tell_if_it_panics();
    let mut of_group = Vec::new();
    let mut of_leaders: BTreeMap<(i32, Kind), Vec<Lookup>> = BTreeMap::new();
    for lookup in questions {
        match (lookup.question, lookup.leader) {
            (Question::Committed, _) => of_group.push(lookup),
            (question, Some(leader)) => {
                of_leaders.entry((leader.node, Kind::of(question))).or_default().push(lookup)
            }
            (_, None) => ask_later(&context, std::slice::from_ref(&lookup)),
        }
    }
    if !of_group.is_empty() {
        ask_group(&context, &of_group).await;
    }
    for ((node, _), lookups) in of_leaders {
        ask_leader(&context, node, &lookups).await;
    }
}

/// What can be asked in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Time(i64),
    Epoch,
}

impl Kind {
    fn of(question: Question) -> Self {
        match question {
            Question::Offset(OffsetSpec::Earliest) => Kind::Time(-2),
            Question::Offset(OffsetSpec::Latest) => Kind::Time(-1),
            Question::Offset(OffsetSpec::AtTime(time)) => Kind::Time(time.max(0)),
            Question::EndOfEpoch(_) | Question::Committed => Kind::Epoch,
        }
    }
}

async fn ask_group(context: &Context, lookups: &[Lookup]) {
    let partitions: Vec<TopicPartition> = lookups.iter().map(|lookup| lookup.partition.clone()).collect();
    match offsets::committed_once(context, &partitions).await {
        Ok(answers) => {
            take_in(context, lookups, answers, |lookup, found| {
                context.shelf.found_committed(lookup.key, found)
            });
        }
        Err(error) => failed(context, lookups, &error),
    }
}

async fn ask_leader(context: &Context, node: i32, lookups: &[Lookup]) {
    let epoch = |lookup: &Lookup| lookup.leader.map_or(-1, |leader| leader.epoch);
    match lookups.first().map(|lookup| lookup.question) {
        Some(Question::Offset(spec)) => {
            let partitions: Vec<_> =
                lookups.iter().map(|lookup| (lookup.partition.clone(), epoch(lookup))).collect();
            match offsets::find_once(context, node, &partitions, spec).await {
                Ok(answers) => take_in(context, lookups, answers, |lookup, found| match found {
                    Some(offset) => context.shelf.found_offset(lookup.key, offset),
                    // No record is that late: what comes next is.
                    None => context.shelf.look_for_latest(lookup.key),
                }),
                Err(error) => failed(context, lookups, &error),
            }
        }
        Some(Question::EndOfEpoch(_)) => {
            let asked = |lookup: &Lookup| match lookup.question {
                Question::EndOfEpoch(asked) => asked,
                Question::Committed | Question::Offset(_) => -1,
            };
            let partitions: Vec<_> = lookups
                .iter()
                .map(|lookup| {
                    (lookup.partition.clone(), Epochs { current: epoch(lookup), asked: asked(lookup) })
                })
                .collect();
            match offsets::ends_of_epochs_once(context, node, &partitions).await {
                Ok(answers) => {
                    take_in(context, lookups, answers, |lookup, end| {
                        context.shelf.found_end_of_epoch(lookup.key, end);
                    });
                }
                // A broker that old cannot tell; reading goes on as it always has with it.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    for lookup in lookups {
                        context.shelf.found_end_of_epoch(lookup.key, Some(i64::MAX));
                    }
                }
                Err(error) => failed(context, lookups, &error),
            }
        }
        Some(Question::Committed) | None => {}
    }
}

fn take_in<T: Copy>(context: &Context, lookups: &[Lookup], answers: Answers<T>, found: impl Fn(&Lookup, T)) {
    let answers: std::collections::HashMap<_, _> = answers.into_iter().collect();
    let mut refresh = false;
    for lookup in lookups {
        match answers.get(&lookup.partition) {
            Some(Ok(answer)) => found(lookup, *answer),
            Some(Err(code)) => {
                refresh |= remedy(*code) == Remedy::RefreshMetadata;
                refused(context, lookup, *code);
            }
            None => ask_later(context, std::slice::from_ref(lookup)),
        }
    }
    if refresh {
        context.cluster.refresh();
    }
}

/// What time does not help against is told, once; and yet asked again, as rights may be given.
fn refused(context: &Context, lookup: &Lookup, code: ResponseError) {
    if remedy(code) == Remedy::None {
        let asked = format!("finding the position in {}", lookup.partition);
        context.shelf.tell_of(lookup.key, ClientError::from_code(code, asked, None));
    }
    ask_later(context, std::slice::from_ref(lookup));
}

fn failed(context: &Context, lookups: &[Lookup], error: &ClientError) {
    tracing::debug!(%error, "a position could not be found");
    if !offsets::passes(error) {
        for lookup in lookups {
            let asked = format!("finding the position in {}", lookup.partition);
            context.shelf.tell_of(lookup.key, error.clone().asked(asked));
        }
    }
    context.cluster.refresh();
    ask_later(context, lookups);
}

fn ask_later(context: &Context, lookups: &[Lookup]) {
    let then = Instant::now() + context.cluster.options().retry_backoff;
    for lookup in lookups {
        context.shelf.ask_again(lookup.key, then);
    }
}
