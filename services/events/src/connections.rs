//! Connections: how to prove to a host who one is. What they keep secret lies sealed with the root key.

use fogbank_core::wire::Timestamp;
use fogbank_core::{Cloud, Fault, ReadTx, Tx, WriteTx, root_key};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::{
    Connection, ConnectionApiKeyAuthResponseParameters, ConnectionAuthResponseParameters,
    ConnectionAuthorizationType, ConnectionBasicAuthResponseParameters, ConnectionBodyParameter,
    ConnectionHeaderParameter, ConnectionHttpParameters, ConnectionOAuthClientResponseParameters,
    ConnectionOAuthHttpMethod, ConnectionOAuthResponseParameters, ConnectionQueryStringParameter,
    ConnectionState, CreateConnectionAuthRequestParameters, CreateConnectionInput,
    CreateConnectionOutput, DeauthorizeConnectionInput, DeauthorizeConnectionOutput,
    DeleteConnectionInput, DeleteConnectionOutput, DescribeConnectionInput,
    DescribeConnectionOutput, ListConnectionsInput, ListConnectionsOutput,
    UpdateConnectionAuthRequestParameters, UpdateConnectionInput, UpdateConnectionOutput,
};
use crate::pages;
use crate::rules::names::{self, NamedKey};
use crate::store::{self, CONNECTIONS};

/// How many connections an account may have in a region.
const MOST: usize = 3_000;
/// The state of a connection that can be used.
pub(crate) const AUTHORIZED: &str = "AUTHORIZED";
const DEAUTHORIZED: &str = "DEAUTHORIZED";

/// What a connection knows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parameters {
    /// The user and the password.
    pub(crate) basic: Option<(String, String)>,
    /// The header and the key.
    pub(crate) api_key: Option<(String, String)>,
    pub(crate) oauth: Option<OAuth>,
    /// What goes with every request.
    pub(crate) http: Option<Http>,
}

/// How to get a token.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OAuth {
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) endpoint: String,
    pub(crate) method: String,
    /// What goes with every request for a token.
    pub(crate) http: Option<Http>,
}

/// What is added to a request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Http {
    pub(crate) headers: Option<Vec<Parameter>>,
    pub(crate) query: Option<Vec<Parameter>>,
    pub(crate) body: Option<Vec<Parameter>>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) is_secret: Option<bool>,
}

impl Http {
    fn of(given: ConnectionHttpParameters) -> Http {
        let parameter = |key: Option<String>, value: Option<String>, is_secret| Parameter {
            key: key.unwrap_or_default(),
            value: value.unwrap_or_default(),
            is_secret,
        };
        Http {
            headers: given.header_parameters.map(|list| {
                list.into_iter().map(|it| parameter(it.key, it.value, it.is_value_secret)).collect()
            }),
            query: given.query_string_parameters.map(|list| {
                list.into_iter().map(|it| parameter(it.key, it.value, it.is_value_secret)).collect()
            }),
            body: given.body_parameters.map(|list| {
                list.into_iter().map(|it| parameter(it.key, it.value, it.is_value_secret)).collect()
            }),
        }
    }

    /// The same without the values that are secret.
    fn shown(self) -> ConnectionHttpParameters {
        fn each<T>(
            list: Option<Vec<Parameter>>,
            make: fn(Option<String>, Option<String>, Option<bool>) -> T,
        ) -> Option<Vec<T>> {
            let list = list?.into_iter();
            Some(
                list.map(|it| {
                    let value = Some(it.value).filter(|_| it.is_secret != Some(true));
                    make(Some(it.key), value, it.is_secret)
                })
                .collect(),
            )
        }
        ConnectionHttpParameters {
            header_parameters: each(self.headers, |key, value, is_value_secret| {
                ConnectionHeaderParameter { key, value, is_value_secret }
            }),
            query_string_parameters: each(self.query, |key, value, is_value_secret| {
                ConnectionQueryStringParameter { key, value, is_value_secret }
            }),
            body_parameters: each(self.body, |key, value, is_value_secret| {
                ConnectionBodyParameter { key, value, is_value_secret }
            }),
        }
    }
}

impl Parameters {
    fn of(given: CreateConnectionAuthRequestParameters) -> Parameters {
        Parameters {
            basic: given.basic_auth_parameters.map(|basic| (basic.username, basic.password)),
            api_key: given.api_key_auth_parameters.map(|key| (key.api_key_name, key.api_key_value)),
            oauth: given.o_auth_parameters.map(|oauth| OAuth {
                client_id: oauth.client_parameters.client_id,
                client_secret: oauth.client_parameters.client_secret,
                endpoint: oauth.authorization_endpoint,
                method: oauth.http_method.as_str().to_owned(),
                http: oauth.o_auth_http_parameters.map(Http::of),
            }),
            http: given.invocation_http_parameters.map(Http::of),
        }
    }

    /// Takes over what is given and keeps the rest.
    fn change(&mut self, given: UpdateConnectionAuthRequestParameters) {
        if let Some(basic) = given.basic_auth_parameters {
            let (user, password) = self.basic.take().unwrap_or_default();
            self.basic = Some((basic.username.unwrap_or(user), basic.password.unwrap_or(password)));
        }
        if let Some(key) = given.api_key_auth_parameters {
            let (name, value) = self.api_key.take().unwrap_or_default();
            self.api_key =
                Some((key.api_key_name.unwrap_or(name), key.api_key_value.unwrap_or(value)));
        }
        if let Some(oauth) = given.o_auth_parameters {
            let mut known = self.oauth.take().unwrap_or_default();
            if let Some(client) = oauth.client_parameters {
                known.client_id = client.client_id.unwrap_or(known.client_id);
                known.client_secret = client.client_secret.unwrap_or(known.client_secret);
            }
            known.endpoint = oauth.authorization_endpoint.unwrap_or(known.endpoint);
            if let Some(method) = oauth.http_method {
                method.as_str().clone_into(&mut known.method);
            }
            known.http = oauth.o_auth_http_parameters.map(Http::of).or(known.http);
            self.oauth = Some(known);
        }
        if let Some(http) = given.invocation_http_parameters {
            self.http = Some(Http::of(http));
        }
    }

    /// Leaves out what belongs to other kinds of authorization, and refuses if its own is missing.
    fn only(mut self, kind: ConnectionAuthorizationType) -> Result<Parameters, Error> {
        let missing = match kind {
            ConnectionAuthorizationType::Basic => {
                (self.api_key, self.oauth) = (None, None);
                self.basic.is_none().then_some("BasicAuthParameters")
            }
            ConnectionAuthorizationType::ApiKey => {
                (self.basic, self.oauth) = (None, None);
                self.api_key.is_none().then_some("ApiKeyAuthParameters")
            }
            ConnectionAuthorizationType::OauthClientCredentials => {
                (self.basic, self.api_key) = (None, None);
                self.oauth.is_none().then_some("OAuthParameters")
            }
        };
        match missing {
            None => Ok(self),
            // AWS's words are not known.
            Some(missing) => Err(Error::invalid(format!(
                "Parameter AuthParameters.{missing} must be specified for {}.",
                kind.as_str()
            ))),
        }
    }

    fn shown(self) -> ConnectionAuthResponseParameters {
        ConnectionAuthResponseParameters {
            basic_auth_parameters: self
                .basic
                .map(|(user, _)| ConnectionBasicAuthResponseParameters { username: Some(user) }),
            api_key_auth_parameters: self.api_key.map(|(name, _)| {
                ConnectionApiKeyAuthResponseParameters { api_key_name: Some(name) }
            }),
            o_auth_parameters: self.oauth.map(|oauth| ConnectionOAuthResponseParameters {
                client_parameters: Some(ConnectionOAuthClientResponseParameters {
                    client_id: Some(oauth.client_id),
                }),
                authorization_endpoint: Some(oauth.endpoint),
                http_method: ConnectionOAuthHttpMethod::from_name(&oauth.method),
                o_auth_http_parameters: oauth.http.map(Http::shown),
            }),
            invocation_http_parameters: self.http.map(Http::shown),
            connectivity_parameters: None,
        }
    }
}

fn key_of(tx: &impl Tx, name: &str) -> NamedKey {
    (tx.account().to_owned(), tx.region().to_owned(), name.to_owned())
}

/// A connection's ARN.
pub(crate) fn arn(key: &NamedKey, connection: &store::Connection) -> String {
    format!("{}/{}", names::named_arn("connection", key), connection.id)
}

fn find(tx: &impl Tx, key: &NamedKey) -> Result<store::Connection, Error> {
    CONNECTIONS.get(tx, key)?.ok_or_else(|| missing(&key.2))
}

/// The connection is not there.
pub(crate) fn missing(name: &str) -> Error {
    Error::ResourceNotFoundException(format!("Connection '{name}' does not exist."))
}

fn place(key: &NamedKey, id: &str) -> Vec<u8> {
    ["events.connections", &key.0, &key.1, &key.2, id].join("\n").into_bytes()
}

fn seal(
    tx: &mut WriteTx<'_>,
    key: &NamedKey,
    id: &str,
    parameters: &Parameters,
) -> Result<Vec<u8>, Error> {
    let text = serde_json::to_vec(parameters).map_err(Fault::internal)?;
    Ok(root_key::seal(tx, &place(key, id), &text)?)
}

/// What a connection knows; none if its authorization was taken away.
pub(crate) fn open(
    cloud: &Cloud,
    key: &NamedKey,
    connection: &store::Connection,
) -> Result<Option<Parameters>, Fault> {
    let Some(sealed) = &connection.sealed else { return Ok(None) };
    let opened = cloud.root_key().open(&place(key, &connection.id), sealed)?;
    serde_json::from_slice(&opened).map(Some).map_err(Fault::internal)
}

/// Private ways to a host, and keys of KMS, are not there.
fn refuse_unsupported(has_private_way: bool, kms_key: Option<&String>) -> Result<(), Error> {
    if has_private_way {
        return Err(Error::not_implemented(
            "connections of EventBridge with resource configurations",
        ));
    }
    match kms_key.is_some_and(|key| !key.is_empty()) {
        true => Err(Error::not_implemented("connections of EventBridge with KmsKeyIdentifier")),
        false => Ok(()),
    }
}

/// Makes a connection. One with a client's credentials counts as authorized, too: the first event asks for a token.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateConnectionInput,
) -> Result<CreateConnectionOutput, Error> {
    let key = key_of(tx, &input.name);
    if CONNECTIONS.contains(tx, &key)? {
        let message = format!("Connection {} already exists.", key.2);
        return Err(Error::ResourceAlreadyExistsException(message));
    }
    let has_private_way = input.invocation_connectivity_parameters.is_some()
        || input.auth_parameters.connectivity_parameters.is_some();
    refuse_unsupported(has_private_way, input.kms_key_identifier.as_ref())?;
    if CONNECTIONS.range(&(&key.0, &key.1)).limit(MOST).count(tx)? >= MOST {
        return Err(Error::LimitExceededException);
    }
    let parameters = Parameters::of(input.auth_parameters).only(input.authorization_type)?;
    let (id, now) = (tx.ids().uuid(), tx.now().millis());
    let connection = store::Connection {
        sealed: Some(seal(tx, &key, &id, &parameters)?),
        id,
        description: input.description,
        state: AUTHORIZED.to_owned(),
        state_reason: None,
        kind: input.authorization_type.as_str().to_owned(),
        created_millis: now,
        modified_millis: now,
        authorized_millis: Some(now),
    };
    CONNECTIONS.put(tx, &key, &connection)?;
    Ok(CreateConnectionOutput {
        connection_arn: Some(arn(&key, &connection)),
        connection_state: ConnectionState::from_name(&connection.state),
        creation_time: Some(Timestamp::from_millis(now)),
        last_modified_time: Some(Timestamp::from_millis(now)),
    })
}

/// Shows a connection without what is secret.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeConnectionInput,
) -> Result<DescribeConnectionOutput, Error> {
    let key = key_of(tx, &input.name);
    let connection = find(tx, &key)?;
    let parameters = open(tx.cx().cloud(), &key, &connection)?;
    Ok(DescribeConnectionOutput {
        connection_arn: Some(arn(&key, &connection)),
        name: Some(key.2),
        description: connection.description,
        invocation_connectivity_parameters: None,
        connection_state: ConnectionState::from_name(&connection.state),
        state_reason: connection.state_reason,
        authorization_type: ConnectionAuthorizationType::from_name(&connection.kind),
        // The parameters lie in the connection's row and not in a secret of Secrets Manager.
        secret_arn: None,
        kms_key_identifier: None,
        auth_parameters: parameters.map(Parameters::shown),
        creation_time: Some(Timestamp::from_millis(connection.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(connection.modified_millis)),
        last_authorized_time: connection.authorized_millis.map(Timestamp::from_millis),
    })
}

/// Lists connections by name.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListConnectionsInput,
) -> Result<ListConnectionsOutput, Error> {
    let mut connections = CONNECTIONS.list(tx, &(tx.account(), tx.region()))?;
    connections.retain(|(key, connection)| {
        input.name_prefix.as_ref().is_none_or(|prefix| key.2.starts_with(prefix))
            && input.connection_state.is_none_or(|state| connection.state == state.as_str())
    });
    let (page, next_token) =
        pages::of(connections, |(key, _)| &key.2, input.next_token.as_deref(), input.limit)?;
    let shown = |(key, connection): (NamedKey, store::Connection)| Connection {
        connection_arn: Some(arn(&key, &connection)),
        name: Some(key.2),
        connection_state: ConnectionState::from_name(&connection.state),
        state_reason: connection.state_reason,
        authorization_type: ConnectionAuthorizationType::from_name(&connection.kind),
        creation_time: Some(Timestamp::from_millis(connection.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(connection.modified_millis)),
        last_authorized_time: connection.authorized_millis.map(Timestamp::from_millis),
    };
    let connections = Some(page.into_iter().map(shown).collect());
    Ok(ListConnectionsOutput { connections, next_token })
}

/// Changes a connection; what is not named stays.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateConnectionInput,
) -> Result<UpdateConnectionOutput, Error> {
    let key = key_of(tx, &input.name);
    let mut connection = find(tx, &key)?;
    let given = input.auth_parameters.unwrap_or_default();
    let has_private_way = input.invocation_connectivity_parameters.is_some()
        || given.connectivity_parameters.is_some();
    refuse_unsupported(has_private_way, input.kms_key_identifier.as_ref())?;
    let known = ConnectionAuthorizationType::from_name(&connection.kind);
    let kind = input.authorization_type.or(known).unwrap_or(ConnectionAuthorizationType::Basic);
    let mut parameters = open(tx.cx().cloud(), &key, &connection)?.unwrap_or_default();
    parameters.change(given);
    let parameters = parameters.only(kind)?;
    let now = tx.now().millis();
    connection.sealed = Some(seal(tx, &key, &connection.id, &parameters)?);
    connection.description = input.description.or(connection.description);
    kind.as_str().clone_into(&mut connection.kind);
    AUTHORIZED.clone_into(&mut connection.state);
    connection.state_reason = None;
    connection.modified_millis = now;
    connection.authorized_millis = Some(now);
    CONNECTIONS.put(tx, &key, &connection)?;
    Ok(UpdateConnectionOutput {
        connection_arn: Some(arn(&key, &connection)),
        connection_state: ConnectionState::from_name(&connection.state),
        creation_time: Some(Timestamp::from_millis(connection.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(now)),
        last_authorized_time: Some(Timestamp::from_millis(now)),
    })
}

/// Takes a connection's authorization away.
pub(crate) fn deauthorize(
    tx: &mut WriteTx<'_>,
    input: DeauthorizeConnectionInput,
) -> Result<DeauthorizeConnectionOutput, Error> {
    let key = key_of(tx, &input.name);
    let mut connection = find(tx, &key)?;
    DEAUTHORIZED.clone_into(&mut connection.state);
    connection.sealed = None;
    connection.modified_millis = tx.now().millis();
    CONNECTIONS.put(tx, &key, &connection)?;
    Ok(DeauthorizeConnectionOutput {
        connection_arn: Some(arn(&key, &connection)),
        connection_state: Some(ConnectionState::Deauthorized),
        creation_time: Some(Timestamp::from_millis(connection.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(connection.modified_millis)),
        last_authorized_time: connection.authorized_millis.map(Timestamp::from_millis),
    })
}

/// Removes a connection.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteConnectionInput,
) -> Result<DeleteConnectionOutput, Error> {
    let key = key_of(tx, &input.name);
    let connection = find(tx, &key)?;
    CONNECTIONS.delete(tx, &key)?;
    Ok(DeleteConnectionOutput {
        connection_arn: Some(arn(&key, &connection)),
        connection_state: Some(ConnectionState::Deleting),
        creation_time: Some(Timestamp::from_millis(connection.created_millis)),
        last_modified_time: Some(Timestamp::from_millis(connection.modified_millis)),
        last_authorized_time: connection.authorized_millis.map(Timestamp::from_millis),
    })
}
