//! Snapshots as files, up and down.

use std::io::{Read, Seek, SeekFrom, Write};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use klamm_broker::Snapshot;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::body::{Answer, Answered, InPath};
use super::brokers::{Target, blocking};
use super::problem::{Kind, Problem};
use super::route::{Content, Route};
use super::state::{SnapshotKept, SnapshotPath};

/// How long a snapshot's file may be that is sent to the server.
pub const MAX_SNAPSHOT_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How much of a file is read at once on its way to a client.
const STEP_BYTES: usize = 256 * 1024;

/// How many parts of a file wait for the one who reads or writes it.
const PARTS: usize = 4;

/// The routes of this noun.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/snapshots/{snapshot}/file",
            "download_snapshot",
            "A snapshot as a file, to keep",
            download,
        )
        .gives_content(Content::Bytes)
        .refuses(&[Kind::NotFound])
        .of_the_server(),
        Route::put(
            "/snapshots/{snapshot}/file",
            "upload_snapshot",
            "Takes a snapshot from a file, and keeps it under this name, in the place of one that has it",
            upload,
        )
        .takes_bytes()
        .gives::<SnapshotKept>(201)
        .refuses(&[Kind::Invalid, Kind::LimitReached])
        .of_the_server(),
    ]
}

async fn download(
    target: Target,
    InPath(SnapshotPath { snapshot: name }): InPath<SnapshotPath>,
) -> Result<Response, Problem> {
    let file = blocking(move || {
        let snapshot = target.control.shared().snapshots.get(&name)?;
        let file = NamedTempFile::new().map_err(Problem::failed)?;
        snapshot.save(file.path())?;
        // `save` has put another file in its place.
        let saved = std::fs::File::open(file.path()).map_err(Problem::failed)?;
        let length = saved.metadata().map_err(Problem::failed)?.len();
        Ok((saved, file.into_temp_path(), length))
    });
    let (mut saved, path, length) = file.await?;
    let (to, parts) = mpsc::channel(PARTS);
    tokio::task::spawn_blocking(move || {
        // Gone from the folder when the last part is on its way, or nobody wants more.
        let _path = path;
        loop {
            let mut part = vec![0; STEP_BYTES];
            let read = match saved.read(&mut part) {
                Ok(0) => return,
                Ok(length) => {
                    part.truncate(length);
                    Ok(Bytes::from(part))
                }
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            if to.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    let mut response = Response::new(Body::new(Parts { parts, left: length }));
    let bytes = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, bytes);
    Ok(response)
}

/// The body of an answer that is read from a file.
struct Parts {
    parts: mpsc::Receiver<std::io::Result<Bytes>>,
    left: u64,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        task: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<std::io::Result<hyper::body::Frame<Bytes>>>> {
        self.parts.poll_recv(task).map(|part| {
            part.map(|part| {
                part.map(|bytes| {
                    self.left = self.left.saturating_sub(bytes.len() as u64);
                    hyper::body::Frame::data(bytes)
                })
            })
        })
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.left)
    }
}

async fn upload(
    target: Target,
    InPath(SnapshotPath { snapshot: name }): InPath<SnapshotPath>,
    request: Request,
) -> Answered<SnapshotKept> {
    check_length(request.headers())?;
    target.control.shared().snapshots.check_room(&name)?;
    let (to, parts) = mpsc::channel(PARTS);
    // Reading the body and writing the file go side by side; whichever ends first ends the other.
    let writing = blocking(move || write(parts));
    let (sent, written) = tokio::join!(pass_on(request.into_body(), to), writing);
    sent?;
    let file = written?;
    blocking(move || {
        let snapshot = Snapshot::load(file.path()).map_err(unreadable)?;
        let kept = target.control.shared().snapshots.keep(name, snapshot)?;
        Ok(Answer(StatusCode::CREATED, kept))
    })
    .await
}

/// Why a file is no snapshot. Its name here is nobody's concern.
fn unreadable(error: klamm_broker::SnapshotError) -> Problem {
    match error {
        klamm_broker::SnapshotError::Read { why, .. } => {
            Problem::invalid(format!("what was sent cannot be used as a snapshot: {why}"))
        }
        error => error.into(),
    }
}

fn too_large() -> Problem {
    let detail = format!(
        "the snapshot's file is longer than {MAX_SNAPSHOT_FILE_BYTES} bytes; load it in a program with Snapshot::load"
    );
    Problem::new(Kind::TooLarge, detail)
}

fn check_length(headers: &HeaderMap) -> Result<(), Problem> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    match told.and_then(|length| length.parse::<u64>().ok()) {
        Some(length) if length > MAX_SNAPSHOT_FILE_BYTES => Err(too_large()),
        _ => Ok(()),
    }
}

/// Hands the parts of a body on, up to the bound.
async fn pass_on(mut body: Body, to: mpsc::Sender<Bytes>) -> Result<(), Problem> {
    let mut length = 0_u64;
    loop {
        let frame = std::future::poll_fn(|task| std::pin::Pin::new(&mut body).poll_frame(task)).await;
        let Some(frame) = frame else { return Ok(()) };
        let frame = frame.map_err(|error| {
            Problem::new(Kind::BadParameter, format!("the body ended before it was whole: {error}"))
        })?;
        let Ok(part) = frame.into_data() else { continue };
        length = length.saturating_add(part.len() as u64);
        if length > MAX_SNAPSHOT_FILE_BYTES {
            return Err(too_large());
        }
        if to.send(part).await.is_err() {
            // The file cannot be written, and says why itself.
            return Ok(());
        }
    }
}

fn write(mut parts: mpsc::Receiver<Bytes>) -> Result<NamedTempFile, Problem> {
    let failed = |error| Problem::failed(format!("the snapshot's file cannot be written down: {error}"));
    let mut file = NamedTempFile::new().map_err(failed)?;
    while let Some(part) = parts.blocking_recv() {
        file.write_all(&part).map_err(failed)?;
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}
