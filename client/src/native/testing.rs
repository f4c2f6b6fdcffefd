//! A broker that answers as a test tells it to.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiKey, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::options::{Bootstrap, ClientOptions};

/// A request that the broker got.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
    pub(crate) body: Bytes,
}

/// What it does about it.
pub(crate) enum Reply {
    /// Answers with this frame.
    Answer(Bytes),
    /// Sends these bytes, whatever they are.
    Raw(Bytes),
    /// Does nothing.
    Silence,
    /// Closes the connection.
    Close,
}

impl Asked {
    /// The request.
    pub(crate) fn decode<R: Request>(&self) -> R {
        R::decode(&mut self.body.clone(), self.version).unwrap()
    }

    /// An answer to it.
    pub(crate) fn answer<T: Encodable>(&self, response: &T) -> Reply {
        self.answer_in(self.version, response)
    }

    /// An answer in another version.
    pub(crate) fn answer_in<T: Encodable>(&self, version: i16, response: &T) -> Reply {
        let mut out = BytesMut::new();
        let header = ResponseHeader::default().with_correlation_id(self.correlation);
        header.encode(&mut out, self.api.response_header_version(version)).unwrap();
        response.encode(&mut out, version).unwrap();
        Reply::Answer(out.freeze())
    }

    /// An answer that serves these APIs in these versions; to ApiVersions.
    pub(crate) fn serving(&self, apis: &[(ApiKey, i16, i16)]) -> Reply {
        let apis = apis.iter().map(|(api, oldest, newest)| {
            ApiVersion::default()
                .with_api_key(*api as i16)
                .with_min_version(*oldest)
                .with_max_version(*newest)
        });
        self.answer(&ApiVersionsResponse::default().with_api_keys(apis.collect()))
    }
}

/// Every API in the versions that Kafka 4 has.
pub(crate) fn all_apis(asked: &Asked) -> Reply {
    asked.serving(&[
        (ApiKey::Produce, 3, 12),
        (ApiKey::Fetch, 4, 12),
        (ApiKey::ListOffsets, 1, 9),
        (ApiKey::Metadata, 0, 13),
        (ApiKey::FindCoordinator, 0, 6),
        (ApiKey::ApiVersions, 0, 4),
        (ApiKey::SaslHandshake, 0, 1),
        (ApiKey::SaslAuthenticate, 0, 2),
        (ApiKey::ListGroups, 0, 5),
        (ApiKey::DeleteTopics, 1, 6),
    ])
}

/// A broker on a free port of 127.0.0.1. It ends when it is dropped.
pub(crate) struct FakeBroker {
    pub(crate) port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeBroker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeBroker {
    /// Answers each request with what `reply` says.
    pub(crate) async fn start(reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> FakeBroker {
        Self::listen("127.0.0.1:0", None, reply).await
    }

    /// As `start`, behind TLS where it is given, at an address.
    pub(crate) async fn listen(
        address: &str,
        tls: Option<TlsAcceptor>,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> FakeBroker {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (reply, tls) = (Arc::clone(&reply), tls.clone());
                connections.spawn(accept(stream, tls, reply));
            }
        });
        FakeBroker { port, task }
    }

    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions {
            bootstrap: Bootstrap::Servers(vec![format!("localhost:{}", self.port)]),
            ..ClientOptions::default()
        }
    }
}

async fn accept(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    reply: Arc<impl Fn(&Asked) -> Reply + Send + Sync + 'static>,
) {
    match tls {
        None => serve(stream, reply).await,
        Some(tls) => {
            // Where it does not come about, the client tells what was wrong.
            if let Ok(stream) = tls.accept(stream).await {
                serve(stream, reply).await;
            }
        }
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    reply: Arc<impl Fn(&Asked) -> Reply + Send + Sync + 'static>,
) {
    while let Ok(length) = stream.read_i32().await {
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut frame).await.is_err() {
            return;
        }
        let mut frame = Bytes::from(frame);
        let api = ApiKey::try_from(frame.clone().get_i16()).unwrap();
        let version = frame.slice(2..).get_i16();
        let header = RequestHeader::decode(&mut frame, api.request_header_version(version)).unwrap();
        let asked = Asked { api, version, correlation: header.correlation_id, body: frame };
        let out = match reply(&asked) {
            Reply::Answer(body) => {
                let mut out = BytesMut::new();
                out.put_i32(i32::try_from(body.len()).unwrap());
                out.put_slice(&body);
                out.freeze()
            }
            Reply::Raw(bytes) => bytes,
            Reply::Silence => continue,
            Reply::Close => return,
        };
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}
