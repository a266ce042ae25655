//! Which function a caller means: a name, a partial or a whole ARN, each with or without a qualifier.

use fogbank_core::arn;

use crate::error::{Error, invalid};

/// The unpublished version of a function.
pub(crate) const LATEST: &str = "$LATEST";

/// A function, or a version or alias of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The account that owns it.
    pub(crate) account: String,
    /// The region in which it lives.
    pub(crate) region: String,
    /// The function's name.
    pub(crate) name: String,
    /// `$LATEST`, a version's number or an alias.
    pub(crate) qualifier: Option<String>,
}

impl Target {
    /// Reads `FunctionName` and `Qualifier`. `account` and `region` are the caller's.
    pub(crate) fn parse(
        text: &str,
        qualifier: Option<&str>,
        account: &str,
        region: &str,
    ) -> Result<Target, Error> {
        let mut target = Target::split(text, account, region);
        if target.region != region {
            return Err(Error::ResourceNotFoundException(format!(
                "Functions from '{}' are not reachable in this region ('{region}')",
                target.region
            )));
        }
        match (&target.qualifier, qualifier) {
            (Some(own), Some(given)) if own != given => Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            )),
            (None, Some(given)) => {
                target.qualifier = Some(given.to_owned());
                Ok(target)
            }
            _ => Ok(target),
        }
    }

    /// Takes a name or ARN apart. The model's pattern has been checked, so that what is missing is optional.
    fn split(text: &str, account: &str, region: &str) -> Target {
        let mut parts: Vec<&str> = text.split(':').collect();
        if parts.len() > 3 && parts[0] == "arn" {
            parts.drain(..3);
        }
        let mut rest = parts.as_slice();
        let mut take = |is: fn(&str) -> bool| match rest {
            [first, tail @ ..] if !tail.is_empty() && is(first) => {
                rest = tail;
                Some((*first).to_owned())
            }
            _ => None,
        };
        let own_region = take(is_region);
        let own_account = take(is_account);
        take(|part| part == "function");
        let (name, qualifier) = match rest {
            [] => ("", None),
            [name] => (*name, None),
            [name, qualifier, ..] => (*name, Some((*qualifier).to_owned())),
        };
        Target {
            account: own_account.unwrap_or_else(|| account.to_owned()),
            region: own_region.unwrap_or_else(|| region.to_owned()),
            name: name.to_owned(),
            qualifier,
        }
    }

    /// Reads the ARN of a function, as resource policies and tags have it; `None` if it is of something else.
    pub(crate) fn of_arn(text: &str) -> Option<Target> {
        let arn = arn::Arn::parse(text)?;
        let mut resource = arn.resource.split(':');
        if arn.service != "lambda" || resource.next() != Some("function") {
            return None;
        }
        Some(Target {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: resource.next()?.to_owned(),
            qualifier: resource.next().map(str::to_owned),
        })
    }

    /// The function's ARN without a qualifier.
    pub(crate) fn function_arn(&self) -> String {
        arn::arn("lambda", &self.region, &self.account, format_args!("function:{}", self.name))
    }

    /// The function's ARN with `qualifier`.
    pub(crate) fn arn_with(&self, qualifier: &str) -> String {
        format!("{}:{qualifier}", self.function_arn())
    }

    /// The ARN as it was asked for: with the qualifier if there was one.
    pub(crate) fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => self.arn_with(qualifier),
            None => self.function_arn(),
        }
    }

    /// The qualifier, or `$LATEST`.
    pub(crate) fn qualifier_or_latest(&self) -> &str {
        self.qualifier.as_deref().unwrap_or(LATEST)
    }

    /// The number of the version that the qualifier names, 0 for `$LATEST`; nothing for an alias.
    pub(crate) fn version(&self) -> Option<u64> {
        version_number(self.qualifier_or_latest())
    }

    /// Where the function's rows are.
    pub(crate) fn key(&self) -> (&str, &str, &str) {
        (&self.account, &self.region, &self.name)
    }
}

/// The number of a version, 0 for `$LATEST`; nothing for the name of an alias.
pub(crate) fn version_number(qualifier: &str) -> Option<u64> {
    if qualifier == LATEST {
        return Some(0);
    }
    qualifier.parse().ok().filter(|number| *number > 0)
}

/// A version's number as AWS writes it.
pub(crate) fn version_name(number: u64) -> String {
    if number == 0 { LATEST.to_owned() } else { number.to_string() }
}

fn is_account(part: &str) -> bool {
    part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Such as `eu-west-1` or `us-gov-east-1`.
fn is_region(part: &str) -> bool {
    let mut pieces = part.split('-');
    let first = pieces.next().unwrap_or_default();
    let last = part.rsplit('-').next().unwrap_or_default();
    (2..=4).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_lowercase())
        && pieces.count() >= 2
        && last.len() == 1
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, qualifier: Option<&str>) -> Result<String, String> {
        Target::parse(text, qualifier, "111111111111", "eu-west-1")
            .map(|target| target.arn())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn all_forms_mean_the_same() {
        let plain = "arn:aws:lambda:eu-west-1:111111111111:function:f";
        for text in ["f", "function:f", "111111111111:function:f", "111111111111:f", plain] {
            assert_eq!(parse(text, None), Ok(plain.to_owned()), "{text}");
            assert_eq!(parse(text, Some("live")), Ok(format!("{plain}:live")), "{text}");
            assert_eq!(parse(&format!("{text}:7"), None), Ok(format!("{plain}:7")), "{text}");
            assert_eq!(parse(&format!("{text}:7"), Some("7")), Ok(format!("{plain}:7")));
        }
        // AWS takes an ARN that ends too early for a function of that name.
        assert_eq!(
            parse("arn:aws:lambda:eu-west-1:111111111111:function", None),
            Ok("arn:aws:lambda:eu-west-1:111111111111:function:function".to_owned())
        );
        assert_eq!(
            parse("arn:aws:lambda:eu-west-1:222222222222:function:f", None),
            Ok("arn:aws:lambda:eu-west-1:222222222222:function:f".to_owned())
        );
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(parse("f:1", Some("2")).is_err());
        assert_eq!(
            parse("arn:aws:lambda:us-east-1:111111111111:function:f", None),
            Err("Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"
                .to_owned())
        );
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version_number("$LATEST"), Some(0));
        assert_eq!(version_number("12"), Some(12));
        assert_eq!(version_number("0"), None);
        assert_eq!(version_number("live"), None);
        assert_eq!(version_name(0), "$LATEST");
    }

    #[test]
    fn arns_of_other_resources_are_not_functions() {
        assert_eq!(Target::of_arn("arn:aws:lambda:eu-west-1:111111111111:layer:l:1"), None);
        assert_eq!(Target::of_arn("arn:aws:sqs:eu-west-1:111111111111:function:f"), None);
        let target = Target::of_arn("arn:aws:lambda:eu-west-1:111111111111:function:f:1");
        assert_eq!(target.and_then(|target| target.version()), Some(1));
    }
}
