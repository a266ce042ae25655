//! What ARNs name, and the bytes of rows.

mod formats;

use super::*;

#[test]
fn arns_name_access_points_with_a_slash_or_a_colon() {
    let expected = Some(("111111111111", "us-east-1", "my-ap"));
    assert_eq!(parse("arn:aws:s3:us-east-1:111111111111:accesspoint/my-ap"), expected);
    assert_eq!(parse("arn:aws:s3:us-east-1:111111111111:accesspoint:my-ap"), expected);
    for other in [
        "arn:aws:s3:::bucket",
        "arn:aws:s3:us-east-1:111111111111:accesspoint/",
        "arn:aws:s3:us-east-1:111111111111:accesspoint/my-ap/object/k",
        "arn:aws:sqs:us-east-1:111111111111:accesspoint/my-ap",
        "my-ap",
    ] {
        assert_eq!(parse(other), None, "{other}");
    }
}
