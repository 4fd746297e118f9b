use std::net::Ipv6Addr;

use crate::error::{Code, Error};

/// Where a request goes, as it is signed and sent.
#[derive(Clone, Debug)]
pub struct Address {
    pub scheme: &'static str,
    /// In lower case, without the default port.
    pub authority: String,
    pub path: String,
    /// With its question mark; empty if there is none.
    pub query: String,
}

impl Address {
    /// Reads an absolute http(s) URL whose path and query are percent-encoded.
    pub fn read(url: &str) -> Result<Self, Error> {
        let plain = || unsupported("The URL must be absolute, http or https, and without user name and password.");
        let (scheme, rest) = url.split_once("://").ok_or_else(plain)?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => "http",
            _ if scheme.eq_ignore_ascii_case("https") => "https",
            _ => return Err(plain()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (before, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, path) = before.split_at(before.find('/').unwrap_or(before.len()));
        if authority.contains('@') {
            return Err(plain());
        }
        let path = if path.is_empty() { "/" } else { path };
        if !path.bytes().chain(query.bytes()).all(|byte| byte.is_ascii_graphic()) {
            return Err(unsupported("Percent-encode the path and the query first: a URL has printable ASCII only."));
        }
        if path.contains('\\') {
            return Err(unsupported("The path has a backslash, which some servers take for a slash."));
        }
        if has_dot_segment(path) {
            return Err(unsupported("The path has a dot segment ('.' or '..'). Resolve it first."));
        }
        let authority = read_authority(scheme, authority).ok_or_else(|| {
            unsupported("The URL names no host that can be signed. Write an international name in its ASCII form.")
        })?;
        Ok(Self { scheme, authority, path: path.to_owned(), query: query.to_owned() })
    }

    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// What is on the request line.
    pub fn target(&self) -> String {
        format!("{}{}", self.path, self.query)
    }

    /// Whether nobody on the way can read: https, or a loopback address.
    pub fn is_private(&self) -> bool {
        self.scheme == "https" || is_loopback(&self.authority)
    }
}

/// Some servers decode separators before they resolve dot segments, some drop a path parameter first.
fn has_dot_segment(path: &str) -> bool {
    let plain = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/").replace("%3b", ";");
    plain.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | "..")))
}

/// An authority in lower case and without the default port.
pub fn read_authority(scheme: &str, authority: &str) -> Option<String> {
    let port_at =
        if authority.starts_with('[') { authority.find(']')? + 1 } else { authority.find(':').unwrap_or(authority.len()) };
    let (host, after) = authority.split_at(port_at);
    let port = if after.is_empty() { "" } else { after.strip_prefix(':')? };
    if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => drop(address.parse::<Ipv6Addr>().ok()?),
        None if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)) => {
            return None;
        }
        None => {}
    }
    let host = host.to_ascii_lowercase();
    let default = if scheme == "http" { "80" } else { "443" };
    Some(if port.is_empty() || port == default { host } else { format!("{host}:{port}") })
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = host.split('.').collect();
    host == "localhost" || host == "[::1]" || parts.len() == 4 && parts[0] == "127" && parts.iter().all(|part| is_number(part))
}

fn unsupported(message: &str) -> Error {
    Error::new(Code::UrlUnsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_private_without_tls() {
        let is_private = |url: &str| Address::read(url).is_ok_and(|to| to.is_private());
        for url in ["http://127.0.0.1", "http://127.9.9.9:80/", "http://localhost:3000", "http://[::1]:1/", "https://a.example"] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://127.0.0.1.a.example",
            "http://[::2]:1/",
            "http://127.1/",
            "http://a.localhost",
            "http://1270.0.0.1",
            "http://[::1",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for url in [
            "https://",
            "https:///a",
            "https://a b/",
            "https://ü.example/",
            "https://[::1]x/",
            "https://[v1]/",
            "https://a:b/",
            "https://a:123456/",
            "//a/",
            "https:/a",
        ] {
            assert_eq!(Address::read(url).err().map(|error| error.code()), Some(Code::UrlUnsupported), "{url}");
        }
    }
}
