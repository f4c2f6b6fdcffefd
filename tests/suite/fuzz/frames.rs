//! Frames: well-formed requests at random, and requests with random damage, on a few connections at once.

use std::path::Path;
use std::time::Duration;

use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, MetadataRequest};
use klamm::Broker;

use super::requests::{self, TOPICS, World};
use super::rng::Rng;
use crate::wire::client::*;

/// Requests of a round, on each connection.
const REQUESTS: usize = 300;

/// How long an answer is waited for before the connection is given up: a request may rightly wait for others.
const PATIENCE: Duration = Duration::from_millis(300);

/// What may close the connection though nothing is wrong with its form: Produce with acks=0.
const MAY_CLOSE: [i16; 1] = [0];

/// The correlation id of what is made up, and of what follows it to see that the connection still works.
const NUMBER: i32 = 77;
const PING: i32 = 0x50_49_4e_47;

/// What a good client would rightly suffer from: ACLs that shut it out, quotas that slow it down.
const LEFT_OUT: [i16; 3] = [30, 31, 49];

fn start(folder: Option<&Path>) -> Broker {
    let mut builder = Broker::builder().topic(GOOD_TOPIC, 1);
    for topic in TOPICS {
        builder = builder.topic(topic, 2);
    }
    if let Some(folder) = folder {
        builder = builder.data_dir(folder);
    }
    builder.start().unwrap()
}

/// APIs and versions that the broker serves.
fn served(address: &str) -> Vec<(i16, i16)> {
    let answer = Raw::connect(address).ask(&ApiVersionsRequest::default(), 0);
    let apis = answer.api_keys.iter().filter(|api| !LEFT_OUT.contains(&api.api_key));
    apis.flat_map(|api| (api.min_version..=api.max_version).map(|version| (api.api_key, version))).collect()
}

fn world(address: &str) -> World {
    let answer = Raw::connect(address).ask(&MetadataRequest::default().with_topics(None), 12);
    let is_good =
        |topic: &&MetadataResponseTopic| topic.name.as_ref().is_some_and(|name| &*name.0 == GOOD_TOPIC);
    let others = answer.topics.iter().filter(|topic| !is_good(topic));
    let topic_ids = others.map(|topic| topic.topic_id.into_bytes()).collect();
    World { topic_ids, ..World::default() }
}

/// A frame that may or may not be one, and whether it is.
fn any_frame((key, version): (i16, i16), world: &World, rng: &mut Rng) -> (Vec<u8>, bool) {
    let flexible = ApiKey::try_from(key).is_ok_and(|key| key.request_header_version(version) >= 2);
    let mut body = requests::body(key, version, world, rng).unwrap_or_default();
    let spoilt_body = rng.percent(40);
    if spoilt_body {
        rng.mutate(&mut body);
    }
    let mut frame = raw_frame(key, version, NUMBER, flexible, &body);
    let spoilt_frame = rng.percent(5);
    if spoilt_frame {
        rng.mutate(&mut frame);
    }
    (frame, !spoilt_body && !spoilt_frame)
}

/// Sends frames and sees that each is answered, passed over or ended with its connection.
fn misuse(address: &str, served: &[(i16, i16)], world: &World, rng: &mut Rng) {
    let mut world = world.clone();
    let ping = framed(&request_frame(&ApiVersionsRequest::default(), 0, PING));
    let mut client = Raw::connect(address);
    for _ in 0..REQUESTS {
        let (key, version) = rng.pick(served);
        let (frame, mut intact) = any_frame((key, version), &world, rng);
        let mut bytes = framed(&frame);
        if rng.percent(2) {
            rng.mutate(&mut bytes);
            intact = false;
        }
        bytes.extend(&ping);
        client.put(&bytes);
        loop {
            match client.receive(PATIENCE) {
                Got::Frame(frame) if frame.starts_with(&PING.to_be_bytes()) => break,
                Got::Frame(frame) if frame.starts_with(&NUMBER.to_be_bytes()) => {
                    world.learn(key, version, frame);
                }
                Got::Frame(_) => {}
                Got::Closed if intact && !MAY_CLOSE.contains(&key) => {
                    panic!("API {key} version {version} closed the connection on {frame:x?}");
                }
                Got::Closed | Got::Nothing => {
                    client = Raw::connect(address);
                    break;
                }
            }
        }
    }
}

fn round(broker: &Broker, rng: &mut Rng) {
    let address = broker.bootstrap_servers();
    let (served, world) = (served(&address), world(&address));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let mut rng = Rng::new(rng.next());
            let (address, served, world) = (&address, &served, &world);
            scope.spawn(move || misuse(address, served, world, &mut rng));
        }
    });
    assert_serves(&address);
    assert_no_panics();
}

#[test]
fn fuzz_frames_in_memory() {
    watch_for_panics();
    let broker = start(None);
    super::for_a_while(|rng| round(&broker, rng));
    broker.shutdown().unwrap();
}

#[test]
fn fuzz_frames_on_a_data_folder_that_is_opened_again() {
    watch_for_panics();
    super::for_a_while(|rng| {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let broker = start(Some(folder.path()));
            round(&broker, rng);
            broker.shutdown().unwrap();
        }
    });
}
