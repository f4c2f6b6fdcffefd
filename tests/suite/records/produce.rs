//! `klamm produce`.

use std::io::{BufRead, BufReader, Write};

use super::{at, at_each_broker, command, done, klamm, said, signal, with_broker};
use crate::client::place::{Place, unique};

at_each_broker! {
    lines_are_records_and_keys_decide_partitions
    records_as_json_keep_everything
    files_headers_nulls_and_fixed_parts_are_sent
    compressions_and_acks_are_taken
    a_malformed_line_is_told_by_its_number_and_what_came_before_is_delivered
    what_the_broker_refuses_is_told_by_its_line
    a_partition_that_is_not_there_is_told
    an_interrupt_delivers_what_was_read
}

fn lines_are_records_and_keys_decide_partitions(place: &Place) {
    let topic = place.topic(3);
    let out = done(place, &["produce", &topic, "-K", ":"], "a:1\nb:2\na:3\nc:\n:x:y");
    assert_eq!(out, "");
    let read = done(place, &["consume", &topic, "-e", "-f", "%k=%s/%S\\n"], "");
    let mut lines: Vec<&str> = read.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["=x:y/3", "a=1/1", "a=3/1", "b=2/1", "c=/0"]);
    let of_a = done(place, &["consume", &topic, "-e", "-f", "%p %k\\n"], "");
    let partitions: Vec<&str> = of_a.lines().filter(|line| line.ends_with(" a")).collect();
    assert_eq!(partitions[0], partitions[1]);
}

fn records_as_json_keep_everything(place: &Place) {
    let topic = place.topic(2);
    let input = concat!(
        r#"{"key":"k","value":"v \u00e4\n","partition":1,"timestamp":1000,"headers":[{"key":"h","value":"1"},{"key":"h","value":null}]}"#,
        "\n",
        r#"{"key_base64":"/w==","value":{"id": 7},"partition":1,"timestamp":"1970-01-01T00:00:02Z","headers":{"x":"y"}}"#,
        "\n",
        r#"{"partition":1,"timestamp":3000}"#,
        "\n",
    );
    done(place, &["produce", &topic, "--json"], input);
    let read = done(place, &["consume", &topic, "--json", "-e"], "");
    let expected = format!(
        concat!(
            r#"{{"topic":"{topic}","partition":1,"offset":0,"timestamp":1000,"key":"k","value":"v ä\n","headers":[{{"key":"h","value":"1"}},{{"key":"h","value":null}}]}}"#,
            "\n",
            r#"{{"topic":"{topic}","partition":1,"offset":1,"timestamp":2000,"key_base64":"/w==","value":"{{\"id\": 7}}","headers":[{{"key":"x","value":"y"}}]}}"#,
            "\n",
            r#"{{"topic":"{topic}","partition":1,"offset":2,"timestamp":3000,"key":null,"value":null,"headers":[]}}"#,
            "\n",
        ),
        topic = topic
    );
    assert_eq!(read, expected);
    // What is written is taken again, and comes to the same.
    let again = place.topic(2);
    done(place, &["produce", &again, "--json"], &read);
    assert_eq!(done(place, &["consume", &again, "--json", "-e"], "").replace(&again, &topic), read);
}

fn files_headers_nulls_and_fixed_parts_are_sent(place: &Place) {
    let topic = place.topic(1);
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    std::fs::write(&one, "a;;b;;").unwrap();
    std::fs::write(&two, "NULL;;c").unwrap();
    let (one, two) = (one.display().to_string(), two.display().to_string());
    let args = [
        "produce",
        &topic,
        &one,
        &two,
        "-D",
        ";;",
        "-k",
        "fixed",
        "-H",
        "a=1",
        "-H",
        "b",
        "--null",
        "NULL",
        "-p",
        "0",
        "--timestamp",
        "1970-01-02",
    ];
    done(place, &args, "");
    let read = done(place, &["consume", &topic, "-e", "-Z", "-f", "%o %k %s %T %h\\n"], "");
    assert_eq!(
        read,
        "0 fixed a 86400000 a=1,b=NULL\n1 fixed b 86400000 a=1,b=NULL\n\
         2 fixed NULL 86400000 a=1,b=NULL\n3 fixed c 86400000 a=1,b=NULL\n"
    );
}

fn compressions_and_acks_are_taken(place: &Place) {
    let topic = place.topic(1);
    for (codec, acks) in [("none", "all"), ("gzip", "1"), ("snappy", "-1"), ("lz4", "0"), ("zstd", "all")] {
        done(place, &["produce", &topic, "-z", codec, "--acks", acks], &format!("{codec}\n"));
        // Nobody says when what nobody acknowledges is there.
        crate::harness::wait_for("the record", || {
            let read = done(place, &["consume", &topic, "-e"], "");
            read.ends_with(&format!("{codec}\n")).then_some(())
        });
    }
}

fn a_malformed_line_is_told_by_its_number_and_what_came_before_is_delivered(place: &Place) {
    let topic = place.topic(1);
    let found = at(place, &["produce", &topic, "-K", ":"], "a:1\nb:2\nno key\nc:3\n");
    assert_eq!(found.code, Some(1));
    assert!(found.err.contains("line 3 of standard input is not sent: it has no ':'"), "{found:?}");
    let found = at(
        place,
        &["produce", &topic, "-J", "--keep-going"],
        "{\"value\":1}\n{\"valeu\":1}\n{\"value\":3}\n",
    );
    assert_eq!(found.code, Some(1));
    assert!(found.err.contains("line 2") && found.err.contains("unknown field `valeu`"), "{found:?}");
    assert_eq!(done(place, &["consume", &topic, "-e"], ""), "1\n2\n1\n3\n");
}

fn what_the_broker_refuses_is_told_by_its_line(place: &Place) {
    let topic = place.topic(1);
    let large = "x".repeat(2_000_000);
    let input = format!("small\n{large}\nlast\n");
    // Larger than a producer sends, and larger than a broker takes.
    for (option, wanted) in
        [("linger.ms=5", "max_request_size"), ("max.request.size=10000000", "MessageTooLarge")]
    {
        let found = at(place, &["produce", &topic, "--keep-going", "-X", option], &input);
        assert_eq!(found.code, Some(1), "{}", found.err);
        assert!(
            found.err.contains("line 2 of standard input") && found.err.contains(wanted),
            "{}",
            found.err
        );
    }
    assert_eq!(done(place, &["consume", &topic, "-e"], ""), "small\nlast\nsmall\nlast\n");
}

fn a_partition_that_is_not_there_is_told(place: &Place) {
    let topic = place.topic(2);
    let found = at(place, &["produce", &topic, "-p", "7"], "a\n");
    assert_eq!(found.code, Some(1));
    assert!(found.err.contains("no partition 7") && found.err.contains("from 0 to 1"), "{found:?}");
}

fn an_interrupt_delivers_what_was_read(place: &Place) {
    let topic = place.topic(1);
    let mut child = command(&with_broker(place, &["produce", &topic, "--linger", "10s"])).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"a\nb\nunfinished").unwrap();
    // It has read the lines once it has fetched where they go; that cannot be seen from here, so it is asked again.
    let watching = command(&with_broker(place, &["consume", &topic, "-c", "2"])).spawn().unwrap();
    let told = std::thread::spawn(move || said(watching));
    crate::harness::wait_for("the input to be read", || is_empty(&stdin).then_some(()));
    signal("INT", &child);
    let found = said(child);
    assert!(found.err.contains("interrupted; 2 records"), "{found:?}");
    assert_eq!(found.code, Some(0), "{found:?}");
    assert_eq!(told.join().unwrap().out, "a\nb\n");
}

/// Whether nothing of what was written into a pipe is left in it.
fn is_empty(pipe: &std::process::ChildStdin) -> bool {
    rustix::io::ioctl_fionread(pipe).unwrap() == 0
}

#[test]
fn an_unreachable_broker_is_told_within_the_time_out() {
    let began = std::time::Instant::now();
    let found = klamm(&["produce", "t", "-b", "127.0.0.1:1", "--timeout", "300ms"], "a\n");
    assert_eq!(found.code, Some(1));
    assert!(found.err.contains("127.0.0.1:1") && found.err.contains("klamm serve"), "{found:?}");
    assert!(began.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn wrong_usage_is_told_before_anything_is_done() {
    for (args, wanted) in [
        (&["produce"][..], "TOPIC"),
        (&["produce", "t", "-K", ""], "--key-separator"),
        (&["produce", "t", "-K", "\\q"], "no escape"),
        (&["produce", "t", "-H", "=1"], "NAME=VALUE"),
        (&["produce", "t", "-p", "-1"], "-1"),
        (&["produce", "t", "--timestamp", "soon"], "no moment"),
        (&["produce", "t", "-z", "rar"], "compression"),
        (&["produce", "t", "--acks", "2"], "acks"),
        (&["produce", "t", "-X", "lingr.ms=1"], "did you mean 'linger"),
        (&["produce", "t", "--rate", "0"], "rate"),
        (&["produce", "t", "--json", "-K", ":"], "--json"),
    ] {
        let found = klamm(args, "");
        assert_eq!(found.code, Some(2), "{args:?}: {found:?}");
        assert!(found.err.contains(wanted), "{args:?}: {found:?}");
    }
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let place = Place::served("native");
    let topic = unique("absent");
    let found = at(&place, &["produce", &topic, "/no/such/file"], "");
    assert_eq!(found.code, Some(1));
    assert!(found.err.contains("cannot read /no/such/file"), "{found:?}");
    let found = at(&place, &["produce", &topic, "/"], "");
    assert!(found.err.contains("is a folder"), "{found:?}");
}

#[test]
fn a_rate_is_kept_and_a_count_ends() {
    let place = Place::served("native");
    let topic = place.topic(1);
    let began = std::time::Instant::now();
    done(&place, &["produce", &topic, "--rate", "100", "-c", "20"], &"x\n".repeat(1000));
    assert!(began.elapsed() >= std::time::Duration::from_millis(180), "{:?}", began.elapsed());
    assert_eq!(done(&place, &["consume", &topic, "-e"], "").lines().count(), 20);
}

#[test]
fn records_go_out_while_the_input_is_open() {
    let place = Place::served("native");
    let topic = place.topic(1);
    let mut producing = command(&with_broker(&place, &["produce", &topic])).spawn().unwrap();
    let mut consuming = command(&with_broker(&place, &["consume", &topic])).spawn().unwrap();
    let mut stdin = producing.stdin.take().unwrap();
    let mut lines = BufReader::new(consuming.stdout.take().unwrap()).lines();
    for text in ["one", "two"] {
        writeln!(stdin, "{text}").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), text);
    }
    drop(stdin);
    assert_eq!(said(producing).code, Some(0));
    signal("TERM", &consuming);
    let found = said(consuming);
    assert_eq!(found.code, Some(0), "{found:?}");
}
