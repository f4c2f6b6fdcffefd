//! Conformance: the same requests, good and bad, at every version, sent to a real Apache Kafka and to Klamm; the
//! answers are compared field by field.
//!
//! * `cargo test conformance` plays each scenario against a Klamm of its own, in memory and again on a data folder, and
//!   compares with what Kafka answered, as recorded in `recorded/`.
//! * `tests/peers/record-conformance` records anew from a real Kafka (`KLAMM_CONFORMANCE_RECORD=HOST:PORT`).
//! * `KLAMM_CONFORMANCE_TARGET=HOST:PORT` compares any running broker with the recordings: Kafka with itself, say.
//! * `KLAMM_CONFORMANCE_VERBOSE=1` prints each step.

mod batch;
mod deliberate;
mod group;
mod normalise;
mod recording;
mod request;
mod samples;
mod scenarios;
mod scope;
mod session;
mod target;
mod tree;
mod wire;

use recording::{Difference, Step};
use session::Session;
use std::fmt::Write;
use std::sync::Mutex;
use target::Target;

/// Scenarios at a shared broker run one at a time.
static SHARED: Mutex<()> = Mutex::new(());

/// How many differences a failure shows.
const SHOWN: usize = 60;

/// Plays a scenario and records it or compares it, as the environment says.
fn run(scenario: &str, play: fn(&mut Session<'_>)) {
    let record = std::env::var("KLAMM_CONFORMANCE_RECORD").ok();
    let shared = record.clone().or_else(|| std::env::var("KLAMM_CONFORMANCE_TARGET").ok());
    let _turn = shared.as_ref().map(|_| SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
    let Some(address) = shared else {
        compare(scenario, &Target::in_memory(), play);
        compare(scenario, &Target::in_a_folder(), play);
        return;
    };
    let target = Target::at(&address);
    if record.is_some() {
        let text = recording::render(&steps(&target, play));
        std::fs::write(recording::path(scenario), text).expect("a recording can be written");
    } else {
        compare(scenario, &target, play);
    }
}

fn steps(target: &Target, play: fn(&mut Session<'_>)) -> Vec<Step> {
    target.prepare();
    let mut session = Session::new(target);
    play(&mut session);
    session.into_steps()
}

/// Fails with the differences that are not meant, and with the meant ones that do not occur.
fn compare(scenario: &str, target: &Target, play: fn(&mut Session<'_>)) {
    let ours = steps(target, play);
    let text = std::fs::read_to_string(recording::path(scenario)).expect("the scenario has been recorded");
    let kafka = recording::parse(&text);
    let mut differences = recording::compare(&kafka, &ours);
    let mut report = String::new();
    for meant in deliberate::DELIBERATE.iter().filter(|d| d.applies(scenario, target)) {
        let before = differences.len();
        differences.retain(|d| !meant.covers(d));
        if before == differences.len() {
            writeln!(report, "no longer different: {} / {}: {}", meant.step, meant.field, meant.reason)
                .expect("memory takes it");
        }
    }
    describe(&differences, &mut report);
    let place = if target.in_memory { " in memory" } else { "" };
    let (differing, all) = (steps_in(&differences), kafka.len());
    assert!(report.is_empty(), "{scenario}{place}: {differing} of {all} steps differ\n{report}");
    println!("{scenario}{place}: {all} steps agree");
}

fn steps_in(differences: &[Difference]) -> usize {
    let mut steps: Vec<_> = differences.iter().map(|d| &d.step).collect();
    steps.dedup();
    steps.len()
}

fn describe(differences: &[Difference], report: &mut String) {
    let none = "(absent)".to_string();
    let mut step = "";
    for d in differences.iter().take(SHOWN) {
        if d.step != step {
            let request: String = d.request.chars().take(600).collect();
            writeln!(report, "{}\n    request {request}", d.step).expect("memory takes it");
            step = &d.step;
        }
        let (kafka, ours) = (d.kafka.as_ref().unwrap_or(&none), d.ours.as_ref().unwrap_or(&none));
        writeln!(report, "    {}: Kafka {kafka}, here {ours}", d.field).expect("memory takes it");
    }
    if differences.len() > SHOWN {
        writeln!(report, "... and {} more", differences.len() - SHOWN).expect("memory takes it");
    }
}

/// A test for each scenario, named after the file and function.
macro_rules! scenarios {
    ($($file:ident: $($name:ident),+ $(,)?;)+) => {
        $(mod $file {
            $(#[test]
            fn $name() {
                super::run(
                    concat!(stringify!($file), "_", stringify!($name)),
                    super::scenarios::$file::$name,
                );
            })+
        })+

        /// The names of all scenarios, as their recordings are called.
        const SCENARIOS: &[&str] =
            &[$($(concat!(stringify!($file), "_", stringify!($name))),+),+];
    };
}

#[test]
fn recordings_have_scenarios() {
    let folder = recording::path("any");
    let folder = folder.parent().expect("it is in a folder");
    let files = std::fs::read_dir(folder).expect("there are recordings");
    let mut names: Vec<_> =
        files.map(|file| file.expect("a file").path().file_stem().map(|n| n.to_owned())).collect();
    names.retain(|name| !name.as_ref().is_some_and(|n| SCENARIOS.iter().any(|s| n == s)));
    assert!(names.is_empty(), "recordings without a scenario: {names:?}");
}

scenarios! {
    cluster: log_dirs, elections, reassignments;
    commits: without_members, of_members, fetched, deleted, of_deleted_topics;
    config_changes: of_topics, of_brokers, of_groups_and_metrics, of_several_at_once, replaced, described, listed;
    config_values: of_topics, of_brokers, of_groups;
    configs: of_topics, of_brokers, values_of_topics, changes, replacements, changes_of_brokers, changes_of_groups,
        resources;
    fetch: reads, limits, refused, as_replica, waits, after_deletion_of_records, across_segments,
        changes_meanwhile, in_order;
    fetch_sessions: life, wrong, errors_within, waiting_in_a_session;
    frames: cut, garbage, trailing, unknown_tags, headers, lengths, values;
    group_admin: described, listed, deleted;
    group_moves: before_the_sync, pending_members, session_ends, generations_go_on;
    groups: coordinators, one_member, two_members, protocols, refused, wrong_members, three_members, too_late,
        leader_without_sync;
    metadata: topics, all, by_id, creation, cluster, topic_partitions;
    offsets: by_time, refused, of_epochs, deletion;
    produce: accepted, odd_but_accepted, refused, targets, without_answers, null_records, topic_rules,
        compression_of_topics;
    producers: ids, sequences, wrapping, described, deleted_topics;
    rules_change: of_topics, of_brokers, inside_batches, append_time;
    static_members: comes_back, among_others;
    topics: creation, without_time, refused, bad_configs, deletion, deletion_by_id, more_partitions;
    versions: advertised, unsupported;
}
