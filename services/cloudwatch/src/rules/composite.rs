//! Rules of composite alarms: `ALARM("a") AND NOT (OK(b) OR FALSE)`.

use crate::model::StateValue;

/// How deep a rule may be nested.
const MAX_DEPTH: usize = 50;

/// A rule over the states of other alarms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    Constant(bool),
    /// Whether the alarm with a name or ARN is in a state.
    Is(StateValue, String),
    Not(Box<Rule>),
    All(Vec<Rule>),
    Any(Vec<Rule>),
}

impl Rule {
    /// Reads a rule, or says why it is none.
    pub(crate) fn parse(text: &str) -> Result<Rule, String> {
        let mut parser = Parser { rest: text.trim_start(), depth: 0 };
        let rule = parser.any()?;
        if parser.rest.is_empty() { Ok(rule) } else { Err(parser.unexpected()) }
    }

    /// Whether it holds.
    pub(crate) fn holds(&self, state: &dyn Fn(&str) -> StateValue) -> bool {
        match self {
            Rule::Constant(truth) => *truth,
            Rule::Is(wanted, alarm) => state(alarm) == *wanted,
            Rule::Not(rule) => !rule.holds(state),
            Rule::All(all) => all.iter().all(|rule| rule.holds(state)),
            Rule::Any(any) => any.iter().any(|rule| rule.holds(state)),
        }
    }

    /// The alarms that it names.
    pub(crate) fn alarms(&self) -> Vec<&str> {
        match self {
            Rule::Constant(_) => Vec::new(),
            Rule::Is(_, alarm) => vec![alarm],
            Rule::Not(rule) => rule.alarms(),
            Rule::All(all) | Rule::Any(all) => all.iter().flat_map(Rule::alarms).collect(),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn unexpected(&self) -> String {
        match self.rest.split_whitespace().next() {
            Some(found) => format!("unexpected '{found}'"),
            None => "unexpected end".to_owned(),
        }
    }

    fn takes(&mut self, token: &str) -> bool {
        let Some(after) = self.rest.strip_prefix(token) else { return false };
        let is_word = token.ends_with(|end: char| end.is_ascii_alphabetic());
        if is_word && after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_') {
            return false;
        }
        self.rest = after.trim_start();
        true
    }

    fn any(&mut self) -> Result<Rule, String> {
        self.deeper()?;
        let mut any = vec![self.all()?];
        while self.takes("OR") {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(if any.len() == 1 { any.remove(0) } else { Rule::Any(any) })
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err("it is nested too deeply".to_owned()) } else { Ok(()) }
    }

    fn all(&mut self) -> Result<Rule, String> {
        let mut all = vec![self.one()?];
        while self.takes("AND") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Rule::All(all) })
    }

    fn one(&mut self) -> Result<Rule, String> {
        if self.takes("NOT") {
            self.deeper()?;
            let inner = self.one()?;
            self.depth -= 1;
            return Ok(Rule::Not(Box::new(inner)));
        }
        if self.takes("(") {
            let inner = self.any()?;
            return if self.takes(")") { Ok(inner) } else { Err(self.unexpected()) };
        }
        for (word, truth) in [("TRUE", true), ("FALSE", false)] {
            if self.takes(word) {
                return Ok(Rule::Constant(truth));
            }
        }
        let states = [StateValue::Alarm, StateValue::Ok, StateValue::InsufficientData];
        for state in states {
            if self.takes(state.as_str()) {
                return Ok(Rule::Is(state, self.alarm()?));
            }
        }
        Err(self.unexpected())
    }

    fn alarm(&mut self) -> Result<String, String> {
        if !self.takes("(") {
            return Err(self.unexpected());
        }
        let (name, rest): (&'a str, &'a str) = match self.rest.strip_prefix('"') {
            Some(inside) => inside.split_once('"').ok_or("a name has no end")?,
            None => {
                let end = self.rest.find(')').ok_or("a name has no end")?;
                self.rest.split_at(end)
            }
        };
        self.rest = rest.trim_start();
        let name = name.trim();
        if name.is_empty() || !self.takes(")") {
            return Err(self.unexpected());
        }
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hold_by_the_states_of_alarms() {
        let state = |name: &str| match name {
            "a" => StateValue::Alarm,
            "b b" => StateValue::Ok,
            _ => StateValue::InsufficientData,
        };
        for (text, expected) in [
            ("ALARM(a)", true),
            ("ALARM(\"a\") AND OK(\"b b\")", true),
            ("ALARM(\"a\") AND NOT OK(\"b b\")", false),
            ("OK(a) OR INSUFFICIENT_DATA(c)", true),
            ("NOT (ALARM(a) OR FALSE) OR (TRUE)", true),
            ("FALSE", false),
        ] {
            assert_eq!(Rule::parse(text).expect(text).holds(&state), expected, "{text}");
        }
        let rule = Rule::parse("ALARM(a) OR (OK(b) AND NOT OK(\"c\"))").expect("a rule");
        assert_eq!(rule.alarms(), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_no_rule() {
        for text in [
            "",
            "a",
            "ALARM",
            "ALARM(",
            "ALARM()",
            "ALARM(\"a)",
            "ALARM(a) OK(b)",
            "NOT",
            "(TRUE",
            "TRUE)",
            "TRUE AND",
            &"NOT ".repeat(999),
            &"(".repeat(999),
        ] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
    }
}
