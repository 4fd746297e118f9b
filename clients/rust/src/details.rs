//! Limits in detail (RFC 9396), as the wire profile has them.

use serde_json::{Map, Value};

use crate::claims::{Problem, require};
use crate::json::entries;
use crate::text::{is_identifier, is_string_or_uri};

const MAX_DETAILS: usize = 32;
const MAX_ENTRIES: usize = 100;
const MAX_DEPTH: usize = 8;
const MAX_VALUES: usize = 1000;

const LISTS: [&str; 4] = ["actions", "locations", "datatypes", "privileges"];

type Detail = Map<String, Value>;

pub fn read_details(value: &Value) -> Result<Vec<Detail>, Problem> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    require(
        (1..=MAX_DETAILS).contains(&list.len()),
        "authorization_details must be a list of 1 to 32 objects, each with a type",
    )?;
    let details = list.iter().map(read_detail).collect::<Result<_, _>>()?;
    require(
        count_values(value, MAX_DEPTH + 1).is_some_and(|count| count <= MAX_VALUES + 1),
        "authorization_details are too deep, or have more than 1000 values",
    )?;
    Ok(details)
}

fn read_detail(value: &Value) -> Result<Detail, Problem> {
    let kind = value.get("type").and_then(Value::as_str).filter(|kind| is_identifier(kind));
    let Some((detail, _)) = value.as_object().zip(kind) else {
        return Err("each of the authorization_details must be an object with a type".to_owned());
    };
    let is_text = |value: &Value| value.as_str().is_some_and(is_string_or_uri);
    require(detail.get("identifier").is_none_or(is_text), "the identifier of a detail must be text")?;
    for name in LISTS {
        let is_list = |value: &Value| {
            value.as_array().is_some_and(|list| (1..=MAX_ENTRIES).contains(&list.len()) && list.iter().all(is_text))
        };
        require(detail.get(name).is_none_or(is_list), &format!("{name} of a detail must be a list of 1 to 100 texts"))?;
    }
    Ok(detail.clone())
}

/// Counts the values in a value. None if it is too deep.
fn count_values(value: &Value, depth: usize) -> Option<usize> {
    let items: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => return Some(1),
    };
    let below = depth.checked_sub(1)?;
    items.into_iter().try_fold(1, |count, item| Some(count + count_values(item, below)?))
}

/// Finds a member that is none of RFC 9396 §2.2. A detail that has one covers no request.
pub fn unknown_member(details: &[Detail]) -> Option<&str> {
    details.iter().flat_map(Map::keys).map(String::as_str).find(|name| !is_member(name))
}

fn is_member(name: &str) -> bool {
    name == "type" || name == "identifier" || LISTS.contains(&name)
}

/// Whether each detail of the child lies within one of the parent.
pub fn are_narrower(child: &[Detail], parent: &[Detail]) -> bool {
    child.iter().all(|narrow| parent.iter().any(|wide| is_within(narrow, wide)))
}

fn is_within(narrow: &Detail, wide: &Detail) -> bool {
    // The type, and unknown members, must be equal: each may limit or grant.
    let must_equal = |name: &String| name == "type" || !is_member(name);
    if narrow.keys().chain(wide.keys()).filter(|name| must_equal(name)).any(|name| narrow.get(name) != wide.get(name)) {
        return false;
    }
    ["identifier"].iter().chain(&LISTS).all(|name| {
        let Some(limits) = wide.get(*name) else { return true };
        narrow.get(*name).is_some_and(|wanted| entries(wanted).iter().all(|entry| entries(limits).contains(entry)))
    })
}
