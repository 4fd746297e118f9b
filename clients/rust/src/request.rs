//! Requests of the crate `http`, which most HTTP clients take.

use http::uri::{Authority, PathAndQuery, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::agent::Agent;
use crate::error::Error;
use crate::sign::{Credentials, Field, Unsigned, malformed};

/// Signs a request of the crate `http`.
pub fn sign_request<B: AsRef<[u8]>>(
    agent: &Agent,
    held: &Credentials,
    request: http::Request<B>,
) -> Result<http::Request<B>, Error> {
    let (mut parts, body) = request.into_parts();
    let uri = &parts.uri;
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let authority = uri.authority().map_or("", Authority::as_str);
    let url = format!("{}://{authority}{target}", uri.scheme_str().unwrap_or_default());
    let unsigned = Unsigned { method: parts.method.as_str(), url: &url, fields: fields_of(&parts.headers)?, body: body.as_ref() };
    let signed = agent.sign_with(held, unsigned)?;
    let host = parts.headers.remove(header::HOST);
    let uri = Uri::builder()
        .scheme(signed.address.scheme)
        .authority(signed.address.authority.as_str())
        .path_and_query(signed.address.target());
    parts.uri = uri.build().map_err(|_| malformed("The URL cannot be sent."))?;
    parts.headers = headers_of(signed.fields)?;
    if let Some(host) = host {
        parts.headers.insert(header::HOST, host);
    }
    Ok(http::Request::from_parts(parts, body))
}

pub fn fields_of(headers: &HeaderMap) -> Result<Vec<Field>, Error> {
    if headers.contains_key(header::TRAILER) {
        return Err(malformed("A trailer cannot be signed."));
    }
    // The HTTP client frames the body itself.
    let sent = headers.iter().filter(|(name, _)| *name != header::TRANSFER_ENCODING);
    Ok(sent.map(|(name, value)| Field::new(name.as_str(), value.as_bytes())).collect())
}

pub fn headers_of(fields: Vec<Field>) -> Result<HeaderMap, Error> {
    const SECRET: [&str; 4] = ["authorization", "agent-delegation", "agent-approval", "signature"];
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| malformed("A header field has no name of HTTP."))?;
        let value = HeaderValue::from_bytes(&field.value);
        let mut value = value.map_err(|_| malformed("A header field has no value of HTTP."))?;
        value.set_sensitive(SECRET.contains(&name.as_str()));
        headers.append(name, value);
    }
    Ok(headers)
}
