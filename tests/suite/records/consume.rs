//! `klamm consume`.

use std::io::{BufRead, BufReader};
use std::time::Duration;

use klamm::{Bootstrap, ClientOptions, DeleteUpTo, TopicPartition};

use super::{at, at_each_broker, command, done, klamm, numbers, said, signal, with_broker};
use crate::client::place::{Place, unique};
use crate::harness::wait_for;

at_each_broker! {
    reading_begins_and_ends_where_it_is_told_to
    an_offset_out_of_range_is_told_with_those_that_there_are
    forms_are_as_the_help_says
    several_topics_and_patterns_are_read
    a_group_goes_on_where_it_has_committed
    partitions_are_read_by_hand_and_committed
    a_closed_pipe_ends_quietly
    an_unknown_topic_is_told_with_the_nearest
    transactions_are_seen_as_they_are_asked_for
}

fn filled(place: &Place) -> String {
    let topic = place.topic(2);
    let lines: String = (0..10)
        .map(|n| {
            format!(
                "{{\"key\":\"k{n}\",\"value\":\"v{n}\",\"partition\":{},\"timestamp\":{}}}\n",
                n % 2,
                1000 * (n + 1)
            )
        })
        .collect();
    done(place, &["produce", &topic, "-J"], &lines);
    topic
}

fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

fn reading_begins_and_ends_where_it_is_told_to(place: &Place) {
    let topic = filled(place);
    for (more, expected) in [
        (&["-e"][..], "v0 v1 v2 v3 v4 v5 v6 v7 v8 v9"),
        (&["-e", "-o", "beginning", "-c", "2", "-p", "0"], "v0 v2"),
        (&["-e", "-o", "end"], ""),
        (&["-e", "-o", "3"], "v6 v7 v8 v9"),
        (&["-e", "-o", "-1"], "v8 v9"),
        (&["-n", "2"], "v6 v7 v8 v9"),
        (&["-n", "100", "-p", "1"], "v1 v3 v5 v7 v9"),
        (&["-e", "--since", "8000"], "v7 v8 v9"),
        (&["-e", "--since", "1970-01-01T00:00:07.500Z"], "v7 v8 v9"),
        (&["-e", "--since", "3000", "--until", "6000"], "v2 v3 v4"),
        (&["--until", "3000"], "v0 v1"),
        (&["-e", "--since", "-1h"], ""),
        (&["-c", "0"], ""),
    ] {
        let args: Vec<&str> = ["consume", &topic].into_iter().chain(more.iter().copied()).collect();
        assert_eq!(words(&done(place, &args, "")).join(" "), expected, "{more:?}");
    }
}

fn an_offset_out_of_range_is_told_with_those_that_there_are(place: &Place) {
    let topic = filled(place);
    let found = at(place, &["consume", &topic, "-o", "6", "-p", "1"], "");
    assert_eq!(found.code, Some(1));
    let wanted = format!(
        "klamm: offset 6 is out of range: partition 1 of '{topic}' has offsets 0 to 4, and the next record gets 5; \
         give an offset from 0 to 5, beginning, or end\n"
    );
    assert_eq!(found.err, wanted);
    // Records that have been deleted.
    let bootstrap = Bootstrap::Servers(vec![place.address.clone()]);
    let admin = klamm::Admin::new(ClientOptions { bootstrap, ..ClientOptions::default() }).unwrap();
    let first = TopicPartition::new(topic.as_str(), 1);
    admin.delete_records([(first, DeleteUpTo::Offset(3))]).wait().unwrap().all().unwrap();
    let found = at(place, &["consume", &topic, "-o", "2", "-p", "1"], "");
    assert!(found.err.contains("has offsets 3 to 4"), "{found:?}");
    assert_eq!(words(&done(place, &["consume", &topic, "-e", "-p", "1"], "")), ["v7", "v9"]);
}

fn forms_are_as_the_help_says(place: &Place) {
    let topic = filled(place);
    for (more, expected) in [
        (&["-K", ": "][..], "k8: v8\n"),
        (&["-f", "hex", "-K", " "], "6b38 7638\n"),
        (&["-D", ";"], "v8;"),
        (&["-D", "\\0"], "v8\0"),
        (&["-f", "%t [%p] at %o: %k/%K %s/%S %T%%\\n"], "TOPIC [0] at 4: k8/2 v8/2 9000%\n"),
        (
            &["-J"],
            "{\"topic\":\"TOPIC\",\"partition\":0,\"offset\":4,\"timestamp\":9000,\"key\":\"k8\",\"value\":\"v8\",\"headers\":[]}\n",
        ),
    ] {
        let args: Vec<&str> =
            ["consume", &topic, "-p", "0", "-n", "1"].into_iter().chain(more.iter().copied()).collect();
        assert_eq!(done(place, &args, ""), expected.replace("TOPIC", &topic), "{more:?}");
    }
}

fn several_topics_and_patterns_are_read(place: &Place) {
    let stem = unique("several");
    let (one, two) = (format!("{stem}-one"), format!("{stem}-two"));
    for topic in [&one, &two] {
        crate::client::place::create_topic(&place.address, topic, 1);
        done(place, &["produce", topic], &format!("{topic}\n"));
    }
    let both = format!("{one}\n{two}\n");
    let sorted = |text: String| words(&text).iter().map(|word| format!("{word}\n")).collect::<String>();
    assert_eq!(sorted(done(place, &["consume", &one, &two, "-e"], "")), both);
    assert_eq!(sorted(done(place, &["consume", "--regex", &format!("{stem}-.*"), "-e"], "")), both);
    let group = unique("group");
    let args = ["consume", "--regex", &format!("{stem}-.*"), "-c", "2", "--group", &group];
    assert_eq!(sorted(done(place, &args, "")), both);
    let found = at(place, &["consume", "--regex", "no-such-.*", "-e"], "");
    assert!(found.code == Some(1) && found.err.contains("no topic matches"), "{found:?}");
}

fn a_group_goes_on_where_it_has_committed(place: &Place) {
    let topic = place.topic(1);
    done(place, &["produce", &topic], &numbers(0..10));
    let group = unique("group");
    assert_eq!(done(place, &["consume", &topic, "--group", &group, "-c", "4"], ""), numbers(0..4));
    assert_eq!(done(place, &["consume", &topic, "--group", &group, "-e"], ""), numbers(4..10));
    done(place, &["produce", &topic], &numbers(10..12));
    assert_eq!(done(place, &["consume", &topic, "--group", &group, "-e"], ""), numbers(10..12));
}

fn partitions_are_read_by_hand_and_committed(place: &Place) {
    let topic = filled(place);
    let group = unique("group");
    let args = |more: &'static [&'static str]| -> Vec<String> {
        let fixed = ["consume", &topic, "--group", &group, "-p", "1"];
        fixed.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
    };
    let run = |more| {
        let args = args(more);
        done(place, &args.iter().map(String::as_str).collect::<Vec<_>>(), "")
    };
    assert_eq!(run(&["-c", "2"]), "v1\nv3\n");
    assert_eq!(run(&["-e"]), "v5\nv7\nv9\n");
    assert_eq!(run(&["-e"]), "");
    assert_eq!(run(&["-e", "-o", "4"]), "v9\n");
}

fn a_closed_pipe_ends_quietly(place: &Place) {
    let topic = place.topic(1);
    done(place, &["produce", &topic], &numbers(0..5));
    let mut child = command(&with_broker(place, &["consume", &topic])).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "0");
    drop(lines);
    // It notices although there is nothing more to be written.
    let found = said(child);
    assert_eq!((found.code, found.err.as_str()), (Some(0), ""), "{found:?}");
}

fn an_unknown_topic_is_told_with_the_nearest(place: &Place) {
    let topic = filled(place);
    let mistyped = format!("{topic}x");
    let found = at(place, &["consume", &mistyped, "-e"], "");
    assert_eq!(found.code, Some(1));
    assert!(
        found.err.contains(&format!("no topic '{mistyped}'")) && found.err.contains("did you mean"),
        "{found:?}"
    );
    let found = at(place, &["consume", &mistyped, "--group", "g"], "");
    assert!(found.code == Some(1) && found.err.contains(&mistyped), "{found:?}");
    let found = at(place, &["consume", &topic, "-p", "5"], "");
    assert!(found.err.contains("no partition 5") && found.err.contains("0 to 1"), "{found:?}");
}

fn transactions_are_seen_as_they_are_asked_for(place: &Place) {
    let topic = place.topic(1);
    done(place, &["produce", &topic], "a\n");
    for level in ["read_committed", "read_uncommitted"] {
        assert_eq!(done(place, &["consume", &topic, "-e", "--isolation-level", level], ""), "a\n");
    }
}

#[test]
fn new_records_are_followed_and_an_interrupt_says_what_was_done() {
    let place = Place::served("native");
    let topic = place.topic(1);
    done(&place, &["produce", &topic], &numbers(0..3));
    let mut child =
        command(&with_broker(&place, &["consume", &topic, "-n", "1", "--follow"])).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "2");
    done(&place, &["produce", &topic], &numbers(3..4));
    assert_eq!(lines.next().unwrap().unwrap(), "3");
    signal("INT", &child);
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_broker_that_goes_away_is_told_and_not_waited_for_for_ever() {
    let place = Place::served("native");
    let topic = place.topic(1);
    done(&place, &["produce", &topic], "a\n");
    let args = with_broker(&place, &["consume", &topic, "--timeout", "1s", "-X", "retry.backoff.max.ms=50"]);
    let mut child = command(&args).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "a");
    let address = place.address.clone();
    drop(place);
    let code = wait_for("the command to give up", || child.try_wait().unwrap());
    let found = said(child);
    assert_eq!(code.code(), Some(1), "{found:?}");
    assert!(found.err.contains(&address) && found.err.contains("trying on"), "{found:?}");
}

#[test]
fn many_records_come_in_order_and_in_bounded_memory() {
    let place = Place::served("native");
    let topic = place.topic(1);
    let lines: String = (0..200_000).map(|number| format!("{number:0>99}\n")).collect();
    done(&place, &["produce", &topic], &lines);
    let read = done(&place, &["consume", &topic, "-e"], "");
    assert!(read == lines, "{} of {} bytes", read.len(), lines.len());
    // A reader that takes its time holds the command up, not the memory.
    let args = with_broker(&place, &["consume", &topic, "-e", "-X", "queued.max.messages.kbytes=1024"]);
    let child = command(&args).spawn().unwrap();
    let peak = wait_for("the pipe to be full", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let sleeping = status.lines().any(|line| line.starts_with("State:") && line.contains('S'));
        let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        let peak: u64 = of("VmHWM:")?.trim().trim_end_matches(" kB").parse().ok()?;
        (sleeping && peak > 5_000).then_some(peak)
    });
    assert!(peak < 120_000, "{peak} kB");
    assert_eq!(said(child).out.len(), lines.len());
}

#[test]
fn wrong_usage_is_told_before_anything_is_done() {
    for (args, wanted) in [
        (&["consume"][..], "TOPIC"),
        (&["consume", "t", "-o", "somewhere"], "--since"),
        (&["consume", "t", "-p", "a"], "partitions"),
        (&["consume", "t", "-f", "%q"], "'%q' is no token"),
        (&["consume", "t", "-f", "xml"], "no form"),
        (&["consume", "t", "-o", "1", "-n", "2"], "--tail"),
        (&["consume", "t", "--follow", "-e"], "--exit-eof"),
        (&["consume", "t", "--since", "-5x"], "no moment"),
        (&["consume", "t", "--isolation-level", "none"], "read_committed"),
        (&["consume", "t", "-X", "nonsense"], "NAME=VALUE"),
    ] {
        let found = klamm(args, "");
        assert_eq!(found.code, Some(2), "{args:?}: {found:?}");
        assert!(found.err.contains(wanted), "{args:?}: {found:?}");
    }
    let began = std::time::Instant::now();
    let found = klamm(&["consume", "t", "-b", "127.0.0.1:1", "--timeout", "300ms"], "");
    assert!(found.code == Some(1) && found.err.contains("--timeout"), "{found:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
}
