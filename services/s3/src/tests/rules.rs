//! Names, ranges, conditions, tags and encodings.

use super::*;

#[test]
fn bucket_names() {
    let longest = "a".repeat(63);
    for good in ["abc", "my-bucket", "my.bucket.2", "0ab", &longest, "a1b"] {
        assert!(is_bucket_name(good), "{good}");
    }
    let too_long = "a".repeat(64);
    for bad in [
        "",
        "ab",
        &too_long,
        "Abc",
        "a_b",
        "-abc",
        "abc-",
        ".abc",
        "abc.",
        "a..b",
        "192.168.5.4",
        "xn--abc",
        "sthree-abc",
        "abc-s3alias",
        "abc--ol-s3",
        "abc--x-s3",
        "bück",
        "a b",
    ] {
        assert!(!is_bucket_name(bad), "{bad}");
    }
}

#[test]
fn regions() {
    assert!(["us-east-1", "eu-west-3", "us-gov-west-1"].into_iter().all(is_region));
    assert!(
        !["", "EU", "us-east", "aws-global", "us-east-1-foo", "bar"].into_iter().any(is_region)
    );
}

#[test]
fn accounts_have_ids() {
    assert_eq!(canonical_id("000000000000").len(), 64);
    assert_ne!(canonical_id("000000000000"), canonical_id("000000000001"));
    let id = customer_id("000000000000");
    assert_eq!(id.len(), 14);
    assert!(
        id.starts_with('A') && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    );
}

/// As AWS answers for an object of ten bytes.
#[test]
fn ranges() {
    for (header, first, end) in [
        ("bytes=0-8", 0, 9),
        ("bytes=1-1", 1, 2),
        ("bytes=1-", 1, 10),
        ("bytes=-2", 8, 10),
        ("bytes=-15", 0, 10),
        ("bytes=0-100", 0, 10),
        ("bytes=0-99999999999999999999999", 0, 10),
    ] {
        assert_eq!(range(header, 10), Part::Bytes(first..end), "{header}");
    }
    for header in ["bytes=1-0", "bytes=-1-", "bytes=0--1", "bytes=0-1,3-4", "0-8", "bytes=-", ""] {
        assert_eq!(range(header, 10), Part::Whole, "{header}");
    }
    for header in ["bytes=-0", "bytes=100-200", "bytes=10-"] {
        assert_eq!(range(header, 10), Part::Unsatisfiable, "{header}");
    }
    assert_eq!(range("bytes=0-", 0), Part::Unsatisfiable);
    assert_eq!(range("bytes=-1", 0), Part::Unsatisfiable);
}

#[test]
fn ranges_of_copies_are_strict() {
    assert_eq!(copy_range("bytes=0-9", 10).ok(), Some(0..10));
    for header in
        ["0-8", "bytes=-", "bytes=1-", "bytes=-2", "bytes=1-0", "bytes=0-1,3-4", "bytes=0-10"]
    {
        assert!(matches!(copy_range(header, 10), Err(Error::InvalidArgument { .. })), "{header}");
    }
    assert!(matches!(copy_range("bytes=10-11", 10), Err(Error::InvalidRequest { .. })));
}

fn e_tag() -> ETag {
    ETag { md5: [0xAB; 16], parts: 2 }
}

#[test]
fn e_tags_are_named_with_and_without_quotes() {
    let text = e_tag().quoted();
    assert_eq!(text, format!("\"{}-2\"", "ab".repeat(16)));
    for header in [&text, e_tag().bare().as_str(), "*", &format!("\"x\", {text}")] {
        assert!(e_tag().is_named_by(header), "{header}");
    }
    assert!(!e_tag().is_named_by("\"abab\""));
}

#[test]
fn conditions_on_e_tags_outweigh_those_on_dates() {
    let at = Timestamp::from_secs;
    let (modified, now) = (Timestamp::from_millis(100_500), at(200));
    let judge = |conditions: Conditions<'_>| conditions.evaluate(&e_tag(), modified, now);
    let none = || Conditions::default();
    assert_eq!(judge(none()), Verdict::Holds);
    assert_eq!(judge(Conditions { if_match: Some("x"), ..none() }), Verdict::Fails("If-Match"));
    let past = Some(at(50));
    assert_eq!(
        judge(Conditions { if_unmodified_since: past, ..none() }),
        Verdict::Fails("If-Unmodified-Since")
    );
    let both = Conditions { if_match: Some("*"), if_unmodified_since: past, ..none() };
    assert_eq!(judge(both), Verdict::Holds);
    assert_eq!(judge(Conditions { if_none_match: Some("*"), ..none() }), Verdict::NotModified);
    // The object changed in the second that the client knows.
    let same = Some(at(100));
    assert_eq!(judge(Conditions { if_modified_since: same, ..none() }), Verdict::NotModified);
    let other = Conditions { if_none_match: Some("x"), if_modified_since: same, ..none() };
    assert_eq!(judge(other), Verdict::Holds);
    let future = Some(at(300));
    assert_eq!(judge(Conditions { if_modified_since: future, ..none() }), Verdict::Holds);
}

#[test]
fn keys_are_encoded_as_java_does() {
    assert_eq!(url_encode("a b/c+d@ü~*"), "a+b/c%2Bd%40%C3%BC%7E*");
    assert_eq!(form_decode("a+b%2Bc").as_deref(), Some("a b+c"));
    assert_eq!(form_decode("%FF"), None);
}

#[test]
fn sources_of_copies() {
    let source = |bucket: &str, key: &str, version: Option<&str>| Source {
        bucket: bucket.into(),
        key: key.into(),
        version_id: version.map(Into::into),
    };
    assert_eq!(copy_source("/b/a%20b+c/d").ok(), Some(source("b", "a b c/d", None)));
    assert_eq!(copy_source("b/a+b%2Bc").ok(), Some(source("b", "a b+c", None)));
    assert_eq!(copy_source("b//x?versionId=null").ok(), Some(source("b", "/x", Some("null"))));
    for header in ["", "b", "/b", "b/", "/", "b/%FF"] {
        assert!(copy_source(header).is_err(), "{header}");
    }
}

#[test]
fn tags() {
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        tagging_header("a=1&b=x%20y&c").ok(),
        Some(vec![tag("a", "1"), tag("b", "x y"), tag("c", "")])
    );
    for header in ["a=1&a=2", "a=1,b=2", "=1", "a=%FF"] {
        assert!(matches!(tagging_header(header), Err(Error::InvalidArgument { .. })), "{header}");
    }
    assert!(matches!(check_object_tags(&[tag("aws:x", "")]), Err(Error::InvalidTag { .. })));
    assert!(matches!(check_object_tags(&[tag("a,b", "")]), Err(Error::InvalidTag { .. })));
    assert!(check_object_tags(&[tag("a", "1,2")]).is_err());
    let eleven: Vec<_> = (0..11).map(|n| tag(&n.to_string(), "")).collect();
    assert!(matches!(check_object_tags(&eleven), Err(Error::BadRequest { .. })));
    assert!(check_bucket_tags(&eleven).is_ok());
}

#[test]
fn encodings_of_the_request_are_not_stored() {
    let stored = |text: &str| stored_encoding(Some(text.to_owned()));
    assert_eq!(stored("aws-chunked"), None);
    assert_eq!(stored("aws-chunked, gzip").as_deref(), Some("gzip"));
    assert_eq!(stored("gzip").as_deref(), Some("gzip"));
}

#[test]
fn groups() {
    assert_eq!(group("a/b/c", "", Some("/")), Some("a/"));
    assert_eq!(group("a/b/c", "a/", Some("/")), Some("a/b/"));
    assert_eq!(group("a/b", "a/b", Some("/")), None);
    assert_eq!(group("abba", "a", Some("bb")), Some("abb"));
    assert_eq!(group("abba", "x", Some("b")), None);
    assert_eq!(group("abba", "", None), None);
}
