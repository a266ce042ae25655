//! What becomes of many rows: COUNT, SUM, AVG, MIN and MAX.

use std::cmp::Ordering;

use crate::ast::AggregateKind;
use crate::error::Error;
use crate::value::{Arithmetic, Value, arithmetic};

/// An aggregate so far.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    kind: AggregateKind,
    count: i64,
    /// The sum, or what is least or greatest.
    value: Value<'static>,
}

impl Running {
    pub(crate) fn new(kind: AggregateKind) -> Running {
        Running { kind, count: 0, value: Value::Null }
    }

    /// Takes in a value; what is not there is skipped.
    pub(crate) fn add(&mut self, value: &Value<'_>) -> Result<(), Error> {
        if value.is_absent() {
            return Ok(());
        }
        self.count = self.count.checked_add(1).ok_or_else(Error::overflow)?;
        match self.kind {
            AggregateKind::Count => {}
            AggregateKind::Sum | AggregateKind::Average => {
                let number = value.as_number().ok_or_else(Error::wrong_argument)?;
                self.value = match self.count {
                    1 => number,
                    _ => arithmetic(Arithmetic::Add, &self.value, &number)?,
                };
            }
            AggregateKind::Minimum => self.keep(value, Ordering::Less)?,
            AggregateKind::Maximum => self.keep(value, Ordering::Greater)?,
        }
        Ok(())
    }

    fn keep(&mut self, value: &Value<'_>, wanted: Ordering) -> Result<(), Error> {
        let takes = match self.count {
            1 => true,
            _ => value.compare(&self.value).ok_or_else(Error::wrong_argument)? == wanted,
        };
        if takes {
            self.value = value.clone().into_owned();
        }
        Ok(())
    }

    /// The result. Of no rows there is a count, but nothing else.
    pub(crate) fn result(&self) -> Result<Value<'static>, Error> {
        match self.kind {
            AggregateKind::Count => Ok(Value::Int(self.count)),
            AggregateKind::Average if self.count > 0 => {
                // Averages of integers are no integers.
                let count = Value::Decimal(self.count.into());
                arithmetic(Arithmetic::Divide, &self.value, &count)
            }
            _ => Ok(self.value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: AggregateKind, texts: &[&str]) -> Result<String, Error> {
        let mut running = Running::new(kind);
        for text in texts {
            running.add(&Value::number(text).unwrap_or(Value::text((*text).to_owned())))?;
        }
        running.result().map(|value| value.shown().into_owned())
    }

    #[test]
    fn aggregates_take_numbers_and_texts() {
        assert_eq!(of(AggregateKind::Sum, &["1", "2.5"]).as_deref(), Ok("3.5"));
        assert_eq!(of(AggregateKind::Average, &["1", "2"]).as_deref(), Ok("1.5"));
        assert_eq!(of(AggregateKind::Minimum, &["3", "2", "10"]).as_deref(), Ok("2"));
        assert_eq!(of(AggregateKind::Maximum, &["b", "c", "a"]).as_deref(), Ok("c"));
        assert_eq!(of(AggregateKind::Count, &[]).as_deref(), Ok("0"));
        assert_eq!(of(AggregateKind::Sum, &[]).as_deref(), Ok(""));
        assert_eq!(of(AggregateKind::Sum, &["x"]), Err(Error::wrong_argument()));
        let largest = i64::MAX.to_string();
        assert_eq!(of(AggregateKind::Sum, &[&largest, "1"]), Err(Error::overflow()));
    }
}
