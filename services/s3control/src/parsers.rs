//! What reads manifests of jobs, for those who try it with arbitrary ones.

use crate::running::entries::{Columns, Lines};

/// Reads lines of two fields or three in pieces of this size, and as a whole, which must come to the same.
pub fn read(manifest: &[u8], piece: usize) {
    for names in [&["Bucket", "Key"][..], &["Key", "VersionId", "Bucket"]] {
        let Some(columns) = Columns::named(names.iter().copied()) else { continue };
        let entries = |piece: usize| {
            let (mut lines, mut all) = (Lines::new(columns), Vec::new());
            let pieces = manifest.chunks(piece.max(1)).chain([&b""[..]]);
            let outcome = pieces.map(|piece| lines.feed(piece, &mut all)).find(Result::is_err);
            (all, outcome)
        };
        assert_eq!(entries(piece), entries(usize::MAX));
    }
}
