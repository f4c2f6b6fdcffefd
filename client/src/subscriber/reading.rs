//! Iterators and streams over a subscriber.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::Subscriber;
use crate::backend::BoxFuture;
use crate::codec::{Codec, Json};
use crate::details::after;
use crate::error::{ClientError, ErrorKind};
use crate::record::Record;

/// Records, one after the other, each as soon as it is there. Made by [`Subscriber::records`]; ends when the subscriber is
/// stopped, and after `consumer_timeout_ms` without a record where that is set.
#[derive(Debug)]
pub struct Records<'s, C = Json> {
    pub(super) subscriber: &'s Subscriber<C>,
}

impl<C: Codec> Iterator for Records<'_, C> {
    type Item = Result<Record, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        let core = &self.subscriber.core;
        unless_stopped(core.take(core.config.iteration_timeout.map(after)))
    }
}

/// Values, one after the other, each as soon as it is there. Made by [`Subscriber::iter`]; ends as [`Records`] does.
#[derive(Debug)]
pub struct Values<'s, T, C = Json> {
    pub(super) subscriber: &'s Subscriber<C>,
    pub(super) values: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned, C: Codec> Iterator for Values<'_, T, C> {
    type Item = Result<T, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        let core = &self.subscriber.core;
        unless_stopped(self.subscriber.data_until(core.config.iteration_timeout.map(after)))
    }
}

/// A stream of records. Made by [`Subscriber::record_stream`]; ends when the subscriber is stopped. It needs no certain
/// runtime.
pub struct RecordStream<C = Json> {
    subscriber: Subscriber<C>,
    waiting: Option<BoxFuture<'static, Result<Option<Record>, ClientError>>>,
}

/// A stream of values. Made by [`Subscriber::stream`]; ends when the subscriber is stopped. It needs no certain runtime.
pub struct ValueStream<T, C = Json> {
    subscriber: Subscriber<C>,
    waiting: Option<BoxFuture<'static, Result<Option<T>, ClientError>>>,
}

impl<C> RecordStream<C> {
    pub(super) fn new(subscriber: Subscriber<C>) -> Self {
        RecordStream { subscriber, waiting: None }
    }
}

impl<T, C> ValueStream<T, C> {
    pub(super) fn new(subscriber: Subscriber<C>) -> Self {
        ValueStream { subscriber, waiting: None }
    }
}

impl<C: Codec> Stream for RecordStream<C> {
    type Item = Result<Record, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.waiting.is_none() {
            // Mostly something is there, and nothing has to be allocated to wait for it.
            if let Some(outcome) = self.subscriber.core.take_now().transpose() {
                return Poll::Ready(unless_stopped(outcome.map(Some)));
            }
        }
        let this = &mut *self;
        let waiting = this.waiting.get_or_insert_with(|| {
            let core = std::sync::Arc::clone(&this.subscriber.core);
            Box::pin(async move { core.take_async(None).await })
        });
        let outcome = std::task::ready!(waiting.as_mut().poll(context));
        this.waiting = None;
        Poll::Ready(unless_stopped(outcome))
    }
}

impl<T: DeserializeOwned + Send + 'static, C: Codec> Stream for ValueStream<T, C> {
    type Item = Result<T, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.waiting.is_none()
            && let Some(outcome) = self.subscriber.data_now().transpose()
        {
            return Poll::Ready(unless_stopped(outcome.map(Some)));
        }
        let this = &mut *self;
        let waiting = this.waiting.get_or_insert_with(|| {
            let subscriber = this.subscriber.clone();
            Box::pin(async move { subscriber.data_until_async(None).await })
        });
        let outcome = std::task::ready!(waiting.as_mut().poll(context));
        this.waiting = None;
        Poll::Ready(unless_stopped(outcome))
    }
}

impl<C> std::fmt::Debug for RecordStream<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordStream").field("subscriber", &self.subscriber).finish_non_exhaustive()
    }
}

impl<T, C> std::fmt::Debug for ValueStream<T, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueStream").field("subscriber", &self.subscriber).finish_non_exhaustive()
    }
}

/// An item of an iterator or a stream: none at its end.
fn unless_stopped<T>(outcome: Result<Option<T>, ClientError>) -> Option<Result<T, ClientError>> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::NotRunning => None,
        outcome => outcome.transpose(),
    }
}
