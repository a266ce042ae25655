//! Which parts of the host every sandbox shows.

use std::path::{Path, PathBuf};

use super::plan::Bind;

/// Folders with programs and libraries.
const SYSTEM: [&str; 8] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];

/// What programs need of `/etc`: names, certificates and the loader's configuration, but no secrets.
const CONFIGURATION: [&str; 24] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "fonts",
    "gai.conf",
    "host.conf",
    "hosts",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "java-25-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
];

/// The user that AWS runs functions as.
pub(crate) const USER: u32 = 993;
/// Its group.
pub(crate) const GROUP: u32 = 990;

/// The parts of the host, found once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Host {
    pub(crate) binds: Vec<Bind>,
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    pub(crate) files: Vec<(PathBuf, String)>,
}

impl Host {
    /// Looks at this machine.
    pub(crate) fn find() -> Self {
        let mut host = Self::default();
        for path in SYSTEM {
            host.add(Path::new(path));
        }
        for name in CONFIGURATION {
            host.add_configuration(&Path::new("/etc").join(name));
        }
        let user = format!("sbx_user1051:x:{USER}:{GROUP}::/home/sbx_user1051:/sbin/nologin\n");
        host.files
            .push(("/etc/passwd".into(), format!("root:x:0:0:root:/root:/sbin/nologin\n{user}")));
        host.files.push(("/etc/group".into(), format!("root:x:0:\nsbx_group:x:{GROUP}:\n")));
        host
    }

    /// `/bin` is a link to `usr/bin` on most systems and stays one.
    fn add(&mut self, path: &Path) {
        match path.symlink_metadata() {
            Ok(it) if it.is_symlink() => {
                if let Ok(content) = path.read_link() {
                    self.links.push((path.to_path_buf(), content));
                }
            }
            Ok(_) => self.binds.push(Bind::same(path)),
            Err(_) => {}
        }
    }

    /// Links in `/etc` lead to places such as `/run` that no sandbox shows, so what they lead to is bound.
    fn add_configuration(&mut self, path: &Path) {
        if let Ok(source) = path.canonicalize() {
            self.binds.push(Bind::new(source, path));
        }
    }

    /// True if the sandbox shows the path already.
    pub(crate) fn shows(&self, path: &Path) -> bool {
        self.binds.iter().any(|bind| bind.source == bind.target && path.starts_with(&bind.target))
    }
}

/// The folder to bind for an interpreter in `prefix`: some installations need more than their own folder.
pub(crate) fn installation(prefix: &Path) -> PathBuf {
    let homebrew = prefix.ancestors().find(|folder| folder.ends_with(".linuxbrew"));
    homebrew.unwrap_or(prefix).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_shows_programs_and_no_secrets() {
        let host = Host::find();
        assert!(host.shows(Path::new("/usr/bin/env")));
        for secret in
            ["/etc/shadow", "/etc/ssh", "/root/x", "/home/x", "/var/lib", "/opt/x", "/tmp"]
        {
            assert!(!host.shows(Path::new(secret)), "{secret}");
        }
        assert!(host.files.iter().any(|file| file.1.contains("sbx_user1051:x:993:990:")));
    }

    #[test]
    fn homebrew_is_shown_as_a_whole() {
        let cellar = Path::new("/home/linuxbrew/.linuxbrew/Cellar/python@3.12/3.12.4");
        assert_eq!(installation(cellar), Path::new("/home/linuxbrew/.linuxbrew"));
        assert_eq!(
            installation(Path::new("/home/a/.pyenv/versions/3.12.1")),
            Path::new("/home/a/.pyenv/versions/3.12.1")
        );
    }
}
