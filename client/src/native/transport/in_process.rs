//! Frames over channels, to a broker of this process. Record data is not copied.

use bytes::Bytes;
use klamm_broker::ResponseFrame;

use super::{Frame, Inlet, Outlet};
use crate::embedded::EmbeddedBroker;
use crate::error::{ClientError, ErrorKind};

/// The bytes of length in front of an answer.
const LENGTH_BYTES: usize = 4;

pub(super) fn connect(broker: &EmbeddedBroker, node: i32) -> Result<(Outlet, Inlet), ClientError> {
    let connection = broker.connect_to(node).map_err(|error| {
        ClientError::new(
            ErrorKind::Unreachable,
            format!("connecting to node {node} of the embedded broker"),
            error.to_string(),
        )
    })?;
    let (sender, receiver) = connection.split();
    Ok((Outlet::InProcess(sender), Inlet::InProcess(receiver)))
}

/// An answer without its length.
pub(super) fn frame(answer: ResponseFrame) -> Frame {
    let mut pieces = answer.into_parts();
    let mut skip = LENGTH_BYTES;
    for piece in &mut pieces {
        let step = skip.min(piece.len());
        *piece = piece.slice(step..);
        skip -= step;
    }
    pieces.retain(|piece| !piece.is_empty());
    match <[Bytes; 1]>::try_from(pieces) {
        Ok([only]) => Frame::Whole(only),
        Err(pieces) => Frame::Pieces(pieces),
    }
}
