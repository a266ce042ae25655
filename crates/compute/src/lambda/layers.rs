//! Merges layers into one tree, which functions see as `/opt`.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// A name for a list of folders, in order.
pub(crate) fn name_of(layers: &[PathBuf]) -> String {
    let mut hash = Sha256::new();
    for layer in layers {
        hash.update(layer.as_os_str().as_encoded_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Merges the layers into `target`, later ones over earlier ones. Files are linked, or copied to another file system.
///
/// A target that exists is complete: the tree is built beside it and renamed.
pub(crate) fn merge(layers: &[PathBuf], target: &Path) -> io::Result<()> {
    if target.exists() {
        return Ok(());
    }
    let unique = format!("{}-{:?}", std::process::id(), std::thread::current().id());
    let building = target.with_extension(unique.replace(['(', ')'], ""));
    if building.exists() {
        std::fs::remove_dir_all(&building)?;
    }
    std::fs::create_dir_all(&building)?;
    for layer in layers {
        add(layer, &building)?;
    }
    match std::fs::rename(&building, target) {
        // Another environment of the same layers was faster.
        Err(_) if target.exists() => std::fs::remove_dir_all(&building),
        other => other,
    }
}

fn add(source: &Path, target: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(source)? {
        let entry = entry?;
        let place = target.join(entry.file_name());
        let kind = entry.file_type()?;
        let present = place.symlink_metadata().ok();
        if kind.is_dir() {
            if present.is_some_and(|present| !present.is_dir()) {
                std::fs::remove_file(&place)?;
            }
            std::fs::create_dir_all(&place)?;
            add(&entry.path(), &place)?;
            continue;
        }
        match present {
            Some(present) if present.is_dir() => std::fs::remove_dir_all(&place)?,
            Some(_) => std::fs::remove_file(&place)?,
            None => {}
        }
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, &place)?;
        } else if std::fs::hard_link(entry.path(), &place).is_err() {
            std::fs::copy(entry.path(), &place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_layers_win_and_folders_merge() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        for (layer, file, text) in [
            (&one, "python/a.py", "1"),
            (&one, "python/b.py", "1"),
            (&one, "clash", "file"),
            (&two, "python/b.py", "2"),
            (&two, "clash/inner", "2"),
        ] {
            let path = layer.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        std::os::unix::fs::symlink("a.py", two.join("python/link")).unwrap();
        let target = dir.path().join("merged");
        let layers = [one, two];
        merge(&layers, &target).unwrap();
        merge(&layers, &target).unwrap();
        let read = |name: &str| std::fs::read_to_string(target.join(name)).unwrap();
        assert_eq!(
            [read("python/a.py"), read("python/b.py"), read("clash/inner")],
            ["1", "2", "2"]
        );
        assert_eq!(read("python/link"), "1");
        assert_ne!(name_of(&layers), name_of(&layers[..1]));
    }
}
