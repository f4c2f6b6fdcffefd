//! Fetching: keeps a lane to each broker that leads an assigned partition, and has the shelf's questions about positions
//! answered. Knows nothing of groups.

mod answer;
mod batches;
mod lane;
mod questions;
mod request;
mod session;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::context::Context;
use super::shelf::{Leader, Lookup};
use crate::native::cluster::Metadata;
use crate::record::TopicPartition;

/// How soon leaders that nobody knows are asked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What there is to do.
enum Work {
    Ask(Vec<Lookup>),
    NewLanes(Vec<i32>),
}

/// Fetches until it is dropped.
pub(super) async fn run(context: Context) {
    let _told = context.tell_if_it_panics();
    let mut tasks = JoinSet::new();
    let mut lanes: HashSet<i32> = HashSet::new();
    let mut known = context.cluster.watch();
    // Whether leaders are being looked for, and who says that they no longer are.
    let (mut looking, looking_for) = (false, Arc::new(Notify::new()));
    loop {
        let metadata = Arc::clone(&known.borrow_and_update().metadata);
        context.shelf.set_leaders(|partition| leader(&metadata, partition));
        loop {
            let again_at = match context.shelf.lacks_leaders() {
                true => Some(Instant::now() + LOOK_AGAIN),
                false => None,
            };
            tokio::select! {
                changed = known.changed() => match changed {
                    Ok(()) => break,
                    // The cluster has been closed.
                    Err(_) => return,
                },
                () = looking_for.notified() => looking = false,
                Some(_) = tasks.join_next() => {}
                work = wait_for_work(&context, &lanes, again_at) => match work {
                    Some(Work::Ask(questions)) => {
                        tasks.spawn(questions::answer(context.clone(), questions));
                    }
                    Some(Work::NewLanes(nodes)) => {
                        for node in nodes {
                            lanes.insert(node);
                            tasks.spawn(lane::run(context.clone(), node));
                        }
                    }
                    None => {
                        if again_at.is_some() && !std::mem::replace(&mut looking, true) {
                            let (context, looking_for) = (context.clone(), looking_for.clone());
                            tasks.spawn(async move {
                                look_for_leaders(&context).await;
                                looking_for.notify_one();
                            });
                        }
                        // Partitions may have come whose leaders are known already.
                        break;
                    }
                },
            }
        }
    }
}

/// Asks who leads. An error that does not pass is told: nothing can be read then.
async fn look_for_leaders(context: &Context) {
    let deadline = Instant::now() + context.cluster.options().request_timeout;
    if let Err(error) = context.cluster.refreshed(deadline).await {
        tracing::debug!(%error, "leaders cannot be found");
        context.shelf.tell_trouble(error);
    } else {
        context.shelf.trouble_is_over();
    }
}

fn leader(metadata: &Metadata, partition: &TopicPartition) -> Option<Leader> {
    let topic = metadata.topic(&partition.topic)?;
    let leader = topic.partition(partition.partition)?.leader?;
    Some(Leader { node: leader.node, epoch: leader.epoch, topic_id: topic.id })
}

/// Waits for something to do. None when it is time to look again, or when leaders are to be looked up.
async fn wait_for_work(context: &Context, lanes: &HashSet<i32>, again_at: Option<Instant>) -> Option<Work> {
    let shelf = &context.shelf;
    loop {
        let mut later = again_at;
        let look = || {
            if shelf.has_newcomers() {
                return Some(None);
            }
            let now = Instant::now();
            let nodes: Vec<i32> = shelf.nodes(now).into_iter().filter(|node| !lanes.contains(node)).collect();
            if !nodes.is_empty() {
                return Some(Some(Work::NewLanes(nodes)));
            }
            let questions = shelf.questions(now);
            (!questions.is_empty()).then_some(Some(Work::Ask(questions)))
        };
        if let Some(then) = shelf.next_question(Instant::now()) {
            later = Some(later.map_or(then, |earliest| earliest.min(then)));
        }
        match shelf.work.wait_async(later, look).await {
            Some(work) => return work,
            None if again_at.is_some_and(|then| Instant::now() >= then) => return None,
            None => {}
        }
    }
}
