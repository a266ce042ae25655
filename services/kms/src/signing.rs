//! What pairs of keys and HMAC keys do: signatures, codes, shared secrets.

use bytes::Bytes;
use fogbank_core::Cx;

use crate::crypto::signing::{self, Signed};
use crate::crypto::{agreement, prehashed};
use crate::encryption::check_recipient;
use crate::error::Error;
use crate::grants::check_tokens;
use crate::lookup::{self, Found, end_dry_run};
use crate::model::{
    DecapsulateInput, DecapsulateOutput, DeriveSharedSecretInput, DeriveSharedSecretOutput,
    EncapsulateInput, EncapsulateOutput, GenerateMacInput, GenerateMacOutput, GetPublicKeyInput,
    GetPublicKeyOutput, KeySpec, KeyUsageType, MacAlgorithmSpec, MessageType, OriginType,
    SignInput, SignOutput, SigningAlgorithmSpec, VerifyInput, VerifyMacInput, VerifyMacOutput,
    VerifyOutput,
};
use crate::rules::spec;
use crate::uses::note;

const SIGN: &str = "SIGN_VERIFY";
const MAC: &str = "GENERATE_VERIFY_MAC";

/// The public half of a pair.
pub(crate) async fn public_key(
    cx: &Cx,
    input: GetPublicKeyInput,
) -> Result<GetPublicKeyOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    cx.read(|tx| {
        let found = lookup::any(tx, &input.key_id)?;
        found.check_enabled()?;
        if !spec::is_asymmetric(&found.key.spec) {
            return Err(Error::unsupported(format!(
                "{} key spec is {} which is not valid for GetPublicKey.",
                found.arn, found.key.spec
            )));
        }
        let public = found.public(tx)?;
        let (spec, usage) = (&found.key.spec, &found.key.usage);
        Ok(GetPublicKeyOutput {
            public_key: Some(public.into()),
            customer_master_key_spec: spec::older_name(spec),
            key_spec: KeySpec::from_name(spec),
            key_usage: KeyUsageType::from_name(usage),
            encryption_algorithms: spec::encryption(spec, usage),
            signing_algorithms: spec::signing(spec, usage),
            key_agreement_algorithms: spec::agreement(usage),
            encapsulation_algorithms: spec::encapsulation(usage),
            key_id: Some(found.arn),
        })
    })
}

fn check_signing(found: &Found, algorithm: SigningAlgorithmSpec) -> Result<(), Error> {
    let known = spec::signing(&found.key.spec, &found.key.usage);
    found.check_algorithm(&algorithm, algorithm.as_str(), known)
}

/// What is signed, if it can be.
fn signed(
    algorithm: SigningAlgorithmSpec,
    kind: Option<MessageType>,
    message: &[u8],
) -> Result<Signed<'_>, Error> {
    use SigningAlgorithmSpec::{Ed25519PhSha512, Ed25519Sha512, MlDsaShake256};
    let kind = kind.unwrap_or(MessageType::Raw);
    match (kind, algorithm) {
        (MessageType::Digest, Ed25519PhSha512) if message.len() == prehashed::BYTES => {
            Ok(Signed::Prehashed(message))
        }
        (MessageType::ExternalMu, MlDsaShake256) if message.len() == prehashed::BYTES => {
            Ok(Signed::Mu(message))
        }
        (MessageType::Digest, Ed25519PhSha512) | (MessageType::ExternalMu, MlDsaShake256) => {
            Err(Error::invalid(format!(
                "Digest is invalid length for algorithm {}.",
                algorithm.as_str()
            )))
        }
        (MessageType::Raw, Ed25519PhSha512)
        | (MessageType::Digest, Ed25519Sha512 | MlDsaShake256)
        | (MessageType::ExternalMu, _) => Err(Error::invalid(format!(
            "MessageType {} is not supported for the SigningAlgorithm {}.",
            kind.as_str(),
            algorithm.as_str()
        ))),
        (MessageType::Raw, _) => Ok(Signed::Raw(message)),
        (MessageType::Digest, _) => {
            let wanted = signing::hash(algorithm).map(|hash| hash.output_len());
            if wanted != Some(message.len()) {
                return Err(Error::invalid(format!(
                    "Digest is invalid length for algorithm {}.",
                    algorithm.as_str()
                )));
            }
            Ok(Signed::Digest(message))
        }
    }
}

/// Signs a message or its digest.
pub(crate) async fn sign(cx: &Cx, input: SignInput) -> Result<SignOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let (found, secret) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, SIGN, "Sign")?;
        check_signing(&found, input.signing_algorithm)?;
        let (_, secret) = found.secret(tx)?;
        Ok::<_, Error>((found, secret))
    })?;
    let SignInput { message, message_type, signing_algorithm, .. } = input;
    signed(signing_algorithm, message_type, &message)?;
    end_dry_run(input.dry_run)?;
    let spec = found.key.spec;
    // A signature with a long RSA key takes milliseconds.
    let signature = cx
        .work(move || {
            let signed = signed(signing_algorithm, message_type, &message)?;
            Ok::<_, Error>(signing::sign(&spec, signing_algorithm, &secret, signed)?)
        })
        .await??;
    note(cx, &found.arn);
    Ok(SignOutput {
        key_id: Some(found.arn),
        signature: Some(signature.into()),
        signing_algorithm: Some(signing_algorithm),
    })
}

/// Verifies a signature.
pub(crate) async fn verify(cx: &Cx, input: VerifyInput) -> Result<VerifyOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let algorithm = input.signing_algorithm;
    let (found, public) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, SIGN, "Verify")?;
        check_signing(&found, algorithm)?;
        let public = found.public(tx)?;
        Ok::<_, Error>((found, public))
    })?;
    let signed = signed(algorithm, input.message_type, &input.message)?;
    end_dry_run(input.dry_run)?;
    if !signing::verify(&found.key.spec, algorithm, &public, signed, &input.signature)? {
        return Err(Error::KMSInvalidSignatureException);
    }
    note(cx, &found.arn);
    Ok(VerifyOutput {
        key_id: Some(found.arn),
        signature_valid: Some(true),
        signing_algorithm: Some(algorithm),
    })
}

fn check_mac(found: &Found, algorithm: MacAlgorithmSpec) -> Result<(), Error> {
    found.check_algorithm(&algorithm, algorithm.as_str(), spec::mac(&found.key.spec))
}

/// The code of a message.
pub(crate) async fn generate_mac(
    cx: &Cx,
    input: GenerateMacInput,
) -> Result<GenerateMacOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let (found, secret) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, MAC, "GenerateMac")?;
        check_mac(&found, input.mac_algorithm)?;
        let (_, secret) = found.secret(tx)?;
        Ok::<_, Error>((found, secret))
    })?;
    end_dry_run(input.dry_run)?;
    let mac = signing::mac(input.mac_algorithm, &secret, &input.message);
    note(cx, &found.arn);
    Ok(GenerateMacOutput {
        mac: Some(mac.into()),
        mac_algorithm: Some(input.mac_algorithm),
        key_id: Some(found.arn),
    })
}

/// Verifies the code of a message.
pub(crate) async fn verify_mac(cx: &Cx, input: VerifyMacInput) -> Result<VerifyMacOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let (found, secret) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, MAC, "VerifyMac")?;
        check_mac(&found, input.mac_algorithm)?;
        let (_, secret) = found.secret(tx)?;
        Ok::<_, Error>((found, secret))
    })?;
    end_dry_run(input.dry_run)?;
    if !signing::is_mac(input.mac_algorithm, &secret, &input.message, &input.mac) {
        return Err(Error::KMSInvalidMacException);
    }
    note(cx, &found.arn);
    Ok(VerifyMacOutput {
        key_id: Some(found.arn),
        mac_valid: Some(true),
        mac_algorithm: Some(input.mac_algorithm),
    })
}

/// The secret that a key shares with somebody's public key.
pub(crate) async fn derive(
    cx: &Cx,
    input: DeriveSharedSecretInput,
) -> Result<DeriveSharedSecretOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    check_recipient(input.recipient.as_ref(), "DeriveSharedSecret")?;
    let (found, secret) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, "KEY_AGREEMENT", "DeriveSharedSecret")?;
        let (_, secret) = found.secret(tx)?;
        Ok::<_, Error>((found, secret))
    })?;
    let shared = agreement::ecdh(&found.key.spec, &secret, &input.public_key);
    // AWS's words are not known.
    let shared = shared.map_err(|_| {
        Error::invalid(format!("The PublicKey is not a valid public key of {}.", found.key.spec))
    })?;
    end_dry_run(input.dry_run)?;
    note(cx, &found.arn);
    Ok(DeriveSharedSecretOutput {
        key_id: Some(found.arn),
        shared_secret: Some(Bytes::from(shared)),
        ciphertext_for_recipient: None,
        key_agreement_algorithm: Some(input.key_agreement_algorithm),
        key_origin: OriginType::from_name(&found.key.origin),
    })
}

const ENCAPSULATE: &str = "ENCAPSULATE_DECAPSULATE";

/// A new secret for the holder of a key.
pub(crate) async fn encapsulate(
    cx: &Cx,
    input: EncapsulateInput,
) -> Result<EncapsulateOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let (found, public) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, ENCAPSULATE, "Encapsulate")?;
        let public = found.public(tx)?;
        Ok::<_, Error>((found, public))
    })?;
    end_dry_run(input.dry_run)?;
    let (ciphertext, secret) = agreement::encapsulate(&found.key.spec, &public)?;
    note(cx, &found.arn);
    Ok(EncapsulateOutput {
        key_id: Some(found.arn),
        shared_secret: Some(secret.into()),
        shared_secret_ciphertext_blob: Some(ciphertext.into()),
        encapsulation_algorithm: Some(input.encapsulation_algorithm),
    })
}

/// The secret that somebody made for the holder of a key.
pub(crate) async fn decapsulate(
    cx: &Cx,
    input: DecapsulateInput,
) -> Result<DecapsulateOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let (found, secret) = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, ENCAPSULATE, "Decapsulate")?;
        let (_, secret) = found.secret(tx)?;
        Ok::<_, Error>((found, secret))
    })?;
    let ciphertext = &input.shared_secret_ciphertext_blob;
    let shared = agreement::decapsulate(&found.key.spec, &secret, ciphertext);
    let shared = shared.map_err(|_| Error::InvalidCiphertextException)?;
    end_dry_run(input.dry_run)?;
    note(cx, &found.arn);
    Ok(DecapsulateOutput {
        key_id: Some(found.arn),
        shared_secret: Some(shared.into()),
        encapsulation_algorithm: Some(input.encapsulation_algorithm),
    })
}
