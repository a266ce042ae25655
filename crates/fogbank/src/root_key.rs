//! The file of the root key, which seals keys at rest: made once in the data directory, or kept where the operator says.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use fogbank_core::seal::Zeroizing;
use fogbank_core::{Cloud, RootKey};

use crate::config::Config;

/// The file's name in the data directory.
pub(crate) const FILE: &str = "ROOT_KEY";
/// Bytes of a file that this program makes.
const TEXT_BYTES: usize = 65;

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
                "{} is missing: keys and objects in this data directory were sealed with it and cannot be opened \
                 without it. Put it back (a backup holds it only if it was made with --with-root-key), or name \
                 another file with --root-key-file",
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
            "{} is not the root key with which keys and objects in {} were sealed; put the right one in its place, or name it with \
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

/// What a backup begins with that holds the root key, which follows as a file has it.
const IN_BACKUP: &[u8; 19] = b"fogbank root key 1\n";

/// What a backup begins with that is to hold the root key of a file.
pub(crate) fn for_backup(path: &Path) -> anyhow::Result<Vec<u8>> {
    let key = text(&*read(path)?);
    Ok([&IN_BACKUP[..], key.as_bytes()].concat())
}

/// The root key at the beginning of a backup, if there is one, and the backup without it.
pub(crate) fn of_backup(
    mut input: &mut dyn Read,
) -> anyhow::Result<(Option<Zeroizing<[u8; 32]>>, impl Read)> {
    let mut head = Vec::with_capacity(IN_BACKUP.len());
    let taken = Read::take(&mut input, IN_BACKUP.len() as u64).read_to_end(&mut head);
    taken.context("the backup cannot be read")?;
    if head != IN_BACKUP {
        return Ok((None, io::Cursor::new(head).chain(input)));
    }
    let mut key = Zeroizing::new(String::with_capacity(TEXT_BYTES));
    let taken = Read::take(&mut input, TEXT_BYTES as u64).read_to_string(&mut key);
    taken.context("the root key in the backup cannot be read")?;
    let key = parse(&key).context("the root key in the backup is damaged")?;
    Ok((Some(key), io::Cursor::new(Vec::new()).chain(input)))
}

/// Reads 64 hexadecimal digits.
fn read(path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let unreadable = || format!("cannot read the root key in {}", path.display());
    let text = Zeroizing::new(std::fs::read_to_string(path).with_context(unreadable)?);
    let mode = std::fs::metadata(path).with_context(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others may read the root key: chmod 600");
    }
    parse(&text).with_context(|| {
        format!(
            "{} is no root key: it must have 64 hexadecimal digits, such as `openssl rand -hex 32` writes",
            path.display()
        )
    })
}

fn parse(text: &str) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    let digits = text.trim().as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new([0; 32]);
    ensure!(
        digits.len() == 64 && digits.iter().all(|byte| digit(*byte).is_some()),
        "these are not 64 hexadecimal digits"
    );
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digits = pair.iter().filter_map(|byte| digit(*byte));
        *byte = digits.fold(0, |sum, digit| (sum << 4) | digit as u8);
    }
    Ok(bytes)
}

/// A key as its file has it: 64 digits and the end of a line.
fn text(bytes: &[u8; 32]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES));
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    text
}

/// Writes the file as a whole or not at all, for its owner alone.
pub(crate) fn create(folder: &Path, path: &Path, bytes: &[u8; 32]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let text = text(bytes);
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

    #[test]
    fn a_backup_may_begin_with_the_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        create(folder.path(), &path, &[7; 32]).expect("it is created");
        let rest = |input: &[u8]| {
            let mut input = input;
            let (key, mut backup) = of_backup(&mut input)?;
            let mut bytes = Vec::new();
            backup.read_to_end(&mut bytes)?;
            anyhow::Ok((key.map(|key| *key), bytes))
        };
        let with = [&for_backup(&path).expect("a key")[..], b"fogbank backup 1\n..."].concat();
        let backup = b"fogbank backup 1\n...".to_vec();
        assert_eq!(rest(&with).expect("readable"), (Some([7; 32]), backup.clone()));
        assert_eq!(rest(&backup).expect("readable"), (None, backup));
        assert_eq!(rest(b"x").expect("readable"), (None, b"x".to_vec()));
        assert!(rest(&with[..60]).is_err(), "the key is cut off");
    }
}
