//! The file of the root key, which seals keys at rest: made once in the data directory, or kept where the operator says.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use fogbank_core::seal::Zeroizing;
use fogbank_core::{Cloud, RootKey};

use crate::config::Config;

/// The file's name in the data directory.
pub(crate) const FILE: &str = "ROOT_KEY";

/// Gives the cloud its root key; refuses a file that is missing or is not the one that sealed what is there.
pub(crate) fn take(config: &Config, cloud: &Cloud) -> anyhow::Result<()> {
    if config.ephemeral && config.root_key_file.is_none() {
        return Ok(());
    }
    let own = config.data_dir.join(FILE);
    let path = config.root_key_file.as_deref().unwrap_or(&own);
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) if is_missing(&error) && config.root_key_file.is_none() => {
            let is_sealed = cloud.has_sealed().context("the state cannot be read")?;
            ensure!(
                !is_sealed,
                "{} is missing: keys in this data directory were sealed with it and cannot be opened without it. Put \
                 it back (a backup does not hold it), or name another file with --root-key-file",
                path.display()
            );
            let bytes = RootKey::generate(cloud.ids());
            create(&config.data_dir, path, &bytes)
                .with_context(|| format!("cannot create {}", path.display()))?;
            bytes
        }
        Err(error) => return Err(error),
    };
    let is_right = cloud.use_root_key(RootKey::new(&bytes)).context("the state cannot be read")?;
    if !is_right {
        bail!(
            "{} is not the root key with which keys in {} were sealed; put the right one in its place, or name it with \
             --root-key-file",
            path.display(),
            config.data_dir.display()
        );
    }
    Ok(())
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Reads 64 hexadecimal digits.
fn read(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let unreadable = || format!("cannot read the root key in {}", path.display());
    let text = Zeroizing::new(std::fs::read_to_string(path).with_context(unreadable)?);
    let mode = std::fs::metadata(path).with_context(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may read the root key: chmod 600");
    }
    let digits = text.trim().as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new([0; 32]);
    ensure!(
        digits.len() == 64 && digits.iter().all(|byte| digit(*byte).is_some()),
        "{} is no root key: it must have 64 hexadecimal digits, such as `openssl rand -hex 32` writes",
        path.display()
    );
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digits = pair.iter().filter_map(|byte| digit(*byte));
        *byte = digits.fold(0, |sum, digit| (sum << 4) | digit as u8);
    }
    Ok(bytes)
}

/// Writes the file as a whole or not at all, for its owner alone.
fn create(folder: &Path, path: &Path, bytes: &[u8; 32]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_created_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        assert!(is_missing(&read(&path).expect_err("there is none")));
        let bytes: [u8; 32] = std::array::from_fn(|at| at as u8 * 7);
        create(folder.path(), &path, &bytes).expect("it is created");
        assert_eq!(*read(&path).expect("a key"), bytes);
        assert_eq!(std::fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "12").expect("it is written");
        let error = read(&path).expect_err("no key").to_string();
        assert!(error.contains("64 hexadecimal digits"), "{error}");
    }
}
