//! Names of parameters, and what selects a version of one.

use fogbank_core::Arn;

use crate::error::Error;
use crate::published::is_public;

/// How deep hierarchies are at most.
const MAX_LEVELS: usize = 15;
/// The longest name, without what AWS keeps for itself.
const MAX_CHARS: usize = 1011;

/// What a request's name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) account: String,
    pub(crate) region: String,
    /// The names that it can mean: an ARN does not tell whether a name begins with a slash.
    pub(crate) names: Vec<String>,
    /// What follows a colon: a version or a label.
    pub(crate) selector: Option<String>,
}

impl Named {
    /// Reads a name or an ARN, with or without a selector.
    pub(crate) fn parse(text: &str, account: &str, region: &str) -> Named {
        let text = text.trim();
        let arn = Arn::parse(text).filter(|arn| arn.service == "ssm");
        let (account, region, rest, is_arn) =
            match arn.and_then(|arn| Some((arn.resource.strip_prefix("parameter")?, arn))) {
                Some((name, arn)) => (arn.account, arn.region, name, true),
                None => (account, region, text, false),
            };
        let (name, selector) = match rest.split_once(':') {
            Some((name, selector)) => (name, Some(selector.to_owned())),
            None => (rest, None),
        };
        let mut names = vec![name.to_owned()];
        if is_arn && let Some(bare) = name.strip_prefix('/').filter(|bare| !bare.contains('/')) {
            names.push(bare.to_owned());
        }
        Named { account: account.to_owned(), region: region.to_owned(), names, selector }
    }
}

const MALFORMED: &str = "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can \
                         consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, \
                         numbers and the following 3 symbols .-_";

/// Refuses what no new parameter can be called.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    let is_path = name.matches('/').count() > 1;
    let start = name.trim_start_matches('/').to_lowercase();
    if start.starts_with("aws") || start.starts_with("ssm") {
        if name.to_lowercase().starts_with("/aws") && is_path {
            let message = format!("No access to reserved parameter name: {name}.");
            return Err(Error::AccessDeniedException(message));
        }
        return Err(Error::invalid(match is_path {
            true => MALFORMED,
            false => {
                "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive)."
            }
        }));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(Error::invalid("Parameter name must be a fully qualified name."));
    }
    let path = name.strip_prefix('/').unwrap_or(name);
    let fits = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if !path.split('/').all(fits) || name.len() > MAX_CHARS {
        return Err(Error::invalid(MALFORMED));
    }
    if name.starts_with('/') && path.split('/').count() > MAX_LEVELS {
        // AWS's words are not known; these are its model's.
        return Err(Error::HierarchyLevelLimitExceededException(format!(
            "A hierarchy can have a maximum of {MAX_LEVELS} levels."
        )));
    }
    Ok(())
}

/// Refuses what is no path of a hierarchy.
pub(crate) fn check_path(path: &str) -> Result<(), Error> {
    let fits = |part: &str| {
        part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let rest = path.strip_prefix('/');
    let parts: Option<Vec<&str>> =
        rest.map(|rest| rest.strip_suffix('/').unwrap_or(rest).split('/').collect());
    let is_path = parts.is_some_and(|parts| {
        parts.iter().all(|part| fits(part)) && (parts.len() == 1 || !parts.contains(&""))
    });
    let start = path.trim_start_matches('/').to_lowercase();
    let is_reserved = start.starts_with("ssm") || (start.starts_with("aws") && !is_public(path));
    if is_path && !is_reserved {
        return Ok(());
    }
    Err(Error::invalid(
        "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \
         \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or \
         the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All \
         sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: \
         /get/parameters2-/by1./path0_.",
    ))
}

/// Whether a name lies under a path: directly, or anywhere below.
pub(crate) fn is_under(name: &str, path: &str, is_recursive: bool) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let rest = match path {
        "" => name.strip_prefix('/').unwrap_or(name),
        path => match name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => rest,
            None => return false,
        },
    };
    is_recursive || !rest.contains('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for name in ["a", "/a", "/a/b.c-d_E", &format!("/{}", "a/".repeat(14) + "a")] {
            assert!(check(name).is_ok(), "{name}");
        }
        for (name, expected) in [
            ("", "sub-paths divided"),
            ("a b", "sub-paths divided"),
            ("/a//b", "sub-paths divided"),
            ("/a/", "sub-paths divided"),
            ("a:b", "sub-paths divided"),
            ("a/b", "fully qualified"),
            ("awsome", "\"aws\" or \"ssm\""),
            ("/ssm/x/y", "\"ssm\""),
            ("/aws/x", "No access to reserved parameter name: /aws/x."),
            (&format!("/{}", "a/".repeat(15) + "a"), "15 levels"),
        ] {
            let refused = check(name).expect_err(name).to_string();
            assert!(refused.contains(expected), "{name}: {refused}");
        }
    }

    #[test]
    fn selectors_and_arns_are_read() {
        let parse = |text| {
            let named = Named::parse(text, "1", "r");
            (named.account, named.names.join(" "), named.selector)
        };
        let named = |account: &str, names: &str, selector: Option<&str>| {
            (account.to_owned(), names.to_owned(), selector.map(str::to_owned))
        };
        assert_eq!(parse(" /a/b "), named("1", "/a/b", None));
        assert_eq!(parse("/a/b:3"), named("1", "/a/b", Some("3")));
        assert_eq!(parse("a:prod"), named("1", "a", Some("prod")));
        let arn = "arn:aws:ssm:r:2:parameter/a/b:prod";
        assert_eq!(parse(arn), named("2", "/a/b", Some("prod")));
        assert_eq!(parse("arn:aws:ssm:r:2:parameter/a"), named("2", "/a a", None));
    }

    #[test]
    fn paths_hold_what_is_below_them() {
        assert!(is_under("/a/b", "/a", false) && is_under("/a/b", "/a/", false));
        assert!(!is_under("/a/b/c", "/a", false) && is_under("/a/b/c", "/a", true));
        assert!(!is_under("/ab", "/a", true) && !is_under("/a", "/a", true));
        assert!(is_under("/a", "/", false) && is_under("a", "/", false));
        assert!(!is_under("/a/b", "/", false) && is_under("/a/b", "/", true));
        assert!(check_path("/").is_ok() && check_path("/a/b/").is_ok());
        assert!(check_path("/aws/service/x").is_ok() && check_path("/aws/x").is_err());
        assert!(check_path("a").is_err() && check_path("/a//b").is_err());
    }
}
