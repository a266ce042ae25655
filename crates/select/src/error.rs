//! What S3 Select refuses.

/// Why an expression, or an object, cannot be worked off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The code, as the S3 API Reference lists it.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl Error {
    /// An error of this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Error {
        Error { code, message: message.into() }
    }
}

/// Declares each code with the words that AWS's list of errors has for it, for those that say no more.
macro_rules! codes {
    ($( $name:ident = $code:literal : $message:literal; )*) => {
        impl Error {
            $(
                #[doc = $message]
                pub(crate) fn $name() -> Error {
                    Error::new($code, $message)
                }
            )*

            /// The codes that are used with AWS's own words.
            pub const PLAIN_CODES: &'static [&'static str] = &[$( $code ),*];
        }
    };
}

codes! {
    csv_quoted_delimiter = "CSVEscapingRecordDelimiter":
        "A quoted record delimiter was found in the file. To allow quoted record delimiters, set AllowQuotedRecordDelimiter to 'TRUE'.";
    csv_unescaped_quote = "CSVUnescapedQuote":
        "An unescaped quote was found while parsing the CSV file. To allow quoted record delimiters, set AllowQuotedRecordDelimiter to 'TRUE'.";
    bad_like_escape = "EvaluatorLikePatternInvalidEscapeSequence":
        "An argument given to the LIKE expression was not valid.";
    negative_limit = "EvaluatorNegativeLimit": "LIMIT must not be negative.";
    duplicate_fields = "EvaluatorTimestampFormatPatternDuplicateFields":
        "The timestamp format pattern contains multiple format specifiers representing the timestamp field in the SQL expression.";
    hour_mismatch = "EvaluatorTimestampFormatPatternHourClockAmPmMismatch":
        "The timestamp format pattern contains a 12-hour hour of day format symbol but doesn't also contain an AM/PM field, or it contains a 24-hour hour of day format specifier and contains an AM/PM field in the SQL expression.";
    open_pattern_token = "EvaluatorUnterminatedTimestampFormatPatternToken":
        "The timestamp format pattern contains an unterminated token in the SQL expression.";
    bad_pattern = "EvaluatorInvalidTimestampFormatPattern":
        "The timestamp format string in the SQL expression is not valid.";
    bad_pattern_symbol = "EvaluatorInvalidTimestampFormatPatternSymbol":
        "The timestamp format pattern contains a symbol in the SQL expression that is not valid.";
    bad_pattern_for_parsing = "EvaluatorInvalidTimestampFormatPatternSymbolForParsing":
        "The timestamp format pattern contains a valid format symbol that cannot be applied to timestamp parsing in the SQL expression.";
    too_long = "ExpressionTooLong":
        "The SQL expression is too long. The maximum byte-length for an SQL expression is 256 KB.";
    overflow = "IntegerOverflow":
        "An integer overflow or underflow occurred in the SQL expression.";
    illegal_argument = "IllegalSqlFunctionArgument":
        "An illegal argument was used in the SQL function.";
    wrong_argument = "IncorrectSqlFunctionArgumentType":
        "An incorrect argument type was specified in a function call in the SQL expression.";
    bad_scan_range = "InvalidScanRange": "The provided scan range is not valid.";
    json = "JSONParsingError":
        "An error occurred while parsing the JSON file. Check the file and try again.";
    bad_like = "LikeInvalidInputs":
        "The argument given to the LIKE clause in the SQL expression is not valid.";
    too_complex = "MaxOperatorsExceeded":
        "Failed to parse SQL expression, try reducing complexity. For example, reduce number of operators used.";
    missing_headers = "MissingHeaders":
        "Some headers in the query are missing from the file. Please check the file and try again.";
    many_sources = "MultipleDataSourcesUnsupported": "Multiple data sources are not supported.";
    parquet_group = "OverMaxParquetBlockSize":
        "The Parquet file is above the max row group size.";
    parquet = "ParquetParsingError":
        "An error occurred while parsing the Parquet file. Check the file and try again.";
    parquet_codec = "ParquetUnsupportedCompressionCodec":
        "The specified Parquet compression codec is not supported.";
    parquet_type = "UnsupportedParquetType": "The specified Parquet type is not supported.";
    parquet_comparison = "UnsupportedTypeForQuerying":
        "Your query contains an unsupported type for comparison (e.g. verifying that a Parquet INT96 column type is greater than 0).";
    record_too_long = "OverMaxRecordSize":
        "The character number in one record is more than our max threshold, maxCharsPerRecord: 1,048,576";
    truncated = "TruncatedInput":
        "Object decompression failed. Check that the object is properly compressed using the format specified in the request.";
    scan_unsupported = "UnsupportedScanRangeInput":
        "Scan range queries are not supported on this type of object.";
    bad_structure = "UnsupportedSqlStructure":
        "We encountered an unsupported SQL structure. Check the SQL Reference.";
    value_parse = "ValueParseFailure":
        "A timestamp parse failure occurred in the SQL expression.";
}

/// The codes that say more than AWS's list has.
pub const WORDED_CODES: &[&str] = &[
    "AmbiguousFieldName",
    "EvaluatorBindingDoesNotExist",
    "EvaluatorInvalidArguments",
    "InvalidCast",
    "InvalidColumnIndex",
    "InvalidCompressionFormat",
    "InvalidRequestParameter",
    "InvalidTextEncoding",
    "LexerInvalidChar",
    "LexerInvalidIONLiteral",
    "LexerInvalidLiteral",
    "ParseAsteriskIsNotAloneInSelectList",
    "ParseEmptySelect",
    "ParseExpectedArgumentDelimiter",
    "ParseExpectedDatePart",
    "ParseExpectedIdentForAlias",
    "ParseExpectedKeyword",
    "ParseExpectedLeftParenAfterCast",
    "ParseExpectedLeftParenBuiltinFunctionCall",
    "ParseExpectedNumber",
    "ParseExpectedRightParenBuiltinFunctionCall",
    "ParseExpectedTokenType",
    "ParseExpectedTypeName",
    "ParseExpectedWhenClause",
    "ParseInvalidPathComponent",
    "ParseNonUnaryAgregateFunctionCall",
    "ParseSelectMissingFrom",
    "ParseUnexpectedOperator",
    "ParseUnexpectedToken",
    "ParseUnexpectedTerm",
    "ParseUnsupportedCallWithStar",
    "ParseUnsupportedSelect",
    "UnsupportedFunction",
];
