//! Data keys, pairs of them, and chance.

use std::collections::BTreeMap;

use bytes::Bytes;
use fogbank_core::Cx;
use fogbank_core::seal::Zeroizing;

use crate::encryption::{Sealing, check_recipient};
use crate::error::Error;
use crate::grants::check_tokens;
use crate::lookup::{self, end_dry_run};
use crate::model::{
    DataKeyPairSpec, DataKeySpec, EncryptionAlgorithmSpec, GenerateDataKeyInput,
    GenerateDataKeyOutput, GenerateDataKeyPairInput, GenerateDataKeyPairOutput,
    GenerateDataKeyPairWithoutPlaintextInput, GenerateDataKeyPairWithoutPlaintextOutput,
    GenerateDataKeyWithoutPlaintextInput, GenerateDataKeyWithoutPlaintextOutput,
    GenerateRandomInput, GenerateRandomOutput,
};
use crate::rules::spec;
use crate::uses::note;
use crate::{keys, managed};

/// What a data key is to be.
struct Wanted<'a> {
    key_id: &'a str,
    context: Option<&'a BTreeMap<String, String>>,
    tokens: Option<&'a [String]>,
    dry_run: Option<bool>,
    operation: &'static str,
}

impl Wanted<'_> {
    /// Finds the key that is to seal the data key.
    async fn sealing(&self, cx: &Cx) -> Result<Sealing, Error> {
        check_tokens(cx, self.tokens)?;
        managed::ensure(cx, self.key_id).await?;
        cx.read(|tx| {
            let found = lookup::ready(tx, self.key_id, "ENCRYPT_DECRYPT", self.operation)?;
            if !spec::is_symmetric(&found.key.spec) {
                return Err(Error::InvalidKeyUsageException(format!(
                    "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec {}.",
                    found.key.spec
                )));
            }
            let algorithm = EncryptionAlgorithmSpec::SymmetricDefault;
            let sealing = Sealing::new(tx, found, algorithm, self.context)?;
            end_dry_run(self.dry_run)?;
            Ok(sealing)
        })
    }
}

fn length(spec: Option<DataKeySpec>, bytes: Option<i32>) -> Result<usize, Error> {
    match (spec, bytes) {
        (Some(DataKeySpec::Aes256), None) => Ok(32),
        (Some(DataKeySpec::Aes128), None) => Ok(16),
        (None, Some(bytes)) => Ok(usize::try_from(bytes).unwrap_or(1)),
        _ => Err(Error::invalid("Please specify either number of bytes or key spec.")),
    }
}

/// A data key, as it is and sealed.
pub(crate) async fn generate(
    cx: &Cx,
    input: GenerateDataKeyInput,
) -> Result<GenerateDataKeyOutput, Error> {
    let length = length(input.key_spec, input.number_of_bytes)?;
    check_recipient(input.recipient.as_ref(), "GenerateDataKey")?;
    let wanted = Wanted {
        key_id: &input.key_id,
        context: input.encryption_context.as_ref(),
        tokens: input.grant_tokens.as_deref(),
        dry_run: input.dry_run,
        operation: "GenerateDataKey",
    };
    let sealing = wanted.sealing(cx).await?;
    let mut plaintext = Zeroizing::new(vec![0; length]);
    cx.ids().fill(&mut plaintext);
    let (ciphertext, arn, material) = sealing.seal(cx, &plaintext)?;
    note(cx, &arn);
    Ok(GenerateDataKeyOutput {
        ciphertext_blob: Some(ciphertext),
        plaintext: Some(Bytes::copy_from_slice(&plaintext)),
        key_id: Some(arn),
        ciphertext_for_recipient: None,
        key_material_id: material,
    })
}

/// A data key, sealed.
pub(crate) async fn generate_sealed(
    cx: &Cx,
    input: GenerateDataKeyWithoutPlaintextInput,
) -> Result<GenerateDataKeyWithoutPlaintextOutput, Error> {
    let length = length(input.key_spec, input.number_of_bytes)?;
    let wanted = Wanted {
        key_id: &input.key_id,
        context: input.encryption_context.as_ref(),
        tokens: input.grant_tokens.as_deref(),
        dry_run: input.dry_run,
        operation: "GenerateDataKeyWithoutPlaintext",
    };
    let sealing = wanted.sealing(cx).await?;
    let mut plaintext = Zeroizing::new(vec![0; length]);
    cx.ids().fill(&mut plaintext);
    let (ciphertext, arn, material) = sealing.seal(cx, &plaintext)?;
    note(cx, &arn);
    Ok(GenerateDataKeyWithoutPlaintextOutput {
        ciphertext_blob: Some(ciphertext),
        key_id: Some(arn),
        key_material_id: material,
    })
}

/// A pair of data keys: the public one, and the private one as it is and sealed.
pub(crate) async fn generate_pair(
    cx: &Cx,
    input: GenerateDataKeyPairInput,
) -> Result<GenerateDataKeyPairOutput, Error> {
    check_recipient(input.recipient.as_ref(), "GenerateDataKeyPair")?;
    check_pair(input.key_pair_spec)?;
    let wanted = Wanted {
        key_id: &input.key_id,
        context: input.encryption_context.as_ref(),
        tokens: input.grant_tokens.as_deref(),
        dry_run: input.dry_run,
        operation: "GenerateDataKeyPair",
    };
    let sealing = wanted.sealing(cx).await?;
    let fresh = keys::generate(cx, input.key_pair_spec.as_str().to_owned()).await?;
    let (ciphertext, arn, material) = sealing.seal(cx, &fresh.secret)?;
    note(cx, &arn);
    Ok(GenerateDataKeyPairOutput {
        private_key_ciphertext_blob: Some(ciphertext),
        private_key_plaintext: Some(Bytes::copy_from_slice(&fresh.secret)),
        public_key: fresh.public.map(Bytes::from),
        key_id: Some(arn),
        key_pair_spec: Some(input.key_pair_spec),
        ciphertext_for_recipient: None,
        key_material_id: material,
    })
}

/// A pair of data keys: the public one, and the private one sealed.
pub(crate) async fn generate_sealed_pair(
    cx: &Cx,
    input: GenerateDataKeyPairWithoutPlaintextInput,
) -> Result<GenerateDataKeyPairWithoutPlaintextOutput, Error> {
    check_pair(input.key_pair_spec)?;
    let wanted = Wanted {
        key_id: &input.key_id,
        context: input.encryption_context.as_ref(),
        tokens: input.grant_tokens.as_deref(),
        dry_run: input.dry_run,
        operation: "GenerateDataKeyPairWithoutPlaintext",
    };
    let sealing = wanted.sealing(cx).await?;
    let fresh = keys::generate(cx, input.key_pair_spec.as_str().to_owned()).await?;
    let (ciphertext, arn, material) = sealing.seal(cx, &fresh.secret)?;
    note(cx, &arn);
    Ok(GenerateDataKeyPairWithoutPlaintextOutput {
        private_key_ciphertext_blob: Some(ciphertext),
        public_key: fresh.public.map(Bytes::from),
        key_id: Some(arn),
        key_pair_spec: Some(input.key_pair_spec),
        key_material_id: material,
    })
}

fn check_pair(spec: DataKeyPairSpec) -> Result<(), Error> {
    match spec {
        DataKeyPairSpec::Sm2 => {
            Err(Error::unsupported("KeyPairSpec SM2 is not supported in this Region."))
        }
        _ => Ok(()),
    }
}

/// Bytes by chance.
pub(crate) async fn random(
    cx: &Cx,
    input: GenerateRandomInput,
) -> Result<GenerateRandomOutput, Error> {
    check_recipient(input.recipient.as_ref(), "GenerateRandom")?;
    if let Some(id) = &input.custom_key_store_id {
        return Err(crate::custom_key_stores::unknown(id));
    }
    let length =
        input.number_of_bytes.ok_or_else(|| Error::invalid("NumberOfBytes is required."))?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(1)];
    cx.ids().fill(&mut bytes);
    Ok(GenerateRandomOutput { plaintext: Some(bytes.into()), ciphertext_for_recipient: None })
}
