use serde_json::Value;

use crate::address::Address;
use crate::client::authority::Authority;
use crate::error::Error;

impl Authority {
    /// Finds an endpoint in the metadata of the authority (RFC 8414 §3; `OpenID` Connect Discovery §4), and keeps it.
    pub async fn endpoint(&self, name: &'static str) -> Result<String, Error> {
        if let Some(known) = self.known_endpoint(name) {
            return Ok(known);
        }
        let to = Address::read(&self.issuer)?;
        let path = to.path.trim_end_matches('/');
        for metadata in [
            format!("{}/.well-known/oauth-authorization-server{path}", to.origin()),
            format!("{}{path}/.well-known/openid-configuration", to.origin()),
        ] {
            let got = self.send(reqwest::Method::GET, &metadata, None, String::new()).await?;
            if got.status != 200 {
                continue;
            }
            // Metadata of another issuer would send the assertion to another server.
            if got.member("issuer").and_then(Value::as_str) != Some(&self.issuer) {
                return Err(self.unavailable("its metadata names another issuer"));
            }
            let endpoint = got.member(name).and_then(Value::as_str).and_then(|url| Address::read(url).ok());
            let endpoint = endpoint.filter(|to| to.is_private() || self.rules.dangerously_allow_http);
            let endpoint = endpoint.ok_or_else(|| self.unavailable(&format!("its metadata has no {name} with https")))?;
            let url = format!("{}{}", endpoint.origin(), endpoint.target());
            self.keep_endpoint(name, url.clone());
            return Ok(url);
        }
        Err(self.unavailable("it has no metadata"))
    }
}
