//! How a service differs from others of its protocol.

/// How a service differs from others of its protocol, as far as the wire shows it.
///
/// A service writes `Style { validation_code: "…", ..Style::DEFAULT }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// The error code of violated constraints; empty: the protocol's own (`ValidationException` in
    /// JSON and CBOR, `ValidationError` in query).
    pub validation_code: &'static str,
    /// Which dialect of XML the service speaks.
    pub xml: XmlFlavour,
    /// The name of the message member in JSON errors whose shape the model does not have.
    pub message_member: &'static str,
    /// What stands before `#` in the `__type` of awsJson 1.0 errors that the framework raises;
    /// empty: Coral's own (`com.amazon.coral.validate`, `com.amazon.coral.service`).
    pub framework_namespace: &'static str,
    /// Whether member paths begin with the input shape's name, as API Gateway's do.
    pub prefixed_paths: bool,
    /// Whether violated element constraints also name `Member must not be null`, as Lambda's do.
    pub elements_not_null: bool,
    /// Whether query requests may use older names: `Tag.1.Name` for `Tag.1.Key`, `Tags.1` for
    /// `Tag.1` (SQS).
    pub lenient_query: bool,
    /// The message for a union in which more than one member is set; it carries the validation
    /// code. Empty: a serialization error.
    pub union_message: &'static str,
    /// In whose words a JSON value of the wrong type is refused.
    pub type_texts: TypeTexts,
    /// The Java package of the service's shapes, which those words may hold
    /// (`com.amazonaws.dynamodb.v20120810`), else empty.
    pub java_package: &'static str,
}

/// The words in which AWS's frameworks refuse a JSON value of the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeTexts {
    /// `NUMBER_VALUE cannot be converted to String` (DynamoDB, SQS).
    Current,
    /// `class java.lang.Short can not be converted to an String` (API Gateway, Cognito).
    Classic,
}

/// A dialect of XML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlFlavour {
    /// The protocol's own.
    Standard,
    /// Amazon S3's: a bare `Error` element, its own header names, milliseconds in every time.
    S3,
}

impl Style {
    /// The protocol's own ways.
    pub const DEFAULT: Style = Style {
        validation_code: "",
        xml: XmlFlavour::Standard,
        message_member: "message",
        framework_namespace: "",
        prefixed_paths: false,
        elements_not_null: false,
        lenient_query: false,
        union_message: "",
        type_texts: TypeTexts::Current,
        java_package: "",
    };

    /// Amazon S3's ways.
    pub const S3: Style = Style { xml: XmlFlavour::S3, ..Style::DEFAULT };
}

impl Default for Style {
    fn default() -> Style {
        Style::DEFAULT
    }
}
