//! The root key of a data directory: what seals keys at rest.
//!
//! It lies in a file beside the store, or where the operator says. A row keeps a word that it sealed, so that another
//! key, or none, is noticed at the start and not when a secret is asked for.

use fogbank_seal::{KEY_BYTES, Key, NONCE_BYTES, StreamKey, Zeroizing};
use fogbank_store::{Error, Raw, Table};

use crate::{Cloud, Fault, Ids, Tx, WriteTx};

/// A word that the root key sealed.
pub(crate) static SEALED: Table<(u8,), Raw> = Table::new("core.root_key", 0x00F0).read_often();
const WORD: &[u8] = b"fogbank root key";
const PLACE: &[u8] = b"core.root_key";
/// What the key is derived for that seals the bodies of objects.
const BODIES: &[u8] = b"bodies of objects";

/// The root key of a cloud.
pub struct RootKey {
    key: Key,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    bodies: StreamKey,
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey")
    }
}

impl RootKey {
    /// The key of these bytes.
    pub fn new(bytes: &[u8; KEY_BYTES]) -> RootKey {
        let bodies = StreamKey::new(&fogbank_seal::derive(bytes, BODIES));
        RootKey { key: Key::new(bytes), bytes: Zeroizing::new(*bytes), bodies }
    }

    /// The key under which bodies of objects are sealed that nobody brings a key for. Who stores what it enciphers calls
    /// [`keep_word`] in the same transaction.
    pub fn bodies(&self) -> &StreamKey {
        &self.bodies
    }

    /// A key for a cipher of a service's own, for the use that `purpose` names. Who stores what it enciphers calls
    /// [`keep_word`] in the same transaction.
    pub fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; KEY_BYTES]> {
        fogbank_seal::derive(&self.bytes, purpose)
    }

    /// New bytes for a key.
    pub fn generate(ids: &Ids) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        ids.fill(&mut *bytes);
        bytes
    }

    /// Seals what is not kept, such as a token, for the use that `place` names.
    pub fn seal(&self, ids: &Ids, place: &[u8], value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        ids.fill(&mut nonce);
        self.key.seal(nonce, place, value)
    }

    /// Opens a value that was sealed for the same place.
    pub fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let opened = self.key.open(place, sealed);
        opened.map_err(|error| Fault::internal(format!("with the root key: {error}")))
    }
}

/// Seals a value that a row is to keep, for the place that `place` names. The first one also leaves the word by which the
/// next start knows its key.
pub fn seal(tx: &mut WriteTx<'_>, place: &[u8], value: &[u8]) -> Result<Vec<u8>, Error> {
    keep_word(tx)?;
    Ok(tx.cx().root_key().seal(tx.ids(), place, value))
}

/// Leaves the word by which the next start knows its root key, unless it is there.
pub fn keep_word(tx: &mut WriteTx<'_>) -> Result<(), Error> {
    if SEALED.get_shared(tx, &(0,))?.is_none() {
        let word = tx.cx().root_key().seal(tx.ids(), PLACE, WORD);
        SEALED.put(tx, &(0,), &Raw(word.into()))?;
    }
    Ok(())
}

impl Cloud {
    /// The root key. A cloud that was given none, which is one in memory, makes one that ends with it.
    pub fn root_key(&self) -> &RootKey {
        self.kept_root_key().get_or_init(|| RootKey::new(&RootKey::generate(self.ids())))
    }

    /// Whether a row keeps something that a root key sealed.
    pub fn has_sealed(&self) -> Result<bool, Error> {
        self.db().read(|tx| SEALED.contains(tx, &(0,)))
    }

    /// Whether the root key is the one that sealed what lies in other rows than the present ones.
    pub fn opens(&self, rows: &impl fogbank_store::Read) -> Result<bool, Error> {
        let found = SEALED.get(rows, &(0,))?;
        Ok(found.is_none_or(|word| self.root_key().key.open(PLACE, &word.0).is_ok()))
    }

    /// Takes the root key, and says whether it is the one that sealed what lies in the rows.
    pub fn use_root_key(&self, key: RootKey) -> Result<bool, Error> {
        let found = self.db().read(|tx| SEALED.get(tx, &(0,)))?;
        let is_right = found.is_none_or(|word| key.key.open(PLACE, &word.0).is_ok());
        if is_right {
            // One that is there already was used.
            let _ = self.kept_root_key().set(key);
        }
        Ok(is_right)
    }
}

#[cfg(test)]
mod tests {
    use fogbank_store::Db;
    use fogbank_wire::Timestamp;

    use super::*;
    use crate::{Clock, Cx, Settings};

    fn cloud(db: &Db) -> Cloud {
        let settings = Settings {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            data_dir: ".".into(),
            local_authority: String::new(),
            has_legacy_buckets: false,
            allows_customer_keys: false,
            s3_cache_bytes: 0,
        };
        let clock = Clock::frozen(Timestamp::from_secs(0));
        Cloud::new(db.clone(), clock, Ids::seeded(1), settings)
    }

    #[tokio::test]
    async fn another_key_is_refused_once_something_is_sealed() {
        let db = Db::memory();
        for key in [2, 1] {
            assert!(cloud(&db).use_root_key(RootKey::new(&[key; 32])).expect("rows"));
        }
        let first = cloud(&db);
        assert!(first.use_root_key(RootKey::new(&[1; 32])).expect("rows"));
        assert!(!first.has_sealed().expect("rows"));
        let cx = Cx::background(first.clone(), "kms", "test");
        let sealed = cx.write(|tx| seal(tx, b"p", b"v")).await.expect("it is sealed");
        assert!(first.has_sealed().expect("rows"));
        assert!(!cloud(&db).use_root_key(RootKey::new(&[2; 32])).expect("rows"));
        let again = cloud(&db);
        assert!(again.use_root_key(RootKey::new(&[1; 32])).expect("rows"));
        assert_eq!(**again.root_key().open(b"p", &sealed).expect("it opens"), *b"v");
        again.root_key().open(b"q", &sealed).expect_err("another place");
    }
}
