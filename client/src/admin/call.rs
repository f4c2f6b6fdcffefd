//! A call that is under way: to be awaited, or waited for by a thread.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::error::{ClientError, ErrorKind};
use crate::runtime;

/// A call of an [`Admin`](super::Admin)'s that is under way. Await it in a task, or [`wait`](Call::wait) for it in a thread.
///
/// The work is done in the background from the moment of the call on, whatever becomes of this.
#[derive(Debug)]
#[must_use = "what became of the call is known only to who waits for it"]
pub struct Call<T> {
    outcome: oneshot::Receiver<Result<T, ClientError>>,
}

impl<T: Send + 'static> Call<T> {
    /// Begins `work` on the client's runtime.
    pub(super) fn begin(work: impl Future<Output = Result<T, ClientError>> + Send + 'static) -> Self {
        let (sender, outcome) = oneshot::channel();
        match runtime::handle() {
            Ok(runtime) => {
                runtime.spawn(async move {
                    // Who does not wait does not want to know.
                    let _ = sender.send(work.await);
                });
            }
            Err(error) => {
                let _ = sender.send(Err(error));
            }
        }
        Call { outcome }
    }

    /// Blocks the thread until it is done. May be called anywhere.
    ///
    /// # Errors
    /// As the call itself.
    pub fn wait(self) -> Result<T, ClientError> {
        runtime::block_on(self)?
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(context).map(|outcome| {
            outcome.unwrap_or_else(|_| {
                let why = "the work was given up: a thread of the client's panicked";
                Err(ClientError::new(ErrorKind::System, "administering the cluster", why))
            })
        })
    }
}

/// What became of each of several things, in the order in which they were asked for.
#[derive(Debug, Clone)]
pub struct Each<K, T>(Vec<(K, Result<T, ClientError>)>);

impl<K, T> Each<K, T> {
    pub(super) fn new(outcomes: Vec<(K, Result<T, ClientError>)>) -> Self {
        Each(outcomes)
    }

    /// The outcomes.
    pub fn iter(&self) -> std::slice::Iter<'_, (K, Result<T, ClientError>)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What became of one of them, if it was asked for.
    pub fn get(&self, key: &K) -> Option<&Result<T, ClientError>>
    where
        K: PartialEq,
    {
        self.0.iter().find(|(asked, _)| asked == key).map(|(_, outcome)| outcome)
    }

    /// All of them, if all succeeded.
    ///
    /// # Errors
    /// The first error that there is. Others may have succeeded all the same.
    pub fn all(self) -> Result<Vec<(K, T)>, ClientError> {
        self.0.into_iter().map(|(key, outcome)| outcome.map(|value| (key, value))).collect()
    }

    /// Those that failed.
    pub fn errors(&self) -> impl Iterator<Item = (&K, &ClientError)> {
        self.0.iter().filter_map(|(key, outcome)| outcome.as_ref().err().map(|error| (key, error)))
    }
}

impl<K, T> IntoIterator for Each<K, T> {
    type Item = (K, Result<T, ClientError>);
    type IntoIter = std::vec::IntoIter<(K, Result<T, ClientError>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K, T> IntoIterator for &'a Each<K, T> {
    type Item = &'a (K, Result<T, ClientError>);
    type IntoIter = std::slice::Iter<'a, (K, Result<T, ClientError>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
