//! What keys of each kind do.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::Fault;
use fogbank_testkit::{Value, World, expect, json};
use ml_dsa::{MlDsa44, VerifyingKey};
use sha2::digest::Update;

use super::{SERVICES, key};

async fn call(world: &World, operation: &str, input: Value) -> Value {
    let outcome = world.call(&format!("kms:{operation}"), input).await;
    outcome.unwrap_or_else(|fault| panic!("{operation}: {fault}"))
}

fn merged(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        base[name] = value.clone();
    }
    base
}

async fn refused(world: &World, operation: &str, input: Value) -> Fault {
    world.call(&format!("kms:{operation}"), input).await.expect_err("a refusal")
}

#[tokio::test]
async fn the_encryption_context_and_the_blob_must_be_the_same() {
    let world = World::new(SERVICES);
    let id = key(&world, json!({})).await;
    let context = json!({"a": "1", "b": "2"});
    let input = json!({"KeyId": id, "Plaintext": "aGVsbG8=", "EncryptionContext": context});
    let blob = call(&world, "Encrypt", input).await["CiphertextBlob"].clone();
    let right = json!({"CiphertextBlob": blob, "EncryptionContext": {"b": "2", "a": "1"}});
    assert_eq!(call(&world, "Decrypt", right.clone()).await["Plaintext"], "aGVsbG8=");
    for wrong in [json!({}), json!({"a": "1"}), json!({"a": "2", "b": "1"})] {
        let input = merged(right.clone(), json!({"EncryptionContext": wrong}));
        assert_eq!(refused(&world, "Decrypt", input).await.name(), "InvalidCiphertextException");
    }
    let other = key(&world, json!({})).await;
    let input = merged(right.clone(), json!({"KeyId": other}));
    world.check("kms:Decrypt", input, expect!["IncorrectKeyException: The key ID in the request does not identify a CMK that can perform this operation."]).await;
    let garbage = json!({"CiphertextBlob": "AAAA"});
    assert_eq!(refused(&world, "Decrypt", garbage).await.name(), "InvalidCiphertextException");
    let again = json!({
        "CiphertextBlob": blob,
        "SourceEncryptionContext": context,
        "DestinationKeyId": other,
    });
    let blob = call(&world, "ReEncrypt", again).await["CiphertextBlob"].clone();
    let plain = call(&world, "Decrypt", json!({"CiphertextBlob": blob})).await;
    assert_eq!(plain["Plaintext"], "aGVsbG8=");
    assert!(plain["KeyId"].as_str().expect("an ARN").ends_with(&other));
    world.call("kms:DisableKey", json!({"KeyId": other})).await.expect("it is off");
    world.check("kms:Decrypt", json!({"CiphertextBlob": blob}), expect!["DisabledException: arn:aws:kms:us-east-1:000000000000:key/b165180d-0d20-4864-8539-03a33296d34c is disabled."]).await;
    let dry = json!({"KeyId": id, "Plaintext": "aGVsbG8=", "DryRun": true});
    world.check("kms:Encrypt", dry, expect!["DryRunOperationException: The request would have succeeded, but the DryRun option is set."]).await;
}

#[tokio::test]
async fn signatures_verify_and_others_do_not() {
    let world = World::new(SERVICES);
    let digest = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="; // SHA-256 of "hello"
    for (spec, algorithm, kinds) in [
        ("RSA_2048", "RSASSA_PSS_SHA_256", &["RAW", "DIGEST"][..]),
        ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", &["RAW", "DIGEST"]),
        ("ECC_NIST_P256", "ECDSA_SHA_256", &["RAW", "DIGEST"]),
        ("ECC_NIST_P384", "ECDSA_SHA_384", &["RAW"]),
        ("ECC_NIST_P521", "ECDSA_SHA_512", &["RAW"]),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", &["RAW", "DIGEST"]),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", &["RAW"]),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", &["RAW"]),
        ("ML_DSA_65", "ML_DSA_SHAKE_256", &["RAW"]),
        ("ML_DSA_87", "ML_DSA_SHAKE_256", &["RAW"]),
    ] {
        let id = key(&world, json!({"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"})).await;
        for kind in kinds {
            let message = if *kind == "RAW" { "aGVsbG8=" } else { digest };
            let input = json!({
                "KeyId": id, "Message": message, "MessageType": kind, "SigningAlgorithm": algorithm,
            });
            let signature = call(&world, "Sign", input.clone()).await["Signature"].clone();
            // A digest and the message that it is of have the same signatures.
            for message_type in kinds.iter() {
                let message = if *message_type == "RAW" { "aGVsbG8=" } else { digest };
                let more = json!({
                    "Signature": signature, "Message": message, "MessageType": message_type,
                });
                let verified = call(&world, "Verify", merged(input.clone(), more)).await;
                assert_eq!(verified["SignatureValid"], true, "{spec} {kind} {message_type}");
            }
            let more = json!({
                "Signature": signature, "Message": "SGVsbG8=", "MessageType": "RAW",
            });
            let fault = refused(&world, "Verify", merged(input, more)).await;
            assert_eq!(fault.name(), "KMSInvalidSignatureException", "{spec}");
        }
        let public = call(&world, "GetPublicKey", json!({"KeyId": id})).await;
        assert!(public["PublicKey"].as_str().is_some_and(|key| key.starts_with("M")), "{spec}");
    }
}

#[tokio::test]
async fn public_keys_encrypt_codes_verify_and_secrets_are_shared() {
    let world = World::new(SERVICES);
    let rsa = key(&world, json!({"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"})).await;
    for algorithm in ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"] {
        let with = json!({"KeyId": rsa, "EncryptionAlgorithm": algorithm});
        let input = merged(with.clone(), json!({"Plaintext": "aGVsbG8="}));
        let blob = call(&world, "Encrypt", input).await["CiphertextBlob"].clone();
        let input = merged(with, json!({"CiphertextBlob": blob}));
        assert_eq!(call(&world, "Decrypt", input).await["Plaintext"], "aGVsbG8=");
    }
    let symmetric = json!({"KeyId": rsa, "Plaintext": "aGVsbG8="});
    world.check("kms:Encrypt", symmetric, expect!["InvalidKeyUsageException: Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."]).await;
    let sign = json!({
        "KeyId": rsa, "Message": "aGVsbG8=", "SigningAlgorithm": "RSASSA_PSS_SHA_256",
    });
    world.check("kms:Sign", sign, expect!["InvalidKeyUsageException: arn:aws:kms:us-east-1:000000000000:key/dac94832-5ac1-4f6d-9325-64371735f32c key usage is ENCRYPT_DECRYPT which is not valid for Sign."]).await;
    for bits in ["224", "256", "384", "512"] {
        let spec = format!("HMAC_{bits}");
        let id = key(&world, json!({"KeySpec": spec, "KeyUsage": "GENERATE_VERIFY_MAC"})).await;
        let algorithm = format!("HMAC_SHA_{bits}");
        let input = json!({"KeyId": id, "Message": "aGVsbG8=", "MacAlgorithm": algorithm});
        let mac = call(&world, "GenerateMac", input.clone()).await["Mac"].clone();
        let input = merged(input, json!({"Mac": mac}));
        assert_eq!(call(&world, "VerifyMac", input.clone()).await["MacValid"], true);
        let input = merged(input, json!({"Message": "SGVsbG8="}));
        assert_eq!(refused(&world, "VerifyMac", input).await.name(), "KMSInvalidMacException");
    }
    for curve in ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"] {
        let pair = json!({"KeySpec": curve, "KeyUsage": "KEY_AGREEMENT"});
        let [ours, theirs] = [key(&world, pair.clone()).await, key(&world, pair).await];
        let mut secrets = Vec::new();
        for (mine, other) in [(&ours, &theirs), (&theirs, &ours)] {
            let public = call(&world, "GetPublicKey", json!({"KeyId": other})).await;
            let input = json!({
                "KeyId": mine, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public["PublicKey"],
            });
            let shared = call(&world, "DeriveSharedSecret", input).await;
            secrets.push(shared["SharedSecret"].clone());
        }
        assert_eq!(secrets[0], secrets[1], "{curve}");
    }
    for spec in ["ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"] {
        let id = key(&world, json!({"KeySpec": spec, "KeyUsage": "ENCAPSULATE_DECAPSULATE"})).await;
        let with = json!({"KeyId": id, "EncapsulationAlgorithm": "ML_KEM"});
        let made = call(&world, "Encapsulate", with.clone()).await;
        let blob = json!({"SharedSecretCiphertextBlob": made["SharedSecretCiphertextBlob"]});
        let opened = call(&world, "Decapsulate", merged(with, blob)).await;
        assert_eq!(opened["SharedSecret"], made["SharedSecret"], "{spec}");
    }
}

#[tokio::test]
async fn data_keys_are_opened_by_their_key() {
    let world = World::new(SERVICES);
    let id = key(&world, json!({})).await;
    let made = call(&world, "GenerateDataKey", json!({"KeyId": id, "KeySpec": "AES_256"})).await;
    let blob = json!({"CiphertextBlob": made["CiphertextBlob"]});
    assert_eq!(call(&world, "Decrypt", blob).await["Plaintext"], made["Plaintext"]);
    world
        .check(
            "kms:GenerateDataKey",
            json!({"KeyId": id}),
            expect!["ValidationException: Please specify either number of bytes or key spec."],
        )
        .await;
    let input = json!({"KeyId": id, "KeyPairSpec": "ECC_NIST_P256"});
    let made = call(&world, "GenerateDataKeyPair", input).await;
    let blob = json!({"CiphertextBlob": made["PrivateKeyCiphertextBlob"]});
    assert_eq!(call(&world, "Decrypt", blob).await["Plaintext"], made["PrivateKeyPlaintext"]);
}

#[tokio::test]
async fn what_the_caller_hashed_is_signed() {
    let world = World::new(SERVICES);
    let of = |byte: u8| BASE64.encode([byte; 64]);
    for (spec, algorithm, kind) in [
        ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "DIGEST"),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "EXTERNAL_MU"),
        ("ML_DSA_65", "ML_DSA_SHAKE_256", "EXTERNAL_MU"),
        ("ML_DSA_87", "ML_DSA_SHAKE_256", "EXTERNAL_MU"),
    ] {
        let id = key(&world, json!({"KeySpec": spec, "KeyUsage": "SIGN_VERIFY"})).await;
        let input = json!({
            "KeyId": id, "Message": of(7), "MessageType": kind, "SigningAlgorithm": algorithm,
        });
        let signature = call(&world, "Sign", input.clone()).await["Signature"].clone();
        let signed = merged(input.clone(), json!({"Signature": signature}));
        assert_eq!(call(&world, "Verify", signed.clone()).await["SignatureValid"], true, "{spec}");
        for wrong in [json!({"Message": of(8)}), json!({"Signature": "aGVsbG8="})] {
            let fault = refused(&world, "Verify", merged(signed.clone(), wrong)).await;
            assert_eq!(fault.name(), "KMSInvalidSignatureException", "{spec}");
        }
        let short = refused(&world, "Sign", merged(input, json!({"Message": "aGVsbG8="}))).await;
        assert_eq!(
            short.to_string(),
            format!("ValidationException: Digest is invalid length for algorithm {algorithm}.")
        );
    }
    let spec = json!({"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"});
    let id = key(&world, spec).await;
    // The mu of a message without a context is what the signature of the message itself has.
    let public = call(&world, "GetPublicKey", json!({"KeyId": id})).await;
    let public = BASE64.decode(public["PublicKey"].as_str().expect("text")).expect("base64");
    let mu = mu(&public[public.len() - 1312..], b"hello");
    let with = json!({"KeyId": id, "SigningAlgorithm": "ML_DSA_SHAKE_256"});
    let external = json!({"Message": BASE64.encode(mu), "MessageType": "EXTERNAL_MU"});
    let raw = json!({"Message": BASE64.encode("hello"), "MessageType": "RAW"});
    for (one, other) in [(external.clone(), raw.clone()), (raw, external)] {
        let signed = call(&world, "Sign", merged(with.clone(), one)).await;
        let verify = merged(with.clone(), other);
        let verify = merged(verify, json!({"Signature": signed["Signature"]}));
        assert_eq!(call(&world, "Verify", verify).await["SignatureValid"], true);
    }
}

/// The representative of a message, as who holds the public key computes it.
fn mu(public: &[u8], message: &[u8]) -> Vec<u8> {
    let key = VerifyingKey::<MlDsa44>::decode(&public.try_into().expect("a key"));
    let mu = key.compute_mu(
        |hash| {
            hash.update(message);
            Ok(())
        },
        b"",
    );
    mu.expect("a mu").to_vec()
}
