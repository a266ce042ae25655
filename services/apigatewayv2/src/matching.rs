//! Route keys: their form, and which of them a request means.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::store::Route;

/// The methods that a route key may name.
const METHODS: &[&str] = &["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Refuses what is neither `$default` nor `METHOD /path`.
pub(crate) fn check_route_key(key: &str) -> Result<(), Error> {
    if key == "$default" {
        return Ok(());
    }
    let bad = || {
        Error::bad(
            "The provided route key is not formatted properly for HTTP protocol. Format should be \
             \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\"",
        )
    };
    let (method, path) = key.split_once(' ').ok_or_else(bad)?;
    let path = path.strip_prefix('/').ok_or_else(bad)?;
    if !METHODS.contains(&method) || key.contains("//") {
        return Err(bad());
    }
    let segments: Vec<&str> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let inner = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let has_brace = segment.contains(['{', '}']);
        match inner {
            None if has_brace => return Err(bad()),
            Some("" | "+") => return Err(bad()),
            // A greedy variable takes all that is left, so nothing may follow it.
            Some(name) if name.ends_with('+') && index + 1 < segments.len() => return Err(bad()),
            _ => {}
        }
    }
    Ok(())
}

/// A route that was chosen, with its path's variables, still percent-encoded.
#[derive(Debug, PartialEq)]
pub(crate) struct Chosen<'a> {
    pub(crate) route: &'a Route,
    pub(crate) variables: BTreeMap<String, String>,
}

/// The most specific route for a method and path: literals before variables, variables before
/// greedy ones, a method before `ANY`, all before `$default`.
pub(crate) fn choose<'a>(
    routes: impl Iterator<Item = &'a Route>,
    method: &str,
    path: &str,
) -> Option<Chosen<'a>> {
    let mut best: Option<(Vec<u8>, Chosen<'a>)> = None;
    for route in routes {
        let Some((rank, variables)) = rank(&route.route_key, method, path) else { continue };
        if best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, Chosen { route, variables }));
        }
    }
    best.map(|(_, chosen)| chosen)
}

/// How well a key fits, as a rank to compare: one number a segment, then the method.
fn rank(key: &str, method: &str, path: &str) -> Option<(Vec<u8>, BTreeMap<String, String>)> {
    if key == "$default" {
        return Some((Vec::new(), BTreeMap::new()));
    }
    let (key_method, pattern) = key.split_once(' ')?;
    if key_method != "ANY" && key_method != method {
        return None;
    }
    let mut variables = BTreeMap::new();
    let mut rank = Vec::new();
    let mut segments = path.trim_start_matches('/').split('/');
    for part in pattern.trim_start_matches('/').split('/') {
        let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            if segments.next()? != part {
                return None;
            }
            rank.push(3);
            continue;
        };
        if let Some(name) = name.strip_suffix('+') {
            let rest: Vec<&str> = segments.by_ref().collect();
            if rest.iter().all(|segment| segment.is_empty()) {
                return None;
            }
            variables.insert(name.to_owned(), rest.join("/"));
            rank.push(1);
        } else {
            let value = segments.next().filter(|value| !value.is_empty())?;
            variables.insert(name.to_owned(), value.to_owned());
            rank.push(2);
        }
    }
    // A trailing slash is ignored, as AWS ignores it.
    if segments.any(|left| !left.is_empty()) {
        return None;
    }
    rank.push(if key_method == "ANY" { 1 } else { 2 });
    Some((rank, variables))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(keys: &[&str], method: &str, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let routes: Vec<Route> = keys
            .iter()
            .map(|key| Route {
                route_key: (*key).to_owned(),
                target: None,
                operation_name: None,
                managed: false,
            })
            .collect();
        let chosen = choose(routes.iter(), method, path)?;
        let variables = chosen.variables.into_iter().collect();
        Some((chosen.route.route_key.clone(), variables))
    }

    #[test]
    fn the_most_specific_route_wins() {
        let keys = [
            "$default",
            "ANY /{proxy+}",
            "GET /photos",
            "GET /photos/{id}",
            "ANY /photos/{id}",
            "GET /photos/latest",
            "GET /photos/{id}/{rest+}",
        ];
        let expect = |method: &str, path: &str, key: &str| {
            let found = chosen(&keys, method, path).map(|(key, _)| key);
            assert_eq!(found.as_deref(), Some(key), "{method} {path}");
        };
        expect("GET", "/photos", "GET /photos");
        expect("GET", "/photos/", "GET /photos");
        expect("GET", "/photos/7", "GET /photos/{id}");
        expect("POST", "/photos/7", "ANY /photos/{id}");
        expect("GET", "/photos/latest", "GET /photos/latest");
        expect("GET", "/photos/7/faces/1", "GET /photos/{id}/{rest+}");
        expect("POST", "/else", "ANY /{proxy+}");
        expect("POST", "/", "$default");
        assert_eq!(chosen(&["GET /a"], "GET", "/b"), None);
        assert_eq!(chosen(&["GET /a"], "POST", "/a"), None);
    }

    #[test]
    fn variables_are_taken_from_the_path() {
        let (_, variables) = chosen(&["GET /a/{b}/{c+}"], "GET", "/a/x%20y/1/2").expect("a route");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(variables, [pair("b", "x%20y"), pair("c", "1/2")]);
    }

    #[test]
    fn route_keys_have_a_form() {
        for good in ["$default", "GET /", "ANY /a/{b}/{c+}", "POST /a-b_c.d"] {
            assert!(check_route_key(good).is_ok(), "{good}");
        }
        for bad in
            ["", "GET", "GET photos", "BREW /", "GET /{a+}/b", "GET /{}", "GET /a{b}", "GET //"]
        {
            assert!(check_route_key(bad).is_err(), "{bad}");
        }
    }
}
