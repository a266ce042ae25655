//! What a host name says: a bucket, a service, a data plane, or nothing.

/// The part of S3's name that precedes the rest of a host, such as `photos` in
/// `photos.s3.us-east-1.localhost:4566`.
///
/// Only hosts that name S3 after the bucket count, so that a custom domain is never mistaken.
///
/// The name of a directory bucket, or of an access point of one, ends as no other label does, so that it counts before any
/// host.
pub(crate) fn bucket(host: &str) -> Option<&str> {
    let name = without_port(host);
    // Addresses, which most clients of this machine use, are looked at no further.
    if !name.contains('s') {
        return None;
    }
    if let Some((label, _)) = name.split_once('.')
        && (label.ends_with("--x-s3") || label.ends_with("--xa-s3"))
    {
        return Some(label);
    }
    // The last place: the name of a bucket may hold such a part itself.
    let at = name.rfind(".s3.").max(name.rfind(".s3-"))?;
    let rest = &name[at + 1..];
    let others = ["s3-website", "s3-control", "s3-accesspoint"];
    let names_other = others.iter().any(|other| rest.starts_with(other));
    (at > 0 && !names_other).then_some(&name[..at])
}

/// The ARN of the access point that a host names: `NAME-ACCOUNT.s3-accesspoint.REGION.…`, or what SDKs make of an ARN and an
/// endpoint of one's own, `NAME-ACCOUNT.localhost`. The ARN has no region where the host has none.
pub(crate) fn access_point(host: &str) -> Option<String> {
    let (point, rest) = without_port(host).split_once('.')?;
    let (name, account) = point.rsplit_once('-')?;
    if name.is_empty() || account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let region = match rest.strip_prefix("s3-accesspoint") {
        Some(rest) => {
            let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
            rest.strip_prefix("dualstack.").unwrap_or(rest).split('.').next()?
        }
        None if matches!(rest, "localhost" | "localhost.localstack.cloud") => "",
        None => return None,
    };
    Some(format!("arn:aws:s3:{region}:{account}:accesspoint:{name}"))
}

/// The host without its port, also for IPv6 in brackets.
pub(crate) fn without_port(host: &str) -> &str {
    if let Some(end) = host.strip_prefix('[').and_then(|inner| inner.find(']')) {
        return &host[..end + 2];
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Whether the host names this machine and no other: an address of the loopback, `localhost`, or
/// one of the names that resolve to it.
pub(crate) fn is_local(host: &str) -> bool {
    let name = without_port(host).trim_matches(['[', ']']);
    if let Ok(address) = name.parse::<std::net::IpAddr>() {
        return address.is_loopback();
    }
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name == "localhost.localstack.cloud"
        || name.ends_with(".localhost.localstack.cloud")
}

/// Whether the host is one of AWS's own names, which SDKs may be made to use.
///
/// Nobody can make such a name resolve to this machine, but anybody can publish pages under one: it
/// is good as a `Host` and worthless as an `Origin`.
pub(crate) fn is_amazon(host: &str) -> bool {
    without_port(host).to_ascii_lowercase().ends_with(".amazonaws.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_buckets_before_the_name_of_s3() {
        assert_eq!(bucket("photos.s3.localhost:4566"), Some("photos"));
        assert_eq!(bucket("a.b.s3.eu-west-1.amazonaws.com"), Some("a.b"));
        assert_eq!(bucket("my.s3.photos.s3.localhost:4566"), Some("my.s3.photos"));
        assert_eq!(bucket("a.s3-b.s3.eu-west-1.amazonaws.com"), Some("a.s3-b"));
        assert_eq!(bucket("a.s3.b.s3-us-west-2.amazonaws.com"), Some("a.s3.b"));
        let directory = Some("logs--use1-az4--x-s3");
        assert_eq!(bucket("logs--use1-az4--x-s3.localhost:4566"), directory);
        let zonal = "logs--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com";
        assert_eq!(bucket(zonal), directory);
        assert_eq!(bucket("s3express-control.us-east-1.amazonaws.com"), None);
        assert_eq!(bucket("b.s3.dualstack.us-west-2.amazonaws.com"), Some("b"));
        assert_eq!(bucket("b.s3-fips.dualstack.us-west-2.amazonaws.com"), Some("b"));
        assert_eq!(bucket("b.s3-accelerate.amazonaws.com"), Some("b"));
        assert_eq!(bucket("b.s3-accelerate.dualstack.amazonaws.com"), Some("b"));
        assert_eq!(bucket("s3.dualstack.us-west-2.amazonaws.com"), None);
        assert_eq!(bucket("s3.amazonaws.com"), None);
        assert_eq!(bucket("127.0.0.1:4566"), None);
        assert_eq!(bucket("site.s3-website.us-east-1.localhost"), None);
    }

    #[test]
    fn finds_access_points() {
        let arn =
            |region: &str| Some(format!("arn:aws:s3:{region}:111111111111:accesspoint:my-ap"));
        let amazon = "my-ap-111111111111.s3-accesspoint.eu-west-1.amazonaws.com";
        assert_eq!((access_point(amazon), bucket(amazon)), (arn("eu-west-1"), None));
        let dual = "my-ap-111111111111.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com";
        assert_eq!(access_point(dual), arn("us-east-1"));
        let local = "my-ap-111111111111.s3-accesspoint.eu-west-1.localhost:4566";
        assert_eq!((access_point(local), bucket(local)), (arn("eu-west-1"), None));
        assert_eq!(access_point("my-ap-111111111111.localhost:4566"), arn(""));
        for other in ["111111111111.localhost", "my-ap.localhost", "a-111111111111.s3.localhost"] {
            assert_eq!(access_point(other), None, "{other}");
        }
    }

    #[test]
    fn knows_this_machine() {
        for host in ["127.0.0.1:4566", "localhost", "[::1]:80", "x.s3.localhost:1", "127.9.9.9"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:4566"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
