//! What a host name says: a bucket, a service, a data plane, or nothing.

/// The part of S3's name that precedes the rest of a host, such as `photos` in
/// `photos.s3.us-east-1.localhost:4566`.
///
/// Only hosts that name S3 after the bucket count, so that a custom domain is never mistaken.
pub(crate) fn bucket(host: &str) -> Option<&str> {
    let name = without_port(host);
    // The last place: the name of a bucket may hold such a part itself.
    let at = name.rfind(".s3.").max(name.rfind(".s3-"))?;
    let rest = &name[at + 1..];
    let names_website = rest.starts_with("s3-website") || rest.starts_with("s3-control");
    (at > 0 && !names_website).then_some(&name[..at])
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
    let name = without_port(host).trim_matches(['[', ']']).to_ascii_lowercase();
    if let Ok(address) = name.parse::<std::net::IpAddr>() {
        return address.is_loopback();
    }
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
        assert_eq!(bucket("s3.amazonaws.com"), None);
        assert_eq!(bucket("127.0.0.1:4566"), None);
        assert_eq!(bucket("site.s3-website.us-east-1.localhost"), None);
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
