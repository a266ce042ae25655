//! AWS's models as `'static` data: shapes, members, operations and services.

use crate::Struct;

/// A shape of the model: its name, what it holds and what it may hold.
#[derive(Debug)]
pub struct Schema {
    /// The shape's name in the model, such as `CreateQueueRequest`.
    pub name: &'static str,
    /// What the shape holds.
    pub kind: Kind,
    /// The limits that the model sets.
    pub constraint: Constraint,
    /// Whether the value must not appear in messages and logs.
    pub sensitive: bool,
}

/// What a shape holds.
#[derive(Debug)]
pub enum Kind {
    /// Text, also enumerations that AWS keeps open.
    String,
    /// Text that must be one of these values.
    Enum(&'static [&'static str]),
    /// A 32-bit signed integer (also `byte` and `short`).
    Integer,
    /// A 64-bit signed integer.
    Long,
    /// A 32-bit floating-point number.
    Float,
    /// A 64-bit floating-point number.
    Double,
    /// True or false.
    Boolean,
    /// Bytes held in memory.
    Blob,
    /// A point in time, with its default format.
    Timestamp(Option<TimestampFormat>),
    /// Any JSON value.
    Document,
    /// Bytes that stream and are never read by the walker.
    Body,
    /// A list.
    List(List),
    /// A map whose keys are text.
    Map(Map),
    /// A structure.
    Structure(&'static [Member]),
    /// A union: exactly one member is set.
    Union(&'static [Member]),
}

/// The shape of a list.
#[derive(Debug)]
pub struct List {
    /// The elements' shape.
    pub member: &'static Schema,
    /// The elements' name in XML and query, `member` unless the model says otherwise.
    pub wire: &'static str,
    /// Whether the elements follow each other without a wrapping element.
    pub flattened: bool,
    /// Whether nulls are kept; the Rust type is then `Vec<Option<T>>`.
    pub sparse: bool,
}

/// The shape of a map.
#[derive(Debug)]
pub struct Map {
    /// The keys' shape.
    pub key: &'static Schema,
    /// The values' shape.
    pub value: &'static Schema,
    /// The key's name in XML and query, `key` unless the model says otherwise.
    pub key_wire: &'static str,
    /// The value's name in XML and query, `value` unless the model says otherwise.
    pub value_wire: &'static str,
    /// Whether the entries follow each other without a wrapping element.
    pub flattened: bool,
    /// Whether nulls are kept; the Rust type is then `BTreeMap<String, Option<T>>`.
    pub sparse: bool,
}

/// A member of a structure or union.
#[derive(Debug)]
pub struct Member {
    /// The member's name in the model, such as `QueueName`.
    pub name: &'static str,
    /// The member's shape.
    pub target: &'static Schema,
    /// The name in JSON, XML, query, header or URI: the model's `locationName`, else `name`.
    pub wire: &'static str,
    /// The name in the ec2Query protocol's requests where the model gives one, else empty.
    pub query_name: &'static str,
    /// Where the member stands in an HTTP message.
    pub location: Location,
    /// What else the model says of it.
    pub flags: Flags,
    /// The format of a timestamp where the member overrides the protocol's.
    pub timestamp_format: Option<TimestampFormat>,
    /// The `xmlns` of the element where the model gives one, else empty.
    pub xml_namespace: &'static str,
}

/// Where a member stands in an HTTP message (REST protocols; the others read only `Body`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// In the document that is the body.
    Body,
    /// In the header named by `wire`.
    Header,
    /// In all headers with the prefix `wire`; the member is a map.
    PrefixHeaders,
    /// In the query parameter named by `wire`.
    Query,
    /// All other query parameters; the member is a map.
    QueryParams,
    /// In the path label named by `wire`.
    Path,
    /// The response's status code.
    StatusCode,
    /// The member is the whole body.
    Payload,
}

impl Location {
    /// Whether a response carries the member in its document. What only requests can carry
    /// elsewhere stands there too.
    pub(crate) fn in_response_document(self) -> bool {
        !matches!(
            self,
            Location::Header | Location::PrefixHeaders | Location::StatusCode | Location::Payload
        )
    }
}

/// A set of marks on a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// No mark.
    pub const NONE: Flags = Flags(0);
    /// The member must be present; in an input its Rust type is then plain.
    pub const REQUIRED: Flags = Flags(1);
    /// The member is an XML attribute of its structure's element.
    pub const XML_ATTRIBUTE: Flags = Flags(2);
    /// The server fills the member with a random token when it is absent.
    pub const IDEMPOTENCY_TOKEN: Flags = Flags(4);
    /// The member carries base64 JSON in a header.
    pub const JSON_VALUE: Flags = Flags(8);
    /// The member is a list or map whose entries follow each other without a wrapper.
    pub const FLATTENED: Flags = Flags(16);
    /// The member is an event stream.
    pub const EVENT_STREAM: Flags = Flags(32);
    /// The member is part of the host name.
    pub const HOST_LABEL: Flags = Flags(64);

    /// Both sets together.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all marks of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    /// `2026-11-20T20:56:00Z`
    DateTime,
    /// `Fri, 20 Nov 2026 20:56:00 GMT`
    HttpDate,
    /// Seconds since 1970, with a fraction.
    EpochSeconds,
}

/// The limits that the model sets on a shape: on length, count or value.
#[derive(Clone, Copy, Debug)]
pub struct Constraint {
    /// The least length, count or value.
    pub min: Option<i64>,
    /// The greatest length, count or value.
    pub max: Option<i64>,
    /// The pattern that the whole text must match: what AWS prints in messages, and the same in
    /// this machine's regex syntax (empty: cannot be checked here).
    pub pattern: Option<(&'static str, &'static str)>,
}

impl Constraint {
    /// No limit.
    pub const NONE: Constraint = Constraint { min: None, max: None, pattern: None };
}

/// One of AWS's wire protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `application/x-amz-json-1.0`
    AwsJson1_0,
    /// `application/x-amz-json-1.1`
    AwsJson1_1,
    /// Form requests, XML responses.
    AwsQuery,
    /// EC2's variant of the query protocol.
    Ec2Query,
    /// REST bindings with JSON documents.
    RestJson1,
    /// REST bindings with XML documents.
    RestXml,
    /// Smithy's RPC v2 with CBOR.
    RpcV2Cbor,
}

/// An operation of the model that has a handler.
#[derive(Debug)]
pub struct Operation {
    /// The operation's name, such as `CreateQueue`.
    pub name: &'static str,
    /// The HTTP method of the REST binding (`POST` for RPC protocols).
    pub method: &'static str,
    /// The URI pattern of the REST binding, such as `/{Bucket}/{Key+}?tagging`.
    pub uri: &'static str,
    /// The HTTP status of success.
    pub status: u16,
    /// The input's structure.
    pub input: &'static Schema,
    /// The output's structure.
    pub output: &'static Schema,
    /// The element that wraps the result in awsQuery (`CreateQueueResult`), else empty.
    pub result_wrapper: &'static str,
    /// The XML root element of the request's body where the model names one, else empty.
    pub input_root: &'static str,
    /// The XML root element of the response's body where the model names one, else empty.
    pub output_root: &'static str,
    /// The names of the error shapes that the model lists.
    pub errors: &'static [&'static str],
    /// Whether the model allows calls without a signature.
    pub unsigned: bool,
    /// Whether the request's body must carry a checksum.
    pub checksum_required: bool,
}

/// An operation of the model, implemented or not: enough to route to it.
#[derive(Debug)]
pub struct OperationName {
    /// The operation's name.
    pub name: &'static str,
    /// The HTTP method of the REST binding.
    pub method: &'static str,
    /// The URI pattern of the REST binding.
    pub uri: &'static str,
}

/// An error shape of the model.
#[derive(Debug)]
pub struct ErrorShape {
    /// The shape's name, such as `QueueDoesNotExist`: what handlers raise.
    pub name: &'static str,
    /// The code on the wire where it differs from the name, else the name.
    pub code: &'static str,
    /// The code in the query protocol (`x-amzn-query-error`), else the same as `code`.
    pub query_code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Whether the caller is at fault.
    pub sender: bool,
    /// The structure of the error's members.
    pub schema: &'static Schema,
}

/// A service of the model.
#[derive(Debug)]
pub struct Service {
    /// The crate's name and the prefix of IAM actions, such as `sqs`.
    pub name: &'static str,
    /// The service's name in SDKs, such as `SQS`.
    pub sdk_id: &'static str,
    /// The service in a signature's scope.
    pub signing_name: &'static str,
    /// The first label of AWS's host names.
    pub endpoint_prefix: &'static str,
    /// What stands before the dot in `X-Amz-Target`, else empty.
    pub target_prefix: &'static str,
    /// The Smithy shape's name, used in rpcv2 paths.
    pub service_shape: &'static str,
    /// The API's version, such as `2012-11-05`.
    pub api_version: &'static str,
    /// The namespace of shape ids in `__type`, such as `com.amazonaws.sqs`.
    pub namespace: &'static str,
    /// The namespace of XML documents, else empty.
    pub xml_namespace: &'static str,
    /// The protocols that clients may speak, the model's first choice first.
    pub protocols: &'static [Protocol],
    /// Whether errors carry `x-amzn-query-error`.
    pub query_compatible: bool,
    /// Every operation of the model.
    pub operations: &'static [OperationName],
    /// The error shapes of the implemented operations and the service's other errors.
    pub errors: &'static [ErrorShape],
}

impl Service {
    /// The error shape with this name.
    pub fn error(&self, name: &str) -> Option<&'static ErrorShape> {
        self.errors.iter().find(|shape| shape.name == name)
    }
}

/// Ties an operation's name to its types; implemented by generated markers.
pub trait OperationShape {
    /// What a call carries.
    type Input: Struct + Default;
    /// What the answer carries.
    type Output: Struct + Default;
    /// The operation in the model.
    const MODEL: &'static Operation;
}
