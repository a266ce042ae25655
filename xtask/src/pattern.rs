//! Converts the models' regular expressions, which are Java's, to the syntax of `fancy-regex`.

/// Java's POSIX classes and the bracket items that mean the same; all are ASCII in Java.
const POSIX: &[(&str, &str)] = &[
    ("Lower", "a-z"),
    ("Upper", "A-Z"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", "a-zA-Z"),
    ("Digit", "0-9"),
    ("Alnum", "a-zA-Z0-9"),
    ("Punct", r"!-/:-@\[-`{-\~"),
    ("Graph", r"!-\~"),
    ("Print", r" -\~"),
    ("Blank", r" \t"),
    ("Cntrl", r"\x00-\x1F\x7F"),
    ("XDigit", "0-9a-fA-F"),
    ("Space", r" \t\n\x0B\x0C\r"),
];

/// The pattern in `fancy-regex`'s syntax; `None` if it cannot be converted. Like Java's, it does not
/// say that the whole text must match: that is for whoever runs it.
pub(crate) fn convert(java: &str) -> Option<String> {
    let chars: Vec<char> = java.chars().collect();
    let mut parser = Parser { chars, index: 0, dot_matches_all: false };
    let body = parser.alternatives()?;
    (parser.index == parser.chars.len()).then_some(body)
}

/// Reads Java's syntax and writes the other as it goes.
struct Parser {
    chars: Vec<char>,
    index: usize,
    dot_matches_all: bool,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.index).copied()
    }

    fn next(&mut self) -> Option<char> {
        let current = self.peek()?;
        self.index += 1;
        Some(current)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(offset, expected)| {
            self.chars.get(self.index + offset).is_some_and(|&found| found == expected)
        });
        if found {
            self.index += text.chars().count();
        }
        found
    }

    /// Alternatives up to the end or the parenthesis that closes the group.
    fn alternatives(&mut self) -> Option<String> {
        let mut out = String::new();
        while let Some(current) = self.peek() {
            match current {
                ')' => break,
                '|' => {
                    self.index += 1;
                    out.push('|');
                }
                _ => out.push_str(&self.repeated()?),
            }
        }
        Some(out)
    }

    /// An atom with its quantifier. A possessive quantifier becomes an atomic group.
    fn repeated(&mut self) -> Option<String> {
        let atom = self.atom()?;
        let Some(quantifier) = self.quantifier() else { return Some(atom) };
        if self.eat("+") {
            return Some(format!("(?>{atom}{quantifier})"));
        }
        let lazy = if self.eat("?") { "?" } else { "" };
        Some(format!("{atom}{quantifier}{lazy}"))
    }

    fn quantifier(&mut self) -> Option<String> {
        match self.peek()? {
            sign @ ('*' | '+' | '?') => {
                self.index += 1;
                Some(sign.to_string())
            }
            '{' => {
                let length = self.chars[self.index..].iter().position(|&c| c == '}')?;
                let body: String = self.chars[self.index + 1..self.index + length].iter().collect();
                let counts = body.starts_with(|c: char| c.is_ascii_digit())
                    && body.chars().all(|c| c.is_ascii_digit() || c == ',');
                if !counts {
                    return None;
                }
                self.index += length + 1;
                Some(format!("{{{body}}}"))
            }
            _ => None,
        }
    }

    fn atom(&mut self) -> Option<String> {
        match self.next()? {
            '(' => self.group(),
            '[' => self.class(),
            '.' if self.dot_matches_all => Some(r"(?s:.)".to_owned()),
            '.' => Some(r"[^\n\r\x{85}\x{2028}\x{2029}]".to_owned()),
            anchor @ ('^' | '$') => Some(anchor.to_string()),
            '\\' => self.escape(),
            '*' | '+' | '?' => None,
            literal => Some(escaped(literal)),
        }
    }

    /// A group whose parenthesis was read.
    fn group(&mut self) -> Option<String> {
        let mut opening = "(".to_owned();
        if self.eat("?") {
            opening.push('?');
            if self.eat("s)") {
                self.dot_matches_all = true;
                return Some(String::new());
            }
            loop {
                let current = self.next()?;
                opening.push(current);
                match current {
                    ':' | '=' | '!' | '>' => break,
                    '<' | 'i' | '-' => {}
                    ')' if opening.starts_with("(?i") => return Some(opening),
                    letter if opening.starts_with("(?<") && letter.is_ascii_alphanumeric() => {}
                    _ => return None,
                }
            }
        }
        let body = self.alternatives()?;
        self.eat(")").then(|| format!("{opening}{body})"))
    }

    /// An escape outside a class, whose backslash was read.
    fn escape(&mut self) -> Option<String> {
        match self.peek()? {
            anchor @ ('A' | 'z' | 'b' | 'B') => {
                self.index += 1;
                Some(format!(r"\{anchor}"))
            }
            'Z' => {
                self.index += 1;
                Some(r"\n?\z".to_owned())
            }
            'Q' => {
                self.index += 1;
                let mut out = String::new();
                while self.peek().is_some() && !self.eat(r"\E") {
                    out.push_str(&escaped(self.next()?));
                }
                Some(format!("(?:{out})"))
            }
            back @ '1'..='9' => {
                self.index += 1;
                Some(format!(r"\{back}"))
            }
            _ => self.class_escape().map(|item| match item {
                Item::Char(char) => escaped(char),
                Item::Set(set) if set.starts_with('[') || set.starts_with('\\') => set,
                Item::Set(set) => format!("[{set}]"),
            }),
        }
    }

    /// A bracketed class whose opening bracket was read.
    fn class(&mut self) -> Option<String> {
        let mut out = String::from(if self.eat("^") { "[^" } else { "[" });
        let mut first = true;
        loop {
            if !first && self.eat("]") {
                return Some(out + "]");
            }
            if self.eat("&&") {
                out.push_str("&&");
                continue;
            }
            match self.class_item()? {
                Item::Set(set) => out.push_str(&set),
                Item::Char(low) => {
                    let range = self.peek() == Some('-')
                        && !matches!(self.chars.get(self.index + 1), None | Some(']' | '['));
                    if range {
                        self.index += 1;
                        let Item::Char(high) = self.class_item()? else { return None };
                        out.push_str(&format!("{}-{}", in_class(low), in_class(high)));
                    } else {
                        out.push_str(&in_class(low));
                    }
                }
            }
            first = false;
        }
    }

    fn class_item(&mut self) -> Option<Item> {
        match self.next()? {
            '[' => self.class().map(Item::Set),
            '\\' => self.class_escape(),
            ']' => None,
            char => Some(Item::Char(char)),
        }
    }

    /// An escape that is valid in a class, whose backslash was read.
    fn class_escape(&mut self) -> Option<Item> {
        let set = |text: &str| Some(Item::Set(text.to_owned()));
        match self.next()? {
            'd' => set("0-9"),
            'D' => set("[^0-9]"),
            'w' => set("a-zA-Z0-9_"),
            'W' => set("[^a-zA-Z0-9_]"),
            's' => set(r" \t\n\x0B\x0C\r"),
            'S' => set(r"[^ \t\n\x0B\x0C\r]"),
            'h' => set(r" \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}"),
            'p' => self.property(false),
            'P' => self.property(true),
            'u' => self.unicode().map(Item::Char),
            'x' if self.eat("{") => {
                let length = self.chars[self.index..].iter().position(|&c| c == '}')?;
                let code = self.hex(length)?;
                self.index += 1;
                char::from_u32(code).map(Item::Char)
            }
            'x' => char::from_u32(self.hex(2)?).map(Item::Char),
            't' => Some(Item::Char('\t')),
            'n' => Some(Item::Char('\n')),
            'r' => Some(Item::Char('\r')),
            'f' => Some(Item::Char('\x0C')),
            'a' => Some(Item::Char('\x07')),
            'e' => Some(Item::Char('\x1B')),
            letter if letter.is_ascii_alphanumeric() => None,
            literal => Some(Item::Char(literal)),
        }
    }

    /// `\p{…}` after the `p`.
    fn property(&mut self, negated: bool) -> Option<Item> {
        let name: String = if self.eat("{") {
            let length = self.chars[self.index..].iter().position(|&c| c == '}')?;
            let name = self.chars[self.index..self.index + length].iter().collect();
            self.index += length + 1;
            name
        } else {
            self.next()?.to_string()
        };
        if let Some((_, items)) = POSIX.iter().find(|(posix, _)| *posix == name) {
            return Some(Item::Set(format!("[{}{items}]", if negated { "^" } else { "" })));
        }
        let known = name.strip_prefix("Is").unwrap_or(&name);
        let category = known.len() <= 2 && known.starts_with(|c: char| "LMNPSZC".contains(c));
        let script = known.len() > 2 && name.starts_with("Is");
        (category || script)
            .then(|| Item::Set(format!(r"\{}{{{known}}}", if negated { 'P' } else { 'p' })))
    }

    /// `\uXXXX` after the `u`; a surrogate pair is one character, as Java reads it.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex(4)?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        if !self.eat(r"\u") {
            return None;
        }
        let low = self.hex(4)?;
        (0xDC00..0xE000)
            .contains(&low)
            .then(|| 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
            .and_then(char::from_u32)
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text: String = self.chars.get(self.index..self.index + digits)?.iter().collect();
        self.index += digits;
        u32::from_str_radix(&text, 16).ok()
    }
}

/// What stands in a class: a character, which may open a range, or a set.
enum Item {
    Char(char),
    Set(String),
}

fn escaped(literal: char) -> String {
    match literal {
        '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
            format!(r"\{literal}")
        }
        _ => printable(literal),
    }
}

fn in_class(literal: char) -> String {
    match literal {
        '\\' | '[' | ']' | '^' | '-' | '&' | '~' => format!(r"\{literal}"),
        _ => printable(literal),
    }
}

fn printable(literal: char) -> String {
    if (literal.is_ascii_graphic() && literal != '"') || literal == ' ' {
        literal.to_string()
    } else {
        format!(r"\x{{{:X}}}", u32::from(literal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(java: &str, text: &str) -> bool {
        let pattern = convert(java).expect("the pattern converts");
        let regex =
            fancy_regex::Regex::new(&format!(r"\A(?:{pattern})\z")).expect("the pattern compiles");
        regex.is_match(text).expect("the pattern runs")
    }

    #[test]
    fn the_whole_text_must_match() {
        assert!(matches("[a-z]+", "abc"));
        assert!(!matches("[a-z]+", "abc1"));
        assert!(!matches("a|b", "ab"));
    }

    #[test]
    fn shorthand_classes_are_ascii() {
        assert!(matches(r"\d{12}", "123456789012"));
        assert!(!matches(r"\d", "٣"));
        assert!(!matches(r"\w", "é"));
        assert!(matches(r"[\w+=,.@-]+", "a_b-c@d"));
        assert!(matches(r"[\S]", "é"));
        assert!(!matches(r"[^\D]", "x"));
    }

    #[test]
    fn properties_are_javas() {
        assert!(matches(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Grüße 7/x"));
        assert!(!matches(r"[\p{L}]*", "a!"));
        assert!(matches(r"\p{Print}+", "a ~"));
        assert!(!matches(r"\p{Alpha}", "é"));
        assert!(matches(r"[\p{ASCII}&&[^a]]", "b"));
        assert!(!matches(r"[\p{ASCII}&&[^a]]", "a"));
        assert!(matches(r"\P{L}", "1"));
        assert_eq!(convert(r"\p{javaLowerCase}"), None);
    }

    #[test]
    fn surrogate_pairs_are_one_character() {
        let java = r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*";
        assert!(matches(java, "a\u{1F600}\n"));
        assert!(!matches(java, "\u{1}"));
        assert_eq!(convert(r"\uD800"), None);
    }

    #[test]
    fn possessive_quantifiers_do_not_give_back() {
        assert!(!matches("a*+a", "aaa"));
        assert!(matches("[a-c]{1,2}+d", "abd"));
        assert!(matches("(ab)++", "abab"));
    }

    #[test]
    fn lookaround_and_odd_hyphens_survive() {
        assert!(matches(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "a-1"));
        assert!(!matches(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "11"));
        assert!(matches(r"[0-9A-Za-z\.\-_]*(?<!\.)", "a.b"));
        assert!(!matches(r"[0-9A-Za-z\.\-_]*(?<!\.)", "a.b."));
        assert!(matches(r"[+-]", "-"));
        assert!(matches("[-a]", "-"));
        assert!(matches("[a~&]+", "~&a"));
        assert!(!matches("[--/]", "a"));
    }

    #[test]
    fn the_dot_stops_at_javas_line_ends() {
        assert!(!matches("a.c", "a\rc"));
        assert!(matches("(?s)a.c", "a\nc"));
        assert!(!matches(".", "\u{2028}"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for java in ["(", ")", "[a", "[]a]", "*a", r"\G", r"\k<x>", "(?x) a"] {
            assert_eq!(convert(java), None, "{java}");
        }
    }

    /// The literals of a generated file that are the last argument of `matching(…)`.
    fn generated_patterns(source: &str) -> Vec<&str> {
        let calls = source.split("matching(").skip(1);
        calls.filter_map(|call| literals(call).nth(1)).collect()
    }

    /// The string literals at the beginning of a text.
    fn literals(mut rest: &str) -> impl Iterator<Item = &str> {
        std::iter::from_fn(move || {
            let start = rest.find('"')?;
            let raw = rest[..start].ends_with('#');
            let body = &rest[start + 1..];
            let end = body.find(if raw { "\"#" } else { "\"" })?;
            rest = &body[end + if raw { 2 } else { 1 }..];
            Some(&body[..end])
        })
    }

    #[test]
    fn every_generated_pattern_compiles() {
        let services = concat!(env!("CARGO_MANIFEST_DIR"), "/../services");
        let mut count = 0;
        for service in std::fs::read_dir(services).unwrap() {
            let path = service.unwrap().path().join("src/model.rs");
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            for pattern in generated_patterns(&source) {
                let compiled = fancy_regex::Regex::new(&format!(r"\A(?:{pattern})\z"));
                assert!(compiled.is_ok(), "{}: {pattern}: {compiled:?}", path.display());
                count += 1;
            }
        }
        assert!(count > 80, "{count} patterns were found");
    }
}
