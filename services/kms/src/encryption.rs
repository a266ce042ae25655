//! Encrypting and decrypting what is small: up to 4 KiB with symmetric keys, less with RSA.

use std::collections::BTreeMap;

use bytes::Bytes;
use fogbank_core::{Cx, ReadTx, Tx};

use crate::crypto::{rsa, symmetric};
use crate::error::Error;
use crate::grants::check_tokens;
use crate::lookup::{self, Found, end_dry_run};
use crate::managed;
use crate::model::{
    DecryptInput, DecryptOutput, DryRunModifierType, EncryptInput, EncryptOutput,
    EncryptionAlgorithmSpec, ReEncryptInput, ReEncryptOutput, RecipientInfo,
};
use crate::rules::blob::Head;
use crate::rules::spec;
use crate::store::{self, Secret};
use crate::uses::note;

type Context = Option<BTreeMap<String, String>>;

const USAGE: &str = "ENCRYPT_DECRYPT";

/// Encrypts.
pub(crate) async fn encrypt(cx: &Cx, input: EncryptInput) -> Result<EncryptOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    managed::ensure(cx, &input.key_id).await?;
    let algorithm = input.encryption_algorithm.unwrap_or(EncryptionAlgorithmSpec::SymmetricDefault);
    let sealing = cx.read(|tx| {
        let found = lookup::ready(tx, &input.key_id, USAGE, "Encrypt")?;
        let sealing = Sealing::new(tx, found, algorithm, input.encryption_context.as_ref())?;
        end_dry_run(input.dry_run)?;
        Ok::<_, Error>(sealing)
    })?;
    let (ciphertext, arn, _) = sealing.seal(cx, &input.plaintext)?;
    note(cx, &arn);
    Ok(EncryptOutput {
        ciphertext_blob: Some(ciphertext),
        key_id: Some(arn),
        encryption_algorithm: Some(algorithm),
    })
}

/// Everything that encrypting needs, found in one view of the rows.
pub(crate) struct Sealing {
    found: Found,
    algorithm: EncryptionAlgorithmSpec,
    context: Context,
    with: With,
}

enum With {
    Symmetric(String, Secret),
    Public(Vec<u8>),
}

impl Sealing {
    /// Prepares to encrypt with a key that was found ready.
    pub(crate) fn new(
        tx: &ReadTx<'_>,
        found: Found,
        algorithm: EncryptionAlgorithmSpec,
        context: Option<&BTreeMap<String, String>>,
    ) -> Result<Sealing, Error> {
        check_algorithm(&found, algorithm, context)?;
        let with = if spec::is_symmetric(&found.key.spec) {
            let (material, secret) = found.secret(tx)?;
            With::Symmetric(material, secret)
        } else {
            With::Public(found.public(tx)?)
        };
        Ok(Sealing { found, algorithm, context: context.cloned(), with })
    }

    /// The ciphertext, the key's ARN, and the material's id if the key is symmetric.
    pub(crate) fn seal(
        self,
        cx: &Cx,
        plaintext: &[u8],
    ) -> Result<(Bytes, String, Option<String>), Error> {
        let (account, _, key_id) = &self.found.at;
        let (ciphertext, material) = match self.with {
            With::Symmetric(material, secret) => {
                let names = (&**account, &**key_id, &*material);
                let context = self.context.as_ref();
                let blob = symmetric::encrypt(cx.ids(), names, &secret, context, plaintext);
                let unnamed = || fogbank_core::Fault::internal("the key has a strange id");
                (blob.ok_or_else(unnamed)?, Some(material))
            }
            With::Public(public) => {
                let longest = rsa::longest(&public, self.algorithm)?;
                if plaintext.len() > longest {
                    return Err(Error::invalid(format!(
                        "Algorithm {} and key spec {} cannot encrypt data larger than {longest} bytes.",
                        self.algorithm.as_str(),
                        self.found.key.spec
                    )));
                }
                (rsa::encrypt(&public, self.algorithm, plaintext)?, None)
            }
        };
        Ok((ciphertext.into(), self.found.arn, material))
    }
}

fn check_algorithm(
    found: &Found,
    algorithm: EncryptionAlgorithmSpec,
    context: Option<&BTreeMap<String, String>>,
) -> Result<(), Error> {
    let known = spec::encryption(&found.key.spec, &found.key.usage);
    found.check_algorithm(&algorithm, algorithm.as_str(), known)?;
    if algorithm != EncryptionAlgorithmSpec::SymmetricDefault
        && context.is_some_and(|context| !context.is_empty())
    {
        return Err(Error::invalid(format!(
            "Algorithm {} does not support encryption context.",
            algorithm.as_str()
        )));
    }
    Ok(())
}

/// A ciphertext that is about to be decrypted.
struct Opening<'a> {
    key_id: Option<&'a str>,
    algorithm: EncryptionAlgorithmSpec,
    ciphertext: &'a [u8],
    context: Option<&'a BTreeMap<String, String>>,
    operation: &'static str,
}

/// What was decrypted: the plaintext, the key's ARN, and the material's id if the key is symmetric.
struct Opened {
    plaintext: Secret,
    arn: String,
    material: Option<String>,
}

impl Opening<'_> {
    fn open(&self, tx: &ReadTx<'_>) -> Result<Opened, Error> {
        if self.algorithm == EncryptionAlgorithmSpec::SymmetricDefault {
            return self.open_symmetric(tx);
        }
        let key_id = self.key_id.ok_or_else(|| {
            // Only blobs of symmetric keys name their key.
            Error::invalid("KeyId is required when the EncryptionAlgorithm is asymmetric.")
        })?;
        let found = lookup::ready(tx, key_id, USAGE, self.operation)?;
        check_algorithm(&found, self.algorithm, self.context)?;
        let (_, secret) = found.secret(tx)?;
        let plaintext = rsa::decrypt(&secret, self.algorithm, self.ciphertext);
        let plaintext = plaintext.map_err(|_| Error::InvalidCiphertextException)?;
        Ok(Opened { plaintext, arn: found.arn, material: None })
    }

    fn open_symmetric(&self, tx: &ReadTx<'_>) -> Result<Opened, Error> {
        if let Some(key_id) = self.key_id {
            let found = lookup::ready(tx, key_id, USAGE, self.operation)?;
            check_algorithm(&found, self.algorithm, self.context)?;
        }
        let parsed = Head::parse(self.ciphertext).ok_or(Error::InvalidCiphertextException)?;
        let head = &parsed.0;
        let at = (head.account.clone(), tx.region().to_owned(), head.key_id.clone());
        if let Some(key_id) = self.key_id
            && lookup::place(tx, key_id)? != at
        {
            return Err(Error::IncorrectKeyException);
        }
        let key = match store::key(tx, &at) {
            Err(Error::NotFoundException(_)) => return Err(Error::stranger()),
            found => found?,
        };
        let found = Found { key, arn: store::key_arn(&at), at };
        found.check_enabled()?;
        let secret = store::secret(tx, &found.at, &head.material)?;
        let secret = secret.ok_or(Error::InvalidCiphertextException)?;
        let plaintext = symmetric::decrypt((&parsed.0, parsed.1, parsed.2), &secret, self.context);
        let plaintext = plaintext.ok_or(Error::InvalidCiphertextException)?;
        Ok(Opened { plaintext, arn: found.arn, material: Some(head.material.clone()) })
    }
}

/// Refuses to answer an enclave, whose attestation nobody here could check.
pub(crate) fn check_recipient(
    recipient: Option<&RecipientInfo>,
    operation: &str,
) -> Result<(), Error> {
    match recipient {
        Some(_) => {
            let what = format!("{operation} with Recipient");
            Err(fogbank_core::Fault::not_implemented("kms", &what).into())
        }
        None => Ok(()),
    }
}

/// Whether a dry run leaves the ciphertext out.
fn ignores_ciphertext(
    dry_run: Option<bool>,
    modifiers: Option<&[DryRunModifierType]>,
) -> Result<bool, Error> {
    let ignores =
        modifiers.is_some_and(|list| list.contains(&DryRunModifierType::IgnoreCiphertext));
    if ignores && dry_run != Some(true) {
        return Err(Error::invalid("DryRunModifiers can only be specified with DryRun."));
    }
    Ok(ignores)
}

fn required(ciphertext: Option<&Bytes>) -> Result<&[u8], Error> {
    ciphertext.map(|bytes| &**bytes).ok_or_else(|| {
        Error::invalid(
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must \
             not be null",
        )
    })
}

/// Decrypts. A blob of a symmetric key says which key that is.
pub(crate) async fn decrypt(cx: &Cx, input: DecryptInput) -> Result<DecryptOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    check_recipient(input.recipient.as_ref(), "Decrypt")?;
    if let Some(key_id) = &input.key_id {
        managed::ensure(cx, key_id).await?;
    }
    let algorithm = input.encryption_algorithm.unwrap_or(EncryptionAlgorithmSpec::SymmetricDefault);
    let ignores = ignores_ciphertext(input.dry_run, input.dry_run_modifiers.as_deref())?;
    if ignores && let Some(key_id) = &input.key_id {
        cx.read(|tx| lookup::ready(tx, key_id, USAGE, "Decrypt"))?;
        return Err(Error::DryRunOperationException);
    }
    let opening = Opening {
        key_id: input.key_id.as_deref(),
        algorithm,
        ciphertext: required(input.ciphertext_blob.as_ref())?,
        context: input.encryption_context.as_ref(),
        operation: "Decrypt",
    };
    let opened = cx.read(|tx| opening.open(tx))?;
    end_dry_run(input.dry_run)?;
    note(cx, &opened.arn);
    Ok(DecryptOutput {
        key_id: Some(opened.arn),
        plaintext: Some(Bytes::copy_from_slice(&opened.plaintext)),
        encryption_algorithm: Some(algorithm),
        ciphertext_for_recipient: None,
        key_material_id: opened.material,
    })
}

/// Decrypts, and encrypts anew with another key, context or algorithm.
pub(crate) async fn re_encrypt(cx: &Cx, input: ReEncryptInput) -> Result<ReEncryptOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    managed::ensure(cx, &input.destination_key_id).await?;
    let symmetric = EncryptionAlgorithmSpec::SymmetricDefault;
    let source = input.source_encryption_algorithm.unwrap_or(symmetric);
    let destination = input.destination_encryption_algorithm.unwrap_or(symmetric);
    let ignores = ignores_ciphertext(input.dry_run, input.dry_run_modifiers.as_deref())?;
    let (opened, sealing) = cx.read(|tx| {
        let opened = match ignores {
            true => None,
            false => Some(
                Opening {
                    key_id: input.source_key_id.as_deref(),
                    algorithm: source,
                    ciphertext: required(input.ciphertext_blob.as_ref())?,
                    context: input.source_encryption_context.as_ref(),
                    operation: "ReEncryptFrom",
                }
                .open(tx)?,
            ),
        };
        let found = lookup::ready(tx, &input.destination_key_id, USAGE, "ReEncryptTo")?;
        let context = input.destination_encryption_context.as_ref();
        Ok::<_, Error>((opened, Sealing::new(tx, found, destination, context)?))
    })?;
    end_dry_run(input.dry_run)?;
    let opened = opened.ok_or(Error::DryRunOperationException)?;
    let (ciphertext, arn, material) = sealing.seal(cx, &opened.plaintext)?;
    note(cx, &opened.arn);
    note(cx, &arn);
    Ok(ReEncryptOutput {
        ciphertext_blob: Some(ciphertext),
        source_key_id: Some(opened.arn),
        key_id: Some(arn),
        source_encryption_algorithm: Some(source),
        destination_encryption_algorithm: Some(destination),
        source_key_material_id: opened.material,
        destination_key_material_id: material,
    })
}
