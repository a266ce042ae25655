//! Search expressions of metric math: `{Namespace,Dimension} MetricName="Errors" some words`.

/// How deep a search may be nested.
const MAX_DEPTH: usize = 50;

/// Which metrics are sought.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    /// The namespace and the names of all dimensions, in order.
    schema: Option<(String, Vec<String>)>,
    filter: Filter,
}

#[derive(Clone, Debug, PartialEq)]
enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// A word somewhere, or in a property of this name.
    Word(Option<String>, String),
    /// The whole of something, or of a property of this name.
    Exact(Option<String>, String),
}

/// What is known of a metric that may be sought.
pub(crate) struct Candidate<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) dimensions: Vec<(&'a str, &'a str)>,
}

impl Search {
    /// Reads a search, or says why it is none.
    pub(crate) fn parse(text: &str) -> Result<Search, String> {
        let text = text.trim();
        let (schema, rest) = match text.strip_prefix('{') {
            Some(inside) => {
                let (inside, rest) = inside.split_once('}').ok_or("The schema has no end")?;
                (Some(schema(inside)?), rest)
            }
            None => (None, text),
        };
        let tokens = tokens(rest)?;
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let filter = parser.any(None)?;
        if !parser.tokens.is_empty() {
            return Err("The search has a parenthesis too many".to_owned());
        }
        if schema.is_none() && filter == Filter::All(Vec::new()) {
            return Err("The search is empty".to_owned());
        }
        Ok(Search { schema, filter })
    }

    /// The namespace, if the schema names one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.schema.as_ref().map(|(namespace, _)| &**namespace)
    }

    /// Whether a metric is sought.
    pub(crate) fn finds(&self, metric: &Candidate<'_>) -> bool {
        if let Some((namespace, names)) = &self.schema {
            let mut has: Vec<&str> = metric.dimensions.iter().map(|(name, _)| *name).collect();
            has.sort_unstable();
            if namespace != metric.namespace || has != *names {
                return false;
            }
        }
        self.filter.passes(metric)
    }
}

fn schema(text: &str) -> Result<(String, Vec<String>), String> {
    let parts = text.split(',').map(|part| part.trim().trim_matches('"').to_owned());
    let mut parts = parts.collect::<Vec<_>>().into_iter();
    let namespace = parts.next().filter(|namespace| !namespace.is_empty());
    let namespace = namespace.ok_or("The schema names no namespace")?;
    let mut names: Vec<String> = parts.collect();
    names.sort_unstable();
    Ok((namespace, names))
}

impl Filter {
    fn passes(&self, metric: &Candidate<'_>) -> bool {
        match self {
            Filter::All(all) => all.iter().all(|filter| filter.passes(metric)),
            Filter::Any(any) => any.iter().any(|filter| filter.passes(metric)),
            Filter::Not(filter) => !filter.passes(metric),
            Filter::Word(property, word) => {
                texts(metric, property.as_deref()).any(|text| has_words(text, word))
            }
            Filter::Exact(property, whole) => {
                texts(metric, property.as_deref()).any(|text| text == whole)
            }
        }
    }
}

/// The texts in which is sought: all of a metric, or one property.
fn texts<'a>(
    metric: &'a Candidate<'a>,
    property: Option<&'a str>,
) -> impl Iterator<Item = &'a str> + 'a {
    let is = move |name: &str| property.is_none_or(|property| property == name);
    let namespace = is("Namespace").then_some(metric.namespace);
    let name = is("MetricName").then_some(metric.name);
    let dimensions = metric.dimensions.iter().flat_map(move |(name, value)| {
        let own_name = property.is_none().then_some(*name);
        own_name.into_iter().chain(is(name).then_some(*value))
    });
    namespace.into_iter().chain(name).chain(dimensions)
}

/// Splits text into words as CloudWatch does: at what is no letter or digit, and between `aB`.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = ' ';
    for letter in text.chars() {
        let begins = letter.is_uppercase() && last.is_lowercase()
            || letter.is_ascii_digit() != last.is_ascii_digit();
        if !letter.is_alphanumeric() || begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.extend(letter.to_lowercase());
        }
        last = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether the words of a term stand in a text one after the other.
fn has_words(text: &str, term: &str) -> bool {
    if text.eq_ignore_ascii_case(term) {
        return true;
    }
    let (text, term) = (words(text), words(term));
    !term.is_empty() && text.windows(term.len()).any(|part| part == term)
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Is,
    Word(String),
    Quoted(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '=' => (Token::Is, 1),
            '"' => {
                let inside = &rest[1..];
                let end = inside.find('"').ok_or("A quoted text has no end")?;
                (Token::Quoted(inside[..end].to_owned()), end + 2)
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '=' | '"');
                let end = rest.find(is_end).unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), end)
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn next_is(&self, word: &str) -> bool {
        matches!(self.tokens.first(), Some(Token::Word(next)) if next == word)
    }

    fn any(&mut self, property: Option<&str>) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("The search is nested too deeply".to_owned());
        }
        let mut any = vec![self.all(property)?];
        while self.next_is("OR") {
            self.tokens = &self.tokens[1..];
            any.push(self.all(property)?);
        }
        self.depth -= 1;
        Ok(if any.len() == 1 { any.remove(0) } else { Filter::Any(any) })
    }

    fn all(&mut self, property: Option<&str>) -> Result<Filter, String> {
        let mut all = Vec::new();
        loop {
            match self.tokens.first() {
                None | Some(Token::Close) => break,
                _ if self.next_is("OR") => break,
                _ if self.next_is("AND") => self.tokens = &self.tokens[1..],
                _ => all.push(self.one(property)?),
            }
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::All(all) })
    }

    fn one(&mut self, property: Option<&str>) -> Result<Filter, String> {
        let (token, rest) = self.tokens.split_first().ok_or("The search ends early")?;
        self.tokens = rest;
        let of = property.map(str::to_owned);
        match token {
            Token::Word(word) if word == "NOT" => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("The search is nested too deeply".to_owned());
                }
                let inner = self.one(property)?;
                self.depth -= 1;
                Ok(Filter::Not(Box::new(inner)))
            }
            Token::Open => {
                let inner = self.any(property)?;
                match self.tokens.split_first() {
                    Some((Token::Close, rest)) => self.tokens = rest,
                    _ => return Err("A parenthesis has no end".to_owned()),
                }
                Ok(inner)
            }
            Token::Word(name) | Token::Quoted(name) if self.tokens.first() == Some(&Token::Is) => {
                self.tokens = &self.tokens[1..];
                match self.tokens.first() {
                    Some(Token::Is | Token::Close) | None => {
                        Err(format!("The property {name} has no value"))
                    }
                    _ => self.one(Some(name)),
                }
            }
            Token::Word(word) => Ok(Filter::Word(of, word.clone())),
            Token::Quoted(whole) => Ok(Filter::Exact(of, whole.clone())),
            Token::Close | Token::Is => Err("The search has a sign at a wrong place".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(search: &str) -> bool {
        let dimensions = vec![("BucketName", "my-photos"), ("FilterId", "EntireBucket")];
        let metric = Candidate { namespace: "AWS/S3", name: "4xxErrors", dimensions };
        Search::parse(search).expect(search).finds(&metric)
    }

    #[test]
    fn what_is_found_and_what_not() {
        for search in [
            "{AWS/S3,BucketName,FilterId}",
            "{AWS/S3, FilterId, BucketName} MetricName=\"4xxErrors\"",
            "errors",
            "photos NOT \"photos\"",
            "MetricName=(\"5xxErrors\" OR \"4xxErrors\")",
            "BucketName=photos AND entire",
            "nothing OR S3",
            "my-photos",
            "NOT (cats OR dogs)",
        ] {
            assert!(finds(search), "{search}");
        }
        for search in [
            "{AWS/S3,BucketName}",
            "{AWS/SQS,BucketName,FilterId}",
            "{AWS/S3,BucketName,FilterId} MetricName=\"5xxErrors\"",
            "error",
            "\"photos\"",
            "FilterId=photos",
            "errors cats",
        ] {
            assert!(!finds(search), "{search}");
        }
    }

    #[test]
    fn what_is_no_search() {
        for search in [
            "",
            "{",
            "{}",
            "(",
            ")",
            "a=",
            "=a",
            "\"a",
            "a=)",
            &"(".repeat(999),
            &"NOT ".repeat(999),
        ] {
            assert!(Search::parse(search).is_err(), "{search}");
        }
    }
}
