//! Connections to brokers that behave, and to such as do not.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, ListGroupsRequest, MetadataRequest, MetadataResponse,
};

use super::*;
use crate::embedded::embedded_broker;
use crate::native::testing::{Asked, FakeBroker, Reply, all_apis};

const PATIENCE: Duration = Duration::from_secs(10);

fn target(broker: &FakeBroker) -> Target {
    Target::Address { host: Arc::from("localhost"), port: broker.port }
}

async fn open(broker: &FakeBroker) -> Connection {
    Connection::open(&target(broker), None, &broker.options()).await.unwrap()
}

/// A broker that answers ApiVersions, and everything else with `reply`.
async fn broker(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> FakeBroker {
    FakeBroker::start(move |asked| match asked.api {
        ApiKey::ApiVersions => all_apis(asked),
        _ => reply(asked),
    })
    .await
}

#[tokio::test]
async fn requests_are_answered_in_their_order_on_every_transport() {
    let embedded = embedded_broker("connection tests", None).unwrap();
    let address = embedded.bootstrap_servers();
    let (host, port) = address.rsplit_once(':').unwrap();
    let over_tcp = Target::Address { host: Arc::from(host), port: port.parse().unwrap() };
    for target in [Target::InProcess(embedded.clone(), 1), over_tcp] {
        let connection = Connection::open(&target, None, &ClientOptions::default()).await.unwrap();
        let version = connection.version::<MetadataRequest>(i16::MAX).unwrap();
        let request = MetadataRequest::default().with_topics(Some(Vec::new()));
        let answers: Vec<_> =
            (0..200).map(|_| connection.send(&request, version, PATIENCE).unwrap()).collect();
        for answer in answers {
            let answer = answer.response::<MetadataRequest>().await.unwrap();
            assert_eq!(answer.brokers.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_broker_that_does_not_know_the_newest_way_of_asking_is_asked_again() {
    for known in [0, 2] {
        let broker = FakeBroker::start(move |asked| {
            if asked.version > known {
                let code = ResponseError::UnsupportedVersion.code();
                return asked.answer_in(0, &ApiVersionsResponse::default().with_error_code(code));
            }
            asked.serving(&[(ApiKey::ApiVersions, 0, known), (ApiKey::Metadata, 0, 5)])
        })
        .await;
        let connection = open(&broker).await;
        assert_eq!(connection.version::<MetadataRequest>(i16::MAX).unwrap(), 5);
        let unsupported = connection.version::<ListGroupsRequest>(i16::MAX).unwrap_err();
        assert_eq!((unsupported.error.kind(), unsupported.sent), (ErrorKind::Unsupported, false));
    }
}

#[tokio::test]
async fn a_hostile_count_is_refused_and_ends_the_connection() {
    let broker = broker(|asked| {
        let mut body = BytesMut::new();
        body.put_i32(asked.correlation);
        body.put_slice(&[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x07]);
        Reply::Answer(body.freeze())
    })
    .await;
    let connection = open(&broker).await;
    let error = connection.call(&MetadataRequest::default(), 9, PATIENCE).await.unwrap_err();
    assert_eq!((error.error.kind(), error.sent), (ErrorKind::MalformedAnswer, true));
    assert!(!connection.is_usable());
    let error = connection.call(&MetadataRequest::default(), 9, PATIENCE).await.unwrap_err();
    assert_eq!((error.error.kind(), error.sent), (ErrorKind::MalformedAnswer, false));
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_for_another_request_ends_the_connection() {
    let replies: [fn(&Asked) -> Reply; 3] = [
        |_| Reply::Raw(Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff, 0, 0])),
        |_| Reply::Raw(Bytes::from_static(&[0, 0, 0, 2, 0, 0])),
        |asked| {
            Asked { correlation: asked.correlation + 1, ..asked.clone() }.answer(&MetadataResponse::default())
        },
    ];
    for reply in replies {
        let broker = broker(reply).await;
        let connection = open(&broker).await;
        let first = connection.send(&MetadataRequest::default(), 9, PATIENCE).unwrap();
        let second = connection.send(&MetadataRequest::default(), 9, PATIENCE).unwrap();
        for answer in [first, second] {
            let error = answer.response::<MetadataRequest>().await.unwrap_err();
            assert_eq!(
                (error.error.kind(), error.sent),
                (ErrorKind::MalformedAnswer, true),
                "{}",
                error.error
            );
        }
        connection.ended().await;
    }
}

#[tokio::test]
async fn whoever_waits_when_a_connection_ends_is_told() {
    let broker = broker(|asked| match asked.correlation {
        1 => asked.answer(&MetadataResponse::default()),
        2 => Reply::Silence,
        _ => Reply::Close,
    })
    .await;
    let connection = open(&broker).await;
    let send = || connection.send(&MetadataRequest::default(), 9, PATIENCE).unwrap();
    let (answered, silent, closed) = (send(), send(), send());
    answered.response::<MetadataRequest>().await.unwrap();
    for answer in [silent, closed] {
        let error = answer.response::<MetadataRequest>().await.unwrap_err();
        assert_eq!((error.error.kind(), error.sent), (ErrorKind::Disconnected, true));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_ends_the_connection() {
    let broker = broker(|_| Reply::Silence).await;
    let connection = open(&broker).await;
    let patient = connection.send(&MetadataRequest::default(), 9, PATIENCE).unwrap();
    let error = connection.call(&MetadataRequest::default(), 9, Duration::from_millis(20)).await.unwrap_err();
    assert_eq!((error.error.kind(), error.sent), (ErrorKind::TimedOut, true));
    assert_eq!(patient.frame().await.unwrap_err().error.kind(), ErrorKind::TimedOut);
    assert!(!connection.is_usable());
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_given_up() {
    let broker = FakeBroker::start(|_| Reply::Silence).await;
    let options = ClientOptions { connect_timeout: Duration::from_millis(50), ..broker.options() };
    let error = Connection::open(&target(&broker), None, &options).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::TimedOut), "{error}");
    assert!(error.is_retriable());
}

#[tokio::test]
async fn an_unused_connection_ends() {
    let broker = broker(|asked| asked.answer(&MetadataResponse::default())).await;
    let options = ClientOptions { connections_max_idle: Duration::from_millis(30), ..broker.options() };
    let connection = Connection::open(&target(&broker), None, &options).await.unwrap();
    connection.call(&MetadataRequest::default(), 9, PATIENCE).await.unwrap();
    tokio::time::timeout(PATIENCE, connection.ended()).await.unwrap();
}

#[tokio::test]
async fn what_was_accepted_is_written_when_the_last_handle_goes() {
    let (seen, mut sees) = tokio::sync::mpsc::unbounded_channel();
    let broker = broker(move |asked| {
        seen.send(asked.body.len()).unwrap();
        Reply::Silence
    })
    .await;
    let connection = open(&broker).await;
    // More than a socket takes at once.
    let large = connection.encode(ApiKey::Produce, 3, 0, |out| {
        out.put_bytes(7, 32 << 20);
        Ok(())
    });
    let answer = connection.send_encoded(large.unwrap(), PATIENCE).unwrap();
    drop((answer, connection));
    let length = tokio::time::timeout(PATIENCE, sees.recv()).await.unwrap().unwrap();
    assert_eq!(length, 32 << 20);
}

#[tokio::test]
async fn a_request_without_an_answer_counts_once_it_is_written() {
    let (seen, mut sees) = tokio::sync::mpsc::unbounded_channel();
    let broker = broker(move |asked| match asked.api {
        ApiKey::Produce => {
            seen.send(asked.correlation).unwrap();
            Reply::Silence
        }
        _ => asked.answer(&MetadataResponse::default()),
    })
    .await;
    let connection = open(&broker).await;
    let unanswered = connection.encode(ApiKey::Produce, 3, 0, |out| {
        out.put_bytes(7, 100);
        Ok(())
    });
    connection.send_unanswered(unanswered.unwrap()).await.unwrap();
    // What comes behind it is answered.
    connection.call(&MetadataRequest::default(), 9, PATIENCE).await.unwrap();
    assert_eq!(sees.recv().await, Some(1));
}

#[tokio::test]
async fn versions_are_those_of_the_broker() {
    let embedded = embedded_broker("connection versions", None).unwrap();
    let connection =
        Connection::open(&Target::InProcess(embedded, 1), None, &ClientOptions::default()).await.unwrap();
    assert!(connection.versions().serves(ApiVersionsRequest::KEY));
    assert!(connection.versions().iter().count() > 20);
}
