//! The two tasks of a connection: one writes what could not be written at once, one reads answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_protocol::guard;
use tokio::io::AsyncWriteExt;

use super::{AnswerFrame, Direct, Outgoing, Shared, Writer};
use crate::error::{ClientError, ErrorKind};
use crate::native::transport::{Frame, Inlet, InletError, tls};
use crate::options::ClientOptions;

/// How long what was accepted may take to be written once nobody holds the connection any more.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Starts both on the runtime that this is called on.
pub(super) fn start(shared: &Arc<Shared>, inlet: Inlet, writer: Option<Writer>, options: &ClientOptions) {
    let (most, idle) = (options.max_answer_bytes, options.connections_max_idle);
    tokio::spawn(read(Arc::clone(shared), inlet, most, idle));
    tokio::spawn(write(Arc::clone(shared), writer));
}

impl Shared {
    fn disconnected(&self, why: impl Into<String>) -> ClientError {
        ClientError::new(ErrorKind::Disconnected, format!("talking to {}", self.to), why)
    }

    /// Gives an answer to the request that it is for. Requests are answered in their order.
    fn deliver(&self, frame: Frame) -> Result<(), ClientError> {
        let malformed = |why: String| {
            ClientError::new(ErrorKind::MalformedAnswer, format!("reading an answer of {}", self.to), why)
        };
        let head = match &frame {
            Frame::Whole(bytes) => bytes.as_ref(),
            Frame::Pieces(pieces) => pieces.first().map_or(&[][..], AsRef::as_ref),
        };
        let correlation = guard::correlation_id(head).map_err(|error| malformed(error.to_string()))?;
        let mut due = self.due.lock();
        let Some(request) = due.pending.pop_front() else {
            return Err(malformed("nothing was asked".to_owned()));
        };
        if request.correlation != correlation {
            let expected = request.correlation;
            due.pending.push_front(request);
            return Err(malformed(format!(
                "it is for request {correlation}, and that for {expected} is due"
            )));
        }
        due.answered += 1;
        drop(due);
        // Who gave up waiting need not be told.
        let _ = request.answer.send(Ok(AnswerFrame::new(request.api, request.version, frame)));
        Ok(())
    }

    /// Whether nothing has been sent for `idle`, and nothing is waited for.
    fn is_idle(&self, idle: Duration) -> bool {
        let state = self.state.lock();
        self.due.lock().pending.is_empty() && state.outgoing.is_empty() && state.used.elapsed() >= idle
    }

    /// The next piece to write.
    fn take_outgoing(&self) -> Option<(Outgoing, Arc<Direct>)> {
        let mut state = self.state.lock();
        let direct = Arc::clone(state.direct.as_ref()?);
        // It stays in its place until it is written, so that nothing overtakes it.
        let next = state.outgoing.front_mut()?;
        let taken = Outgoing { number: next.number, bytes: next.bytes.clone(), written: next.written.take() };
        state.begun = state.begun.max(taken.number);
        Some((taken, direct))
    }

    fn written(&self, piece: Outgoing) {
        self.state.lock().outgoing.pop_front();
        if let Some(written) = piece.written {
            // Who gave up waiting need not be told.
            let _ = written.send(());
        }
    }
}

async fn read(shared: Arc<Shared>, mut inlet: Inlet, most: usize, idle: Duration) {
    let mut stop = shared.stop.subscribe();
    let mut look = Box::pin(tokio::time::sleep(idle));
    let reason = loop {
        tokio::select! {
            frame = inlet.next(most) => match frame.map_err(|error| ended(&shared, &error)) {
                Ok(frame) => if let Err(error) = shared.deliver(frame) {
                    break error;
                },
                Err(error) => break error,
            },
            _ = stop.wait_for(|stop| *stop) => break shared.disconnected("the connection was closed"),
            () = &mut look => {
                if shared.is_idle(idle) {
                    break shared.disconnected("the connection was not used for long");
                }
                look.as_mut().reset((Instant::now() + idle / 2).into());
            }
        }
    };
    if *shared.stop.borrow() {
        // Somebody may still be owed what was accepted: the writer ends it.
        shared.write.notify_one();
    } else {
        shared.end(reason);
    }
}

/// What a TLS alert begins with. Who speaks TLS answers with one to what is not TLS.
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

fn ended(shared: &Shared, error: &InletError) -> ClientError {
    match error {
        InletError::Length { length, .. } if length.to_be_bytes().starts_with(&TLS_ALERT) => {
            let asked = format!("talking to {}", shared.to);
            ClientError::new(ErrorKind::Authentication, asked, "what answers there speaks TLS")
                .remedy("set security_protocol to SSL or SASL_SSL, or correct the port")
        }
        InletError::Length { .. } => {
            let asked = format!("reading an answer of {}", shared.to);
            ClientError::new(ErrorKind::MalformedAnswer, asked, error.to_string())
                .remedy("raise receive_message_max_bytes if it is an honest one, or correct the port")
        }
        InletError::Io(failure) => match tls::refusal(failure) {
            Some(why) => {
                let (asked, why) =
                    (format!("talking to {}", shared.to), format!("the broker ended the connection: {why}"));
                ClientError::new(ErrorKind::Authentication, asked, why)
                    .remedy("give a certificate that it believes as ssl_certfile, and its key as ssl_keyfile")
            }
            None => shared.disconnected(error.to_string()),
        },
        InletError::Closed => {
            let closed = shared.disconnected(error.to_string());
            // Versions are told to anybody. Who is to sign on and does not is let go without a word.
            match shared.due.lock().answered {
                0 | 1 => closed.remedy("if the broker wants TLS or a password there, set security_protocol"),
                _ => closed,
            }
        }
    }
}

/// Writes what could not be written at once, until the connection has ended or no handle is left.
async fn write(shared: Arc<Shared>, mut writer: Option<Writer>) {
    loop {
        while let Some((piece, direct)) = shared.take_outgoing() {
            let written = tokio::select! {
                written = write_piece(&direct, writer.as_mut(), piece.bytes.clone()) => written,
                () = given_up(&shared) => Err(std::io::ErrorKind::TimedOut.into()),
            };
            if let Err(error) = written {
                shared.end(shared.disconnected(format!("the connection failed: {error}")));
                return;
            }
            shared.written(piece);
        }
        if *shared.stop.borrow() {
            shared.end(shared.disconnected("the connection was closed"));
            return;
        }
        shared.write.notified().await;
    }
}

/// Ends when what is being written need not be written any more.
async fn given_up(shared: &Shared) {
    let mut stop = shared.stop.subscribe();
    // The sender is alive as long as what it belongs to.
    let _ = stop.wait_for(|stop| *stop).await;
    if shared.state.lock().ended.is_none() {
        tokio::time::sleep(CLOSE_PATIENCE).await;
    }
}

async fn write_piece(direct: &Direct, writer: Option<&mut Writer>, mut bytes: Bytes) -> std::io::Result<()> {
    match (direct, writer) {
        (Direct::InProcess(sender), _) => {
            sender.send(bytes.slice(4..)).await.map_err(|_| std::io::ErrorKind::BrokenPipe.into())
        }
        (Direct::Tcp(stream), _) => {
            while !bytes.is_empty() {
                stream.writable().await?;
                match stream.try_write(&bytes) {
                    Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                    Ok(written) => bytes = bytes.slice(written..),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
        (Direct::Nothing, Some(writer)) => {
            writer.write_all(&bytes).await?;
            writer.flush().await
        }
        (Direct::Nothing, None) => Err(std::io::ErrorKind::NotConnected.into()),
    }
}
