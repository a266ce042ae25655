//! What can go wrong in the store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a read, a transaction or a blob operation failed.
///
/// None of these is a client's mistake: a service answers them as an internal failure, and the log has the cause.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused an operation.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The operating system's answer.
        source: Arc<io::Error>,
    },
    /// The engine below refused an operation.
    #[error("the storage engine failed: {0}")]
    Engine(Arc<str>),
    /// Bytes on disk are not what was written there.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// The table, file or blob.
        what: String,
        /// What was expected and what was found.
        why: String,
    },
    /// A row, or the whole directory, was written by a newer version of Fogbank.
    #[error(
        "{what} has format {found}, but this version of Fogbank reads formats up to {supported}: \
         run the newer version that wrote it, or start with another data directory"
    )]
    NewerFormat {
        /// The table or the directory.
        what: String,
        /// The format found.
        found: u32,
        /// The newest format that this version reads.
        supported: u32,
    },
    /// Another process has the directory open.
    #[error(
        "{path} is in use by another process{}: stop it, or start with another data directory",
        .holder.map(|pid| format!(" ({pid})")).unwrap_or_default()
    )]
    Locked {
        /// The data directory.
        path: PathBuf,
        /// The process that holds it, where it said so.
        holder: Option<u32>,
    },
    /// A commit failed, so that nothing more may be written until a restart.
    #[error("the store accepts no writes since a commit failed: {reason}")]
    ReadOnly {
        /// The failure of the commit.
        reason: Arc<str>,
        /// Whether the disk was full.
        disk_full: bool,
    },
    /// So little space is left on the disk that nothing new is taken. Once there is more, it is taken again.
    #[error(
        "less than the reserve of {} MiB is left on the disk of {path}: free some space there",
        .reserve_bytes >> 20
    )]
    NoSpace {
        /// The data directory.
        path: PathBuf,
        /// The space that must be left, in bytes.
        reserve_bytes: u64,
    },
    /// The data directory cannot be written.
    #[error(
        "{path} cannot be written ({why}): make it writable for this user, or start with another data directory"
    )]
    NotWritable {
        /// The data directory.
        path: PathBuf,
        /// The operating system's answer.
        why: Arc<str>,
    },
    /// A key or value is larger than the store accepts.
    #[error("a {what} of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// `key`, `value` or `transaction`.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Two tables claim the same prefix.
    #[error("the tables {first} and {second} both use the prefix {prefix:#010x}")]
    TableClash {
        /// The table that used it first.
        first: &'static str,
        /// The table that used it second.
        second: &'static str,
        /// The prefix.
        prefix: u32,
    },
    /// A write was started inside the closure of another write, where it would wait for itself.
    #[error("a write transaction was started inside another one")]
    Nested,
    /// The bytes that a blob reference names are gone.
    #[error("the blob {0} does not exist")]
    NoSuchBlob(String),
    /// The range asked for does not lie within the blob.
    #[error("the range {start}..{end} does not lie within a blob of {len} bytes")]
    OutOfRange {
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Length of the blob in bytes.
        len: u64,
    },
    /// No snapshot has the name.
    #[error("there is no snapshot {0}")]
    NoSuchSnapshot(String),
    /// A snapshot has the name already.
    #[error("there is a snapshot {0} already: delete it first, or choose another name")]
    SnapshotExists(String),
    /// The name cannot be that of a snapshot.
    #[error(
        "{0:?} cannot be the name of a snapshot: it must start with a letter or digit and have up to 64 letters, \
         digits, dots, hyphens and underscores"
    )]
    SnapshotName(String),
    /// A snapshot holds what another root key sealed than that of the present.
    #[error(
        "the snapshot {0} was sealed with another root key: start with the key under which it was saved \
         (--root-key-file), then load it"
    )]
    OtherRootKey(String),
    /// The database was closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Wraps an operating system error with what was being done.
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Error {
        Error::Io { doing: doing.into(), source: Arc::new(source) }
    }

    /// Says that `what` does not hold what it should.
    pub fn corrupt(what: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Corrupt { what: what.into(), why: why.into() }
    }

    /// Whether the disk ran out of space or quota.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Error::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Error::ReadOnly { disk_full, .. } => *disk_full,
            Error::NoSpace { .. } => true,
            _ => false,
        }
    }
}
