//! Snapshots as files, up and down.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use klamm_broker::Snapshot;
use tempfile::{NamedTempFile, TempPath};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};

use super::body::{Answer, Answered, InPath, discard};
use super::brokers::{Target, blocking};
use super::problem::{Kind, Problem};
use super::route::{Content, Route};
use super::state::{SnapshotKept, SnapshotPath};

/// How long a snapshot's file may be that is sent to the server.
pub const MAX_SNAPSHOT_FILE_BYTES: u64 = 1024 * 1024 * 1024;

/// How much of a file is read at once on its way to a client.
const STEP_BYTES: usize = 256 * 1024;

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
    let (saved, path, left) = file.await?;
    let parts = Parts { file: saved.into(), left, part: vec![0; STEP_BYTES], _path: path };
    let mut response = Response::new(Body::new(parts));
    let bytes = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, bytes);
    Ok(response)
}

/// The body of an answer that is read from a file, as fast as the client takes it.
struct Parts {
    file: File,
    left: u64,
    part: Vec<u8>,
    /// Deletes the file when the last part is on its way, or nobody wants more.
    _path: TempPath,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let Parts { file, left, part, .. } = self.get_mut();
        let mut read = ReadBuf::new(part);
        if let Err(error) = ready!(Pin::new(file).poll_read(task, &mut read)) {
            return Poll::Ready(Some(Err(error)));
        }
        let bytes = Bytes::copy_from_slice(read.filled());
        *left = left.saturating_sub(bytes.len() as u64);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

async fn upload(
    target: Target,
    path: Result<InPath<SnapshotPath>, Problem>,
    request: Request,
) -> Answered<SnapshotKept> {
    let accepted = path.and_then(|InPath(SnapshotPath { snapshot: name })| {
        check_length(request.headers())?;
        target.control.shared().snapshots.check_room(&name)?;
        Ok(name)
    });
    let name = match accepted {
        Ok(name) => name,
        Err(problem) => {
            discard(request).await;
            return Err(problem);
        }
    };
    let (file, path) =
        blocking(|| NamedTempFile::new().map(NamedTempFile::into_parts).map_err(not_written)).await?;
    write(request.into_body(), file.into()).await?;
    blocking(move || {
        let snapshot = Snapshot::load(&path).map_err(unreadable)?;
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

fn not_written(error: std::io::Error) -> Problem {
    Problem::failed(format!("the snapshot's file cannot be written down: {error}"))
}

/// Writes a body to a file, up to the bound, as fast as it comes.
async fn write(mut body: Body, mut file: File) -> Result<(), Problem> {
    let mut length = 0_u64;
    while let Some(frame) = poll_fn(|task| Pin::new(&mut body).poll_frame(task)).await {
        let frame = frame.map_err(|error| {
            Problem::new(Kind::BadParameter, format!("the body ended before it was whole: {error}"))
        })?;
        let Ok(part) = frame.into_data() else { continue };
        length = length.saturating_add(part.len() as u64);
        if length > MAX_SNAPSHOT_FILE_BYTES {
            return Err(too_large());
        }
        file.write_all(&part).await.map_err(not_written)?;
    }
    file.flush().await.map_err(not_written)
}
