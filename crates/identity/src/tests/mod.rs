//! A cloud of rows alone, and the directory over it.

mod credentials;
mod decisions;
mod explanations;
mod formats;
mod global_keys;
mod organization_formats;

use fogbank_core::store::{Db, Error};
use fogbank_core::{
    Check, Clock, Cloud, Cx, Endpoint, Fault, Ids, Principal, Request, ResourcePolicy, Settings,
    Timestamp, WriteTx,
};

use crate::rows::{self, AccessKey, Entity, Grants, InlinePolicy, Kind, User};
use crate::{Directory, Mode};

pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

/// A cloud, its directory, and whether they know of each other.
pub(crate) struct House {
    pub(crate) cloud: Cloud,
    pub(crate) directory: Directory,
}

impl House {
    pub(crate) fn new(mode: Mode, is_connected: bool) -> House {
        let settings = Settings {
            account: ACCOUNT.to_owned(),
            region: "us-east-1".to_owned(),
            data_dir: std::path::PathBuf::new(),
            local_authority: "127.0.0.1:4566".into(),
            has_legacy_buckets: false,
            allows_customer_keys: false,
            s3_cache_bytes: 0,
        };
        let db = Db::memory();
        let cloud = Cloud::new(db, Clock::frozen(NOW), Ids::seeded(1), settings);
        let directory = Directory::new(mode, ACCOUNT);
        if is_connected {
            directory.connect(&cloud);
        }
        House { cloud, directory }
    }

    pub(crate) fn dev() -> House {
        House::new(Mode::Dev { accept_any_credentials: false }, true)
    }

    pub(crate) fn write(&self, f: impl Fn(&mut WriteTx<'_>) -> Result<(), Error>) {
        let cx = Cx::background(self.cloud.clone(), "iam", "Test");
        let outcome = self.cloud.db().write_blocking(|tx| f(&mut WriteTx::new(tx, &cx)));
        outcome.expect("the engine in memory writes");
    }

    /// Writes a user with an inline policy for each text.
    pub(crate) fn user(&self, name: &str, documents: &[&str]) -> User {
        let inline = documents.iter().enumerate().map(|(index, document)| InlinePolicy {
            name: format!("p{index}"),
            document: (*document).to_owned(),
        });
        let user = User {
            name: name.to_owned(),
            path: "/".to_owned(),
            id: format!("AIDA{:A>17}", name.to_uppercase()),
            created_secs: NOW.secs(),
            tags: vec![("Team".to_owned(), "blue".to_owned())],
            grants: Grants { inline: inline.collect(), ..Grants::default() },
            groups: Vec::new(),
            access_keys: Vec::new(),
        };
        self.write(|tx| {
            let folded = rows::fold(name);
            rows::USERS.put(tx, &(ACCOUNT, &*folded), &user)?;
            let entity = Entity { account: ACCOUNT.to_owned(), kind: Kind::User, folded };
            rows::ENTITIES.put(tx, &user.id, &entity)?;
            rows::changed(tx)
        });
        user
    }

    /// Writes an access key.
    pub(crate) fn key(&self, id: &str, user: Option<&User>, active: bool) {
        let key = AccessKey {
            account: ACCOUNT.to_owned(),
            user_id: user.map(|user| user.id.clone()),
            secret: "secret".to_owned(),
            active,
            created_secs: NOW.secs(),
        };
        self.write(|tx| {
            rows::ACCESS_KEYS.put(tx, id, &key)?;
            rows::changed(tx)
        });
    }

    pub(crate) fn authorise(
        &self,
        principal: &Principal,
        action: &str,
        check: &Check,
        policy: Option<&ResourcePolicy>,
    ) -> Result<(), Fault> {
        let request = request(principal.clone());
        let directory = &self.directory;
        self.cloud.db().read(|rows| {
            directory.authorise(rows, &request.clone().into(), action, check, policy, None)
        })
    }
}

pub(crate) fn request(principal: Principal) -> Request {
    Request {
        id: "request".to_owned(),
        service: "sqs",
        operation: "SendMessage",
        account: ACCOUNT.to_owned(),
        principal: principal.into(),
        region: "eu-west-1".to_owned(),
        now: NOW,
        endpoint: Endpoint { tls: false, authority: "127.0.0.1:4566".into() },
        source_ip: Some([203, 0, 113, 7].into()),
        user_agent: "aws-cli/2".to_owned(),
        source: None,
        referer: String::new(),
        signature: None,
        tls_version: None,
        ways: Vec::new(),
        via: Vec::new(),
    }
}

pub(crate) fn on(resource: &str) -> Check {
    Check { resource: resource.to_owned(), ..Check::default() }
}

pub(crate) fn allow(action: &str, resource: &str, condition: &str) -> String {
    statement("Allow", action, resource, condition)
}

pub(crate) fn statement(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    let condition = if condition.is_empty() { "{}" } else { condition };
    format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"{effect}","Action":"{action}","Resource":"{resource}","Condition":{condition}}}}}"#
    )
}
