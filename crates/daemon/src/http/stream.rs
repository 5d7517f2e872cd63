//! Answers that go on for as long as there is something to say.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use rackweave_api::http::JSON_LINES;
use rackweave_api::local::encode;
use serde::Serialize;
use tokio::sync::mpsc;

/// A stream of JSON values, one on each line, until all senders are dropped. A sender fails once the client is gone.
#[derive(Debug)]
pub struct Lines<T>(pub mpsc::Receiver<T>);

/// A stream of octets, until all senders are dropped. A sender fails once the client is gone.
#[derive(Debug)]
pub struct Octets(pub mpsc::Receiver<Bytes>);

impl<T: Serialize + Send + 'static> IntoResponse for Lines<T> {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, JSON_LINES)], Body::new(self)).into_response()
    }
}

impl IntoResponse for Octets {
    fn into_response(self) -> Response {
        let media = "application/octet-stream";
        ([(CONTENT_TYPE, media)], Body::new(self)).into_response()
    }
}

impl<T: Serialize> hyper::body::Body for Lines<T> {
    type Data = Bytes;
    type Error = serde_json::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, serde_json::Error>>> {
        self.0.poll_recv(context).map(|value| {
            value.map(|value| {
                let mut line = Vec::new();
                encode(&value, &mut line).map(|()| Frame::data(line.into()))
            })
        })
    }
}

impl hyper::body::Body for Octets {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let octets = self.0.poll_recv(context);
        octets.map(|octets| octets.map(|octets| Ok(Frame::data(octets))))
    }
}
