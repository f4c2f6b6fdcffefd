//! What a broker saw, as text for the one whose test has failed: short enough to be read, and enough to begin with.
//!
//! Looks at the broker as anybody could, and changes nothing.

mod text;
mod time;
mod topics;

use std::fmt::Write as _;

use crate::FaultRule;
use crate::look::{Group, SeenRequest};

use super::broker::Held;

/// What is shown of each kind; of what is beyond, how much it is.
const MOST_REQUESTS: usize = 30;
const MOST_LOOKED_AT: usize = 500;
const MOST_GROUPS: usize = 10;
const MOST_MEMBERS: usize = 10;
const MOST_OFFSETS: usize = 20;
const MOST_RULES: usize = 20;

const WIDTH: usize = 100;

/// The report on a broker.
pub(super) fn of(held: &Held) -> String {
    let mut out = String::new();
    line(&mut out, &text::rule("klamm: what the broker saw", WIDTH));
    begun(&mut out, held);
    nodes(&mut out, held);
    topics::tell(&mut out, &held.broker);
    groups(&mut out, held);
    faults(&mut out, &held.broker.faults().list());
    requests(&mut out, held);
    journal(&mut out, held);
    line(&mut out, &text::rule("", WIDTH));
    out
}

/// Text is written into memory: nothing can fail.
fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn begun(out: &mut String, held: &Held) {
    let facts = &held.facts;
    let (place, age) = (facts.place, facts.began.elapsed());
    let at = held.broker.bootstrap_servers();
    line(out, &format!("broker   {at}, started at {}:{}, {:.1?} ago", place.file(), place.line(), age));
    let clock = held.broker.clock();
    let now_ms = clock.now_ms();
    let now = time::iso(now_ms);
    match clock.is_manual() {
        true => {
            let moved = now_ms.saturating_sub(facts.started_ms);
            let moved = if moved == 0 {
                "has not been moved".to_owned()
            } else {
                format!("moved by {}", time::span(moved))
            };
            line(out, &format!("clock    manual, stands at {now} ({now_ms}), {moved}"));
        }
        false => line(out, &format!("clock    the system's: {now} ({now_ms})")),
    }
    match facts.seed {
        Some(seed) if facts.seed_is_given => line(out, &format!("seed     {seed}, given by the test")),
        Some(seed) => {
            line(out, &format!("seed     {seed}; KLAMM_SEED={seed} has the same choices drawn again"))
        }
        None => line(out, "seed     goes on from the snapshot's"),
    }
}

/// The nodes, where the broker stands for several.
fn nodes(out: &mut String, held: &Held) {
    let cluster = held.broker.cluster();
    let nodes = cluster.nodes();
    if nodes.len() < 2 {
        return;
    }
    let controller = cluster.controller().map_or("none".to_owned(), |node| node.to_string());
    line(out, &format!("nodes    {}, the controller is {controller}", nodes.len()));
    for node in nodes {
        let delay = if node.delay_ms > 0 { format!(", slow by {} ms", node.delay_ms) } else { String::new() };
        line(out, &format!("  {}  {}, {:?}{delay}", node.id, node.bootstrap_server(), node.state));
    }
}

fn groups(out: &mut String, held: &Held) {
    let groups = held.broker.groups();
    if groups.is_empty() {
        line(out, "groups   none");
        return;
    }
    line(out, &format!("groups   {}", groups.len()));
    for group in groups.iter().take(MOST_GROUPS) {
        tell_group(out, held, group);
    }
    text::and_more(out, groups.len(), MOST_GROUPS, "groups");
}

fn tell_group(out: &mut String, held: &Held, group: &Group) {
    let lag: u64 = held.broker.lag(&group.id).iter().map(|lag| lag.lag).fold(0, u64::saturating_add);
    let members = text::count(group.members.len(), "member");
    let protocol = if group.protocol.is_empty() { String::new() } else { format!(", {}", group.protocol) };
    let id = text::quoted(&group.id);
    line(
        out,
        &format!(
            "  {id}  {}, generation {}{protocol}, {members}, {lag} behind",
            group.state, group.generation
        ),
    );
    for member in group.members.iter().take(MOST_MEMBERS) {
        let assigned: Vec<_> =
            member.assignment.iter().map(|of| format!("{} {:?}", of.topic, of.partitions)).collect();
        let assigned = if assigned.is_empty() { "nothing".to_owned() } else { assigned.join(", ") };
        let client = text::quoted(&member.client_id);
        line(out, &format!("    member {} of client {client}: has {assigned}", text::short(&member.id)));
    }
    text::and_more(out, group.members.len(), MOST_MEMBERS, "members");
    let offsets: Vec<_> = group.offsets.iter().take(MOST_OFFSETS).collect();
    let offsets: Vec<_> =
        offsets.iter().map(|at| format!("{}-{}: {}", at.topic, at.partition, at.offset)).collect();
    if !offsets.is_empty() {
        line(out, &format!("    committed {}", offsets.join(", ")));
    }
    text::and_more(out, group.offsets.len(), MOST_OFFSETS, "offsets");
}

fn faults(out: &mut String, rules: &[FaultRule]) {
    if rules.is_empty() {
        return;
    }
    line(out, &format!("faults   {}", rules.len()));
    for rule in rules.iter().take(MOST_RULES) {
        let (hits, matched) =
            (rule.hits, text::count(usize::try_from(rule.matched).unwrap_or(usize::MAX), "request"));
        let fault = serde_json::to_string(&rule.fault).unwrap_or_else(|error| error.to_string());
        line(out, &format!("  rule {}  struck {hits} of {matched} that it is for: {fault}", rule.id));
    }
    text::and_more(out, rules.len(), MOST_RULES, "rules");
}

fn requests(out: &mut String, held: &Held) {
    let all: u64 = held.broker.request_counts().iter().map(|count| count.requests).sum();
    let connections = text::count(held.broker.connections().len(), "connection");
    let recent = held.broker.recent_requests(MOST_LOOKED_AT);
    if recent.is_empty() {
        line(out, &format!("requests none came; {connections} open"));
        return;
    }
    line(out, &format!("requests {all} came; {connections} open; the last of them:"));
    // A consumer that polls asks the same over and over: once is enough.
    let runs: Vec<&[SeenRequest]> = recent.chunk_by(is_alike).collect();
    let shown = runs.get(runs.len().saturating_sub(MOST_REQUESTS)..).unwrap_or_default();
    let first = |run: &&[SeenRequest]| run.first().cloned();
    let apis: Vec<_> =
        shown.iter().filter_map(first).map(|of| format!("{} v{}", of.api, of.version)).collect();
    let api_width = apis.iter().map(String::len).max().unwrap_or(0);
    let clients: Vec<_> = shown.iter().filter_map(first).map(|of| text::short(&of.client_id)).collect();
    let client_width = clients.iter().map(|client| client.chars().count()).max().unwrap_or(0);
    for ((run, api), client) in shown.iter().zip(&apis).zip(&clients) {
        tell_requests(out, run, &format!("{client:client_width$}  {api:api_width$}"));
    }
}

/// Whether two requests are told of in one line.
fn is_alike(one: &SeenRequest, next: &SeenRequest) -> bool {
    let said = |of: &SeenRequest| {
        (of.connection, of.api.clone(), of.version, of.client_id.clone(), of.outcome.clone())
    };
    said(one) == said(next)
}

fn tell_requests(out: &mut String, run: &[SeenRequest], what: &str) {
    let Some(SeenRequest { number, connection, outcome, .. }) = run.first() else { return };
    let times = if run.len() > 1 { format!(", {} times", run.len()) } else { String::new() };
    let outcome = text::short(&outcome.to_string());
    line(out, &format!("  {number:>5}  connection {connection:<3} {what}  {outcome}{times}"));
}

fn journal(out: &mut String, held: &Held) {
    let Some(journal) = &held.journal else {
        line(out, "journal  none; KLAMM_JOURNAL_DIR=FOLDER has the next run leave one");
        return;
    };
    line(out, &format!("journal  {}", journal.path().display()));
    let _ = writeln!(out, "         klamm replay {}", journal.path().display());
}
