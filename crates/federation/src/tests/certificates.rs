//! Certificates and their keys.

use super::{OTHER, PROVIDER};
use crate::certificates::{Certificate, Unusable};

const KEY: &str = include_str!("provider_key.pem");

#[test]
fn keys_belong_to_one_certificate() {
    let ours = &Certificate::from_pem(PROVIDER).expect("a certificate")[0];
    let other = &Certificate::from_pem(OTHER).expect("a certificate")[0];
    assert_eq!((ours.begins_secs, ours.ends_secs), (1_577_836_800, 2_524_608_000));
    assert_eq!(ours.check_private_key(KEY), Ok(()));
    assert_eq!(other.check_private_key(KEY), Err(Unusable::OtherKey));
    assert!(ours.is_signed_by(ours) && !ours.is_signed_by(other));
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
    let ec = &Certificate::from_pem(&made.cert.pem()).expect("a certificate")[0];
    assert_eq!(ec.check_private_key(&made.signing_key.serialize_pem()), Ok(()));
    assert_eq!(ec.check_private_key(KEY), Err(Unusable::OtherKey));
    assert_eq!(ours.check_private_key(&made.signing_key.serialize_pem()), Err(Unusable::OtherKey));
}

#[test]
fn nonsense_is_refused() {
    assert_eq!(Certificate::from_pem(""), Err(Unusable::NotPem));
    assert_eq!(Certificate::from_pem(KEY), Err(Unusable::NotPem));
    let half = PROVIDER.replace("-----END", "-----MID");
    assert_eq!(Certificate::from_pem(&half), Err(Unusable::NotPem));
    let ours = &Certificate::from_pem(PROVIDER).expect("a certificate")[0];
    for length in 0..ours.der.len() {
        assert_eq!(Certificate::from_der(&ours.der[..length]), Err(Unusable::Malformed));
    }
    assert_eq!(ours.check_private_key("x"), Err(Unusable::NotPem));
    let empty = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----";
    assert_eq!(ours.check_private_key(empty), Err(Unusable::Malformed));
}
