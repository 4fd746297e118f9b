use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use reqwest::Response;

/// A body of which a part was read already. An error ends the part.
struct ReadBefore {
    read: VecDeque<Result<Bytes, reqwest::Error>>,
    rest: reqwest::Body,
}

impl Body for ReadBefore {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.read.pop_front() {
            Some(chunk) => Poll::Ready(Some(chunk.map(Frame::data).map_err(Into::into))),
            None => Pin::new(&mut self.rest).poll_frame(context).map_err(Into::into),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let read: usize = self.read.iter().flatten().map(Bytes::len).sum();
        let rest = self.rest.size_hint();
        let read = read as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

/// Reads the body of an answer if it is not longer than a limit, and puts it back.
pub async fn peek(mut response: Response, limit: usize) -> (Response, Option<Bytes>) {
    let mut read = VecDeque::new();
    let mut length = 0;
    let mut is_whole = false;
    while length <= limit && !is_whole {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                length += chunk.len();
                read.push_back(Ok(chunk));
            }
            Ok(None) => is_whole = true,
            Err(error) => {
                read.push_back(Err(error));
                break;
            }
        }
    }
    let whole = (is_whole && length <= limit).then(|| {
        let chunks: Vec<&[u8]> = read.iter().flatten().map(AsRef::as_ref).collect();
        Bytes::from(chunks.concat())
    });
    (with_read(response, read), whole)
}

fn with_read(mut response: Response, read: VecDeque<Result<Bytes, reqwest::Error>>) -> Response {
    let (status, version) = (response.status(), response.version());
    let headers = std::mem::take(response.headers_mut());
    let url = response.url().clone();
    let extensions = std::mem::take(response.extensions_mut());
    let mut answer = http::Response::new(reqwest::Body::wrap(ReadBefore { read, rest: response.into() }));
    *answer.status_mut() = status;
    *answer.version_mut() = version;
    *answer.headers_mut() = headers;
    *answer.extensions_mut() = extensions;
    with_url(answer, url).into()
}

/// Gives an answer a URL, which only the builder of reqwest can.
fn with_url<T>(answer: http::Response<T>, url: reqwest::Url) -> http::Response<T> {
    use reqwest::ResponseBuilderExt as _;
    let made = http::Response::builder().url(url).body(());
    let (mut parts, body) = answer.into_parts();
    if let Ok(made) = made {
        parts.extensions.extend(made.into_parts().0.extensions);
    }
    http::Response::from_parts(parts, body)
}
