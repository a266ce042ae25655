//! Finds the operation that a REST request calls.

use std::borrow::Cow;

use http::HeaderMap;

use crate::made::Made;
use crate::text::{parse_query, percent_decode};
use crate::{OperationName, Service};

/// The operation that a request calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match<'a> {
    /// The operation's name.
    pub operation: &'static str,
    /// The path's labels by their names in the URI pattern, still percent-encoded.
    pub labels: Vec<(&'static str, &'a str)>,
}

/// What an operation requires beyond its URI pattern, where others share the pattern.
enum Need {
    Query(&'static str),
    Header(&'static str),
}

/// Required members by which operations of the same method and path are told apart, where the URI
/// pattern does not show them: service, operation, members.
const NEEDS: &[(&str, &str, &[Need])] = &[
    ("s3", "AbortMultipartUpload", &[Need::Query("uploadId")]),
    ("s3", "CompleteMultipartUpload", &[Need::Query("uploadId")]),
    ("s3", "ListParts", &[Need::Query("uploadId")]),
    ("s3", "UploadPart", &[Need::Query("uploadId"), Need::Query("partNumber")]),
    (
        "s3",
        "UploadPartCopy",
        &[Need::Query("uploadId"), Need::Query("partNumber"), Need::Header("x-amz-copy-source")],
    ),
    ("s3", "CopyObject", &[Need::Header("x-amz-copy-source")]),
    ("s3", "GetBucketAnalyticsConfiguration", &[Need::Query("id")]),
    ("s3", "GetBucketIntelligentTieringConfiguration", &[Need::Query("id")]),
    ("s3", "GetBucketInventoryConfiguration", &[Need::Query("id")]),
    ("s3", "GetBucketMetricsConfiguration", &[Need::Query("id")]),
    ("s3", "GetObjectAnnotation", &[Need::Query("annotationName")]),
];

/// Operations that a later one of the same method and URI has replaced.
const SUPERSEDED: &[(&str, &str)] = &[
    ("s3", "GetBucketLifecycle"),
    ("s3", "GetBucketNotification"),
    ("s3", "PutBucketLifecycle"),
    ("s3", "PutBucketNotification"),
];

/// A URI pattern, taken apart.
struct Pattern {
    operation: &'static str,
    segments: Vec<Segment>,
    query: Vec<(&'static str, Option<&'static str>)>,
    needs: &'static [Need],
    /// Whether a request without any query cannot fit.
    needs_query: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
    Greedy(&'static str),
}

/// A service's patterns by their method, in the model's order.
struct Index(Vec<(&'static str, Vec<Pattern>)>);

static INDEXES: Made<Index, 1024> = Made::new();

fn index(service: &'static Service) -> &'static Index {
    INDEXES.of(service, || Box::new(make_index(service)))
}

fn make_index(service: &Service) -> Index {
    let mut patterns: Vec<(&'static str, Vec<Pattern>)> = Vec::new();
    let is_in_force =
        |operation: &&OperationName| !SUPERSEDED.contains(&(service.name, operation.name));
    for operation in service.operations.iter().filter(is_in_force) {
        let pattern = pattern(service, operation);
        match patterns.iter_mut().find(|(method, _)| *method == operation.method) {
            Some((_, known)) => known.push(pattern),
            None => patterns.push((operation.method, vec![pattern])),
        }
    }
    Index(patterns)
}

fn pattern(service: &Service, operation: &OperationName) -> Pattern {
    let (path, query) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
    // Some of Lambda's patterns end in a slash, which its clients may leave out.
    let segments = segments(path.trim_end_matches('/')).map(|segment| {
        match segment.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
            Some(label) => label.strip_suffix('+').map_or(Segment::Label(label), Segment::Greedy),
            None => Segment::Literal(segment),
        }
    });
    let literals: Vec<_> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').map_or((pair, None), |(name, value)| (name, Some(value))))
        .collect();
    let needs = NEEDS
        .iter()
        .find(|(named, known, _)| *named == service.name && *known == operation.name)
        .map_or(&[][..], |(_, _, needs)| needs);
    Pattern {
        operation: operation.name,
        segments: segments.collect(),
        needs_query: !literals.is_empty()
            || needs.iter().any(|need| matches!(need, Need::Query(_))),
        query: literals,
        needs,
    }
}

/// The parts of a path between slashes; the root has none. A trailing slash leaves an empty part.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

/// Finds the operation whose REST binding fits best, implemented or not: literal segments win over
/// labels, labels over greedy labels, and then the most required query parameters and headers.
pub fn match_rest<'a>(
    service: &'static Service,
    method: &str,
    raw_path: &'a str,
    raw_query: &str,
    headers: &HeaderMap,
) -> Option<Match<'a>> {
    let query = parse_query(raw_query);
    let (_, patterns) = index(service).0.iter().find(|(known, _)| *known == method)?;
    let best = patterns
        .iter()
        // Most patterns of S3 require a parameter that most requests do not have.
        .filter(|pattern| !query.is_empty() || !pattern.needs_query)
        .filter_map(|pattern| {
            let extra = pattern.extra_score(&query, headers)?;
            let shape = pattern.path_score(raw_path)?;
            Some((shape, extra, pattern))
        })
        // The first of equals wins, as in the model's order.
        .reduce(|best, next| if (next.0, next.1) > (best.0, best.1) { next } else { best })?;
    Some(Match { operation: best.2.operation, labels: best.2.labels(raw_path) })
}

impl Pattern {
    /// How precisely the path fits, two bits a segment from the top; none if it does not.
    fn path_score(&self, path: &str) -> Option<u64> {
        let mut score = 0;
        let mut shift = 64_u32;
        let fits = self.walk(path, |segment, _| {
            let class = match segment {
                Segment::Literal(_) => 3,
                Segment::Label(_) => 2,
                Segment::Greedy(_) => 1,
            };
            shift = shift.saturating_sub(2);
            score |= class << shift;
        });
        fits.then_some(score)
    }

    /// How many required query parameters and headers are there; none if one is missing.
    fn extra_score(
        &self,
        query: &[(Cow<'_, str>, Cow<'_, str>)],
        headers: &HeaderMap,
    ) -> Option<usize> {
        for (name, value) in &self.query {
            let fits = query
                .iter()
                .any(|(known, given)| known == name && value.is_none_or(|value| value == given));
            if !fits {
                return None;
            }
        }
        for need in self.needs {
            let given = match need {
                Need::Query(name) => query.iter().any(|(known, _)| known == name),
                // Who presigns may have moved headers into the query.
                Need::Header(name) => {
                    headers.contains_key(*name)
                        || query.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
                }
            };
            if !given {
                return None;
            }
        }
        Some(self.query.len() + self.needs.len())
    }

    fn labels<'a>(&self, path: &'a str) -> Vec<(&'static str, &'a str)> {
        let mut labels = Vec::new();
        self.walk(path, |segment, text| {
            if let Segment::Label(name) | Segment::Greedy(name) = segment {
                labels.push((name, text));
            }
        });
        labels
    }

    /// Lays the pattern over the path; false if it does not fit.
    fn walk<'a>(&self, path: &'a str, mut visit: impl FnMut(Segment, &'a str)) -> bool {
        let mut rest = path.strip_prefix('/').unwrap_or(path);
        let mut ended = rest.is_empty();
        let last = self.segments.len().saturating_sub(1);
        for (index, &segment) in self.segments.iter().enumerate() {
            if ended {
                return false;
            }
            let (text, after) = match segment {
                // What follows a greedy label takes as many parts as it has.
                Segment::Greedy(_) => split_before(rest, last - index),
                _ => rest.split_once('/').map_or((rest, None), |(text, after)| (text, Some(after))),
            };
            let fits = match segment {
                Segment::Literal(literal) => {
                    literal == text || percent_decode(text, false) == literal
                }
                Segment::Label(_) | Segment::Greedy(_) => !text.is_empty(),
            };
            if !fits {
                return false;
            }
            visit(segment, text);
            rest = after.unwrap_or("");
            ended = after.is_none();
        }
        // A slash after the last part is of no account, but within a greedy label.
        ended || rest.is_empty()
    }
}

/// Splits off the last `parts` parts of a path.
fn split_before(path: &str, parts: usize) -> (&str, Option<&str>) {
    if parts == 0 {
        return (path, None);
    }
    match path.rmatch_indices('/').nth(parts - 1) {
        Some((at, _)) => (&path[..at], Some(&path[at + 1..])),
        None => ("", None),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Match, match_rest};
    use crate::{OperationName, Service};

    const fn operation(
        name: &'static str,
        method: &'static str,
        uri: &'static str,
    ) -> OperationName {
        OperationName { name, method, uri }
    }

    static S3: Service = Service {
        name: "s3",
        sdk_id: "S3",
        signing_name: "s3",
        endpoint_prefix: "s3",
        target_prefix: "",
        service_shape: "AmazonS3",
        api_version: "2006-03-01",
        namespace: "com.amazonaws.s3",
        xml_namespace: "",
        protocols: &[crate::Protocol::RestXml],
        query_compatible: false,
        operations: &[
            operation("CopyObject", "PUT", "/{Bucket}/{Key+}"),
            operation("CreateBucket", "PUT", "/{Bucket}"),
            operation("GetBucketNotification", "GET", "/{Bucket}?notification"),
            operation("GetBucketNotificationConfiguration", "GET", "/{Bucket}?notification"),
            operation("GetObject", "GET", "/{Bucket}/{Key+}"),
            operation("GetObjectTagging", "GET", "/{Bucket}/{Key+}?tagging"),
            operation("ListBuckets", "GET", "/"),
            operation("ListDirectoryBuckets", "GET", "/"),
            operation("ListObjects", "GET", "/{Bucket}"),
            operation("ListObjectsV2", "GET", "/{Bucket}?list-type=2"),
            operation("ListParts", "GET", "/{Bucket}/{Key+}"),
            operation("PutObject", "PUT", "/{Bucket}/{Key+}"),
            operation("Special", "GET", "/special/{Key+}/tail/{Last}"),
            operation("UploadPart", "PUT", "/{Bucket}/{Key+}"),
            operation("UploadPartCopy", "PUT", "/{Bucket}/{Key+}"),
            operation("WriteGetObjectResponse", "POST", "/WriteGetObjectResponse"),
            operation("ListThings", "GET", "/2015-03-31/things/"),
        ],
        errors: &[],
    };

    fn find(method: &str, path: &str, query: &str, headers: &[&'static str]) -> String {
        let mut map = HeaderMap::new();
        for name in headers {
            map.insert(*name, HeaderValue::from_static("x"));
        }
        match match_rest(&S3, method, path, query, &map) {
            Some(Match { operation, labels }) => {
                let labels: Vec<_> =
                    labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
                format!("{operation} {}", labels.join(" ")).trim_end().to_owned()
            }
            None => "none".to_owned(),
        }
    }

    #[test]
    fn paths_decide_first() {
        assert_eq!(find("GET", "/", "", &[]), "ListBuckets");
        assert_eq!(find("GET", "/b", "", &[]), "ListObjects Bucket=b");
        assert_eq!(find("GET", "/b/", "", &[]), "ListObjects Bucket=b");
        assert_eq!(find("GET", "/b/k", "", &[]), "GetObject Bucket=b Key=k");
        assert_eq!(find("POST", "/b/k", "", &[]), "none");
        assert_eq!(find("POST", "/WriteGetObjectResponse", "", &[]), "WriteGetObjectResponse");
        assert_eq!(find("GET", "/2015-03-31/things", "", &[]), "ListThings");
        assert_eq!(find("GET", "/2015-03-31/things/", "", &[]), "ListThings");
    }

    #[test]
    fn keys_keep_their_slashes_dots_and_signs() {
        assert_eq!(find("GET", "/b//a/../k/", "", &[]), "GetObject Bucket=b Key=/a/../k/");
        assert_eq!(find("GET", "/b/a%2Fb%20c", "", &[]), "GetObject Bucket=b Key=a%2Fb%20c");
        assert_eq!(find("GET", "/special/a/b/tail/c", "", &[]), "Special Key=a/b Last=c");
        assert_eq!(find("GET", "/special/a", "", &[]), "GetObject Bucket=special Key=a");
    }

    #[test]
    fn queries_and_headers_decide_next() {
        assert_eq!(find("GET", "/b", "list-type=2&prefix=", &[]), "ListObjectsV2 Bucket=b");
        assert_eq!(find("GET", "/b", "list-type=1", &[]), "ListObjects Bucket=b");
        assert_eq!(find("GET", "/b/k", "tagging", &[]), "GetObjectTagging Bucket=b Key=k");
        assert_eq!(find("GET", "/b/k", "tagging=", &[]), "GetObjectTagging Bucket=b Key=k");
        assert_eq!(find("GET", "/b/k", "uploadId=u", &[]), "ListParts Bucket=b Key=k");
        assert_eq!(find("PUT", "/b/k", "", &[]), "PutObject Bucket=b Key=k");
        assert_eq!(find("PUT", "/b/k", "", &["x-amz-copy-source"]), "CopyObject Bucket=b Key=k");
        assert_eq!(
            find("PUT", "/b/k", "uploadId=u&partNumber=1", &[]),
            "UploadPart Bucket=b Key=k"
        );
        assert_eq!(
            find("PUT", "/b/k", "uploadId=u&partNumber=1", &["x-amz-copy-source"]),
            "UploadPartCopy Bucket=b Key=k"
        );
        assert_eq!(
            find("GET", "/b", "notification", &[]),
            "GetBucketNotificationConfiguration Bucket=b"
        );
    }
}
