//! Bad frames, bad requests and bad manners on a connection: the broker answers as Kafka does or closes the
//! connection, and goes on serving everybody else.

pub(crate) mod client;

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeConfigsRequest, MetadataRequest, ResponseHeader,
    TopicName,
};
use kafka_protocol::protocol::Decodable;
use klamm::Broker;

use crate::harness::{DEADLINE, Process, produce_request, wait_for};
use client::*;

/// A broker in this process, and its address.
fn broker() -> (Broker, String) {
    watch_for_panics();
    let broker = Broker::builder().topic(GOOD_TOPIC, 1).topic("other", 1).start().unwrap();
    let address = broker.bootstrap_servers();
    (broker, address)
}

/// A broker in a process of its own, so that its memory can be measured.
fn process() -> Process {
    Process::start_in_memory("127.0.0.1:0", &["--topic", GOOD_TOPIC, "--topic", "other"])
}

/// After the misuse: others are served, nothing has panicked, and the broker stops cleanly.
#[track_caller]
fn assert_unharmed(broker: Broker) {
    assert_serves(&broker.bootstrap_servers());
    assert_no_panics();
    broker.shutdown().unwrap();
}

/// After the misuse of a process: others are served, it has not held more memory than a broker may, and it stops
/// cleanly.
#[track_caller]
fn assert_unharmed_process(process: Process) {
    const MOST: usize = 128 << 20;
    assert_serves(&process.address);
    let peak = process.peak_memory().unwrap_or(0);
    assert!(peak < MOST, "it has held {peak} bytes");
    assert_eq!(process.terminate(), Some(0));
}

fn api_versions(version: i16, correlation_id: i32) -> Vec<u8> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name("wire".into())
        .with_client_software_version("1".into());
    request_frame(&request, version, correlation_id)
}

/// The APIs that a broker serves, with the last version of each.
fn served(address: &str) -> Vec<(i16, i16, i16)> {
    let request = ApiVersionsRequest::default();
    let answer = Raw::connect(address).ask(&request, 0);
    answer.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect()
}

fn is_flexible(key: i16, version: i16) -> bool {
    ApiKey::try_from(key).is_ok_and(|key| key.request_header_version(version) >= 2)
}

#[test]
fn a_length_that_no_frame_may_have_closes_the_connection() {
    let (broker, address) = broker();
    for length in [-1, i32::MIN, i32::MAX, 104_857_601] {
        let mut client = Raw::connect(&address);
        client.put(&length.to_be_bytes());
        client.expect_closed();
    }
    assert_unharmed(broker);
}

#[test]
fn a_frame_without_a_whole_header_closes_the_connection() {
    let (broker, address) = broker();
    let whole = raw_frame(18, 3, 1, true, &[]);
    for length in 0..whole.len() {
        let mut client = Raw::connect(&address);
        client.send(&whole[..length]);
        client.expect_closed();
    }
    assert_unharmed(broker);
}

#[test]
fn a_frame_that_never_ends_is_dropped_with_its_connection() {
    let (broker, address) = broker();
    let whole = framed(&api_versions(3, 1));
    let mut clients = Vec::new();
    for length in 0..whole.len() {
        let mut client = Raw::connect(&address);
        client.put(&whole[..length]);
        clients.push(client);
    }
    // While they are all half-way, others are served.
    assert_serves(&address);
    for mut client in clients {
        client.finish_writing();
        client.expect_closed();
    }
    assert_unharmed(broker);
}

#[test]
fn long_frames_that_are_only_announced_take_little_memory() {
    let process = process();
    // More than may be read at once.
    let clients: Vec<_> = (0..400)
        .map(|_| {
            let mut client = Raw::connect(&process.address);
            client.put(&104_857_600_i32.to_be_bytes());
            client.put(&api_versions(3, 1));
            client
        })
        .collect();
    assert_serves(&process.address);
    drop(clients);
    assert_unharmed_process(process);
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered() {
    let (broker, address) = broker();
    let mut client = Raw::connect(&address);
    for byte in framed(&api_versions(3, 7)) {
        client.put(&[byte]);
    }
    assert_eq!(client.expect_frame()[..4], 7_i32.to_be_bytes());
    assert_unharmed(broker);
}

#[test]
fn requests_before_the_end_of_a_connection_are_answered() {
    let (broker, address) = broker();
    let mut client = Raw::connect(&address);
    for correlation_id in 0..3 {
        client.send(&api_versions(3, correlation_id));
    }
    client.finish_writing();
    for correlation_id in 0..3_i32 {
        assert_eq!(client.expect_frame()[..4], correlation_id.to_be_bytes());
    }
    client.expect_closed();
    assert_unharmed(broker);
}

#[test]
fn what_was_asked_before_a_bad_request_is_answered() {
    let (broker, address) = broker();
    let mut client = Raw::connect(&address);
    let mut both = framed(&api_versions(3, 5));
    both.extend(framed(&raw_frame(999, 0, 6, false, &[])));
    client.put(&both);
    assert_eq!(client.expect_frame()[..4], 5_i32.to_be_bytes());
    client.expect_closed();
    assert_unharmed(broker);
}

#[test]
fn an_api_or_a_version_that_is_not_served_closes_the_connection() {
    let (broker, address) = broker();
    let served = served(&address);
    for key in (-2..=120).chain([999, i16::MIN, i16::MAX]) {
        if served.iter().any(|(known, _, _)| *known == key) {
            continue;
        }
        let mut client = Raw::connect(&address);
        client.send(&raw_frame(key, 0, 1, false, &[0; 32]));
        client.expect_closed();
    }
    for (key, _, last) in served {
        for version in [-1, last + 1, i16::MIN, i16::MAX] {
            if key == 18 {
                continue;
            }
            let mut client = Raw::connect(&address);
            client.send(&raw_frame(key, version, 1, is_flexible(key, version), &[0; 32]));
            client.expect_closed();
        }
    }
    assert_unharmed(broker);
}

#[test]
fn api_versions_of_the_future_is_answered_in_version_0() {
    let (broker, address) = broker();
    for version in [5, 99, i16::MAX, -1] {
        let mut client = Raw::connect(&address);
        client.send(&raw_frame(18, version, 9, version > 0, b"whatever that version has"));
        let mut answer = client.expect_frame();
        assert_eq!(ResponseHeader::decode(&mut answer, 0).unwrap().correlation_id, 9);
        let answer = ApiVersionsResponse::decode(&mut answer, 0).unwrap();
        assert_eq!(answer.error_code, 35, "version {version}");
        let rows: Vec<_> = answer.api_keys.iter().map(|api| api.api_key).collect();
        assert_eq!(rows, [18], "version {version}");
        // The connection goes on: the client tries again.
        client.send(&api_versions(3, 10));
        assert_eq!(client.expect_frame()[..4], 10_i32.to_be_bytes());
    }
    assert_unharmed(broker);
}

#[test]
fn counts_and_lengths_beyond_the_frame_close_the_connection_or_are_answered() {
    let (broker, address) = broker();
    let bodies: [&[u8]; 7] = [
        &[],
        &[0xff; 64],
        &[0x7f; 64],
        &[0; 64],
        &[0x7f, 0xff, 0xff, 0xff].repeat(16),
        &[0xff, 0xff, 0xff, 0xff, 0x07].repeat(16),
        &[1; 64],
    ];
    for (key, first, last) in served(&address) {
        for version in first..=last {
            for body in bodies {
                let mut client = Raw::connect(&address);
                client.send(&raw_frame(key, version, 1, is_flexible(key, version), body));
                client.finish_writing();
                // Answered or not, the connection ends. One that waits for others may take as long as it likes.
                while let Got::Frame(_) = client.receive(Duration::from_millis(200)) {}
            }
        }
    }
    assert_unharmed(broker);
}

#[test]
fn a_client_that_never_reads_is_not_read_from_for_long() {
    let process = process();
    let filling = batch(0, 1, &record(0, &vec![7; 900_000]));
    assert_eq!(
        produced(&mut Raw::connect(&process.address), &produce_request("other", 0, filling)).error_code,
        0
    );
    for request in [api_versions(3, 1), request_frame(&fetch("other", 0, 1 << 20), 11, 1)] {
        let mut client = Raw::connect(&process.address);
        let many = framed(&request).repeat(1000);
        let mut written = 0;
        // Until nothing goes any more for a second.
        while let Ok(count) = client.write(&many, Duration::from_secs(1)) {
            written += count;
            assert!(written < 64 << 20, "the broker goes on reading from a client that does not");
        }
        assert_serves(&process.address);
        // It was held up, not given up.
        for _ in 0..100 {
            client.expect_frame();
        }
    }
    assert_unharmed_process(process);
}

#[test]
fn clients_that_go_away_while_they_are_answered_are_forgotten() {
    let (broker, address) = broker();
    for _ in 0..50 {
        let mut client = Raw::connect(&address);
        let many = framed(&api_versions(3, 1)).repeat(200);
        client.put(&many);
        drop(client);
        let mut client = Raw::connect(&address);
        client.send(&request_frame(&fetch("other", 0, 1 << 20), 11, 1));
        drop(client);
    }
    assert_unharmed(broker);
}

#[test]
fn a_topic_named_a_thousand_times_is_described_once() {
    let (broker, address) = broker();
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName("other".into())));
    let request = MetadataRequest::default().with_topics(Some(vec![topic; 1000]));
    assert_eq!(Raw::connect(&address).ask(&request, 9).topics.len(), 1);
    assert_unharmed(broker);
}

#[test]
fn connections_beyond_the_limit_are_closed_and_make_room_when_they_end() {
    for limit in ["max.connections", "max.connections.per.ip"] {
        let broker = Broker::builder().topic(GOOD_TOPIC, 1).config(limit, "3").start().unwrap();
        let address = broker.bootstrap_servers();
        let mut open: Vec<_> = (0..3).map(|_| Raw::connect(&address)).collect();
        for client in &mut open {
            client.send(&api_versions(3, 1));
            client.expect_frame();
        }
        Raw::connect(&address).expect_closed();
        drop(open);
        wait_for("a place to come free", || {
            let mut client = Raw::connect(&address);
            client.send(&api_versions(3, 1));
            matches!(client.receive(DEADLINE), Got::Frame(_)).then_some(())
        });
        assert_unharmed(broker);
    }
}

#[test]
fn the_longest_frame_is_what_the_config_says() {
    let longest = "socket.request.max.bytes";
    let broker = Broker::builder().topic(GOOD_TOPIC, 1).config(longest, "5000").start().unwrap();
    let address = broker.bootstrap_servers();
    for (length, answered) in [(5000, true), (5001, false)] {
        let mut frame = api_versions(0, 1);
        frame.resize(length, 0);
        let mut client = Raw::connect(&address);
        client.send(&frame);
        if answered {
            client.expect_frame();
        } else {
            client.expect_closed();
        }
    }
    assert_unharmed(broker);
}

#[test]
fn a_short_request_for_a_huge_answer_takes_bounded_memory() {
    let process = process();
    // All configs of the broker, some twenty kilobytes of them, a hundred thousand times.
    let node = Raw::connect(&process.address).ask(&MetadataRequest::default(), 12).brokers[0].node_id;
    let everything = DescribeConfigsResource::default()
        .with_resource_type(4)
        .with_resource_name(node.0.to_string().into())
        .with_configuration_keys(None);
    let request = DescribeConfigsRequest::default()
        .with_include_synonyms(true)
        .with_resources(vec![everything; 100_000]);
    let mut client = Raw::connect(&process.address);
    client.send(&request_frame(&request, 4, 1));
    // Some of it, or nothing. It takes a while: half a million configs are written.
    assert_ne!(client.receive(4 * DEADLINE), Got::Nothing);
    assert_serves(&process.address);
    let peak = process.peak_memory().unwrap_or(0);
    assert!(peak < 512 << 20, "it has held {peak} bytes");
    assert_eq!(process.terminate(), Some(0));
}

/// What the bombs unpack to.
const UNPACKED: usize = 512 << 20;

/// A batch of one record of zero bytes, compressed with gzip.
fn gzip_bomb() -> Bytes {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&record_head(0, UNPACKED)).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..UNPACKED >> 20 {
        gzip.write_all(&zeros).unwrap();
    }
    gzip.write_all(&[0]).unwrap();
    batch(1, 1, &gzip.finish().unwrap())
}

/// The same with Zstandard: blocks that repeat a byte 128 KiB times, in a window of 8 MiB.
fn zstd_bomb() -> Bytes {
    fn block(kind: u32, size: usize, is_last: bool) -> Vec<u8> {
        let head = (u32::try_from(size).unwrap() << 3) | (kind << 1) | u32::from(is_last);
        head.to_le_bytes()[..3].to_vec()
    }
    let head = record_head(0, UNPACKED);
    let mut zstd = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3];
    zstd.extend(block(0, head.len(), false));
    zstd.extend(head);
    for _ in 0..UNPACKED >> 17 {
        zstd.extend(block(1, 1 << 17, false));
        zstd.push(0);
    }
    zstd.extend(block(0, 1, true));
    zstd.push(0);
    batch(4, 1, &zstd)
}

#[test]
fn compression_bombs_take_little_memory() {
    let process = process();
    for bomb in [gzip_bomb(), zstd_bomb()] {
        assert!(bomb.len() < 1 << 20, "it would be refused for its size");
        // Kafka takes them: they are what they say, and no broker has to hold what is in them.
        let answer = produced(&mut Raw::connect(&process.address), &produce_request("other", 0, bomb));
        assert_eq!(answer.error_code, 0);
    }
    assert_unharmed_process(process);
}
