//! Clusters of brokers that come, go and move.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{
    ApiKey, FindCoordinatorRequest, FindCoordinatorResponse, ListGroupsRequest, ListGroupsResponse,
    MetadataRequest, MetadataResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::*;
use crate::native::testing::{Asked, FakeBroker, Reply, all_apis};

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn brokers(ports: &[(i32, u16)]) -> Vec<MetadataResponseBroker> {
    let broker = |(id, port): &(i32, u16)| {
        MetadataResponseBroker::default()
            .with_node_id((*id).into())
            .with_host(StrBytes::from_static_str("localhost"))
            .with_port((*port).into())
    };
    ports.iter().map(broker).collect()
}

fn topic(name: &str, leader: i32, epoch: i32) -> MetadataResponseTopic {
    let partition =
        MetadataResponsePartition::default().with_leader_id(leader.into()).with_leader_epoch(epoch);
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
        .with_partitions(vec![partition])
}

fn asked_topics(asked: &Asked) -> Vec<String> {
    let topics = asked.decode::<MetadataRequest>().topics.unwrap_or_default();
    topics.into_iter().filter_map(|topic| topic.name).map(|name| name.to_string()).collect()
}

/// A broker that knows itself as number 1, and what `topics` says.
async fn single(topics: impl Fn(&Asked) -> Vec<MetadataResponseTopic> + Send + Sync + 'static) -> FakeBroker {
    let port = Arc::new(AtomicI32::new(0));
    let own = Arc::clone(&port);
    let broker = FakeBroker::start(move |asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        ApiKey::Metadata => {
            let port = u16::try_from(own.load(Ordering::SeqCst)).unwrap();
            let answer =
                MetadataResponse::default().with_brokers(brokers(&[(1, port)])).with_controller_id(1.into());
            asked.answer(&answer.with_topics(topics(asked)))
        }
        _ => asked.answer(&ListGroupsResponse::default()),
    })
    .await;
    port.store(broker.port.into(), Ordering::SeqCst);
    broker
}

fn embedded(name: &str) -> Arc<Cluster> {
    let bootstrap = Bootstrap::Embedded { name: name.to_owned(), data_dir: None };
    Cluster::new(ClientOptions { bootstrap, ..ClientOptions::default() }, true).unwrap()
}

#[tokio::test]
async fn a_topic_is_created_by_asking_where_that_is_wanted() {
    let cluster = embedded("cluster creates");
    let leader = cluster.partition_leader(&Arc::from("made"), 0, None, soon()).await.unwrap();
    assert!(!cluster.metadata().topic("made").unwrap().id.is_nil());
    assert_eq!(cluster.leader("made", 0), Some(leader));
    let connection = cluster.connection(Node::Id(leader.node), Lane::Produce, soon()).await.unwrap();
    assert!(connection.is_usable());
    assert!(cluster.open_connection(leader.node, Lane::Produce).is_some());
    assert!(cluster.open_connection(leader.node, Lane::Fetch).is_none());
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_told_at_the_deadline() {
    let bootstrap = Bootstrap::Embedded { name: "cluster lacks".to_owned(), data_dir: None };
    let cluster = Cluster::new(ClientOptions { bootstrap, ..ClientOptions::default() }, false).unwrap();
    let error = cluster
        .partition_leader(&Arc::from("absent"), 0, None, Instant::now() + Duration::from_millis(300))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(ResponseError::UnknownTopicOrPartition), "{error}");
    let error = cluster.partition_leader(&Arc::from("no such/name"), 0, None, soon()).await.unwrap_err();
    assert_eq!(error.code(), Some(ResponseError::InvalidTopicException), "{error}");
}

#[tokio::test]
async fn the_first_address_that_answers_is_used() {
    let broker = single(|asked| asked_topics(asked).iter().map(|name| topic(name, 1, 0)).collect()).await;
    // A port that nobody listens on any more.
    let gone = FakeBroker::start(|_| Reply::Close).await.port;
    let servers = vec![format!("localhost:{gone}"), format!("localhost:{}", broker.port)];
    let options = ClientOptions { bootstrap: Bootstrap::Servers(servers), ..ClientOptions::default() };
    let cluster = Cluster::new(options, false).unwrap();
    cluster.partition_leader(&Arc::from("t"), 0, None, soon()).await.unwrap();
}

#[tokio::test]
async fn nobody_who_answers_is_told_with_the_address() {
    let gone = FakeBroker::start(|_| Reply::Close).await.port;
    let options = ClientOptions {
        bootstrap: Bootstrap::Servers(vec![format!("localhost:{gone}")]),
        ..ClientOptions::default()
    };
    let cluster = Cluster::new(options, false).unwrap();
    let deadline = Instant::now() + Duration::from_millis(300);
    let error = cluster.partition_leader(&Arc::from("t"), 0, None, deadline).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.to_string().contains(&gone.to_string()), "{error}");
    let error = cluster.connection(Node::Any, Lane::Control, Instant::now()).await.unwrap_err();
    assert!(error.is_retriable(), "{error}");
}

#[tokio::test]
async fn a_leader_that_moves_is_followed() {
    let leader = Arc::new(AtomicI32::new(1));
    let told = Arc::clone(&leader);
    let broker = single(move |asked| {
        let leader = told.load(Ordering::SeqCst);
        asked_topics(asked).iter().map(|name| topic(name, leader, leader)).collect()
    })
    .await;
    let cluster = Cluster::new(broker.options(), false).unwrap();
    let name: Arc<str> = Arc::from("t");
    let first = cluster.partition_leader(&name, 0, None, soon()).await.unwrap();
    assert_eq!(first, Leader { node: 1, epoch: 1 });
    let waiting = tokio::spawn({
        let (cluster, name) = (Arc::clone(&cluster), Arc::clone(&name));
        async move { cluster.partition_leader(&name, 0, Some(first), soon()).await.unwrap() }
    });
    leader.store(2, Ordering::SeqCst);
    assert_eq!(waiting.await.unwrap(), Leader { node: 2, epoch: 2 });
    cluster.note_leader("t", 0, Leader { node: 3, epoch: 3 });
    assert_eq!(cluster.leader("t", 0), Some(Leader { node: 3, epoch: 3 }));
    let error = cluster.connection(Node::Id(3), Lane::Fetch, soon()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
}

#[tokio::test]
async fn a_broker_that_comes_back_is_found_again() {
    let broker = single(|_| Vec::new()).await;
    let cluster = Cluster::new(broker.options(), false).unwrap();
    cluster.refreshed(soon()).await.unwrap();
    let connection = cluster.connection(Node::Id(1), Lane::Group, soon()).await.unwrap();
    let address = format!("127.0.0.1:{}", broker.port);
    drop(broker);
    connection.ended().await;
    // Once the tasks of the old one are gone the port is free.
    let again = loop {
        match tokio::net::TcpListener::bind(&address).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    drop(again);
    let _back = FakeBroker::listen(&address, None, |asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        _ => asked.answer(&ListGroupsResponse::default()),
    })
    .await;
    let mut answer = Err(());
    while answer.is_err() {
        let request = ListGroupsRequest::default();
        answer = cluster.call(Node::Id(1), Lane::Group, &request, i16::MAX, soon()).await.map_err(|_| ());
    }
}

#[tokio::test]
async fn a_coordinator_is_remembered_until_it_is_forgotten() {
    let asked_for = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked_for);
    let broker = FakeBroker::start(move |asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        ApiKey::FindCoordinator => {
            let request = asked.decode::<FindCoordinatorRequest>();
            let number = count.fetch_add(1, Ordering::SeqCst);
            let answer = Coordinator::default().with_key(request.coordinator_keys[0].clone());
            // At first there is none.
            let answer = match number {
                0 => answer.with_error_code(ResponseError::CoordinatorNotAvailable.code()),
                _ => answer
                    .with_node_id(7.into())
                    .with_host(StrBytes::from_static_str("localhost"))
                    .with_port(9),
            };
            asked.answer(&FindCoordinatorResponse::default().with_coordinators(vec![answer]))
        }
        _ => asked.answer(&MetadataResponse::default()),
    })
    .await;
    let cluster = Cluster::new(broker.options(), false).unwrap();
    for _ in 0..3 {
        assert_eq!(cluster.coordinator("g", soon()).await.unwrap(), 7);
    }
    assert_eq!(asked_for.load(Ordering::SeqCst), 2);
    cluster.forget_coordinator("g");
    cluster.coordinator("g", soon()).await.unwrap();
    assert_eq!(asked_for.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn many_who_ask_are_answered_by_few_requests() {
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    let broker = single(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    })
    .await;
    let cluster = Cluster::new(broker.options(), false).unwrap();
    let deadline = soon();
    let all = (0..50).map(|_| {
        let cluster = Arc::clone(&cluster);
        tokio::spawn(async move { cluster.refreshed(deadline).await.unwrap() })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert!(requests.load(Ordering::SeqCst) <= 3, "{}", requests.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_was_just_learnt_is_fresh_and_new_topics_are_asked_for() {
    let requests = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&requests);
    let broker = single(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Vec::new()
    })
    .await;
    let asked = || requests.load(Ordering::SeqCst);
    // A pause that does not end within this test, and one that has always ended.
    let long = ClientOptions { retry_backoff: Duration::from_secs(600), ..broker.options() };
    let cluster = Cluster::new(long, false).unwrap();
    cluster.fresh(soon()).await.unwrap();
    cluster.fresh(soon()).await.unwrap();
    assert_eq!(asked(), 1);
    cluster.want(&Arc::from("new"));
    cluster.fresh(soon()).await.unwrap();
    assert_eq!(asked(), 2);
    let none = ClientOptions { retry_backoff: Duration::ZERO, ..broker.options() };
    let cluster = Cluster::new(none, false).unwrap();
    cluster.fresh(soon()).await.unwrap();
    cluster.fresh(soon()).await.unwrap();
    assert_eq!(asked(), 4);
}

#[tokio::test]
async fn what_is_known_is_asked_for_anew_when_it_is_old() {
    let (seen, mut sees) = tokio::sync::mpsc::unbounded_channel();
    let broker = single(move |_| {
        seen.send(()).unwrap();
        Vec::new()
    })
    .await;
    let options = ClientOptions {
        metadata_max_age: Duration::from_millis(20),
        retry_backoff: Duration::from_millis(5),
        ..broker.options()
    };
    let cluster = Cluster::new(options, false).unwrap();
    cluster.refreshed(soon()).await.unwrap();
    for _ in 0..3 {
        tokio::time::timeout_at(soon().into(), sees.recv()).await.unwrap().unwrap();
    }
    drop(cluster);
}

#[tokio::test]
async fn a_closed_cluster_lets_go_of_its_broker() {
    let folder = tempfile::tempdir().unwrap();
    let bootstrap =
        Bootstrap::Embedded { name: "cluster closes".to_owned(), data_dir: Some(folder.path().to_owned()) };
    let cluster = Cluster::new(ClientOptions { bootstrap, ..ClientOptions::default() }, true).unwrap();
    let kept = cluster.connection(Node::Any, Lane::Control, soon()).await.unwrap();
    cluster.close();
    drop(klamm_broker::Broker::builder().data_dir(folder.path()).start().unwrap());
    kept.ended().await;
    let error = cluster.connection(Node::Any, Lane::Control, soon()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRunning);
}

#[test]
fn addresses_are_read_in_every_common_form() {
    let read =
        |text: &str| address(text).map(|(host, port)| (host.to_string(), port)).map_err(|error| error.kind());
    let is = |host: &str, port| Ok((host.to_owned(), port));
    assert_eq!(read("localhost:9093"), is("localhost", 9093));
    assert_eq!(read(" kafka "), is("kafka", 9092));
    assert_eq!(read("SASL_SSL://kafka.example:9094"), is("kafka.example", 9094));
    assert_eq!(read("[::1]:9095"), is("::1", 9095));
    assert_eq!(read("[::1]"), is("::1", 9092));
    assert_eq!(read("::1"), is("::1", 9092));
    for wrong in ["", ":9092", "host:", "host:0", "host:99999", "host:port", "[::1]x"] {
        assert_eq!(read(wrong), Err(ErrorKind::Config), "{wrong}");
    }
}
