//! DynamoDB's expressions: conditions, filters, key conditions, updates and projections.
//!
//! A request builds one [`Placeholders`], parses its expressions with it in the order update, condition, key condition,
//! filter, projection, and then calls [`Placeholders::check_all_used`]. What parsing returns is typed and holds names and
//! values instead of placeholders; evaluating it needs nothing but an item.
//!
//! Messages and the order in which they win over each other follow AWS; where AWS's order is that of a hash map, ours is
//! the order of names.

mod condition;
mod condition_check;
mod condition_parser;
mod evaluate;
mod key_condition;
mod legacy;
mod parser;
mod path;
mod placeholders;
mod projection;
mod reserved;
mod token;
mod update;
mod update_apply;
mod update_parser;

pub use condition::{Comparator, Condition, Operand};
pub use key_condition::{KeyConditions, KeyOperator, KeyQuery};
pub use legacy::{
    AttributeUpdate, ComparisonOperator, ConditionalOperator, ExpectedAttribute, LegacyCondition,
    UpdateAction, attribute_updates, attributes_to_get, expected, filter, key_conditions,
};
pub use parser::{MAX_EXPRESSION_SIZE, MAX_OPERATORS};
pub use path::{Path, PathElement};
pub use placeholders::{Placeholders, check_parameters};
pub use projection::Projection;
pub use reserved::{RESERVED_WORDS, is_reserved};
pub use update::{Action, Update, UpdateValue};

use crate::invalid::Invalid;

/// Which parameter of a request an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpressionKind {
    /// `ConditionExpression`.
    Condition,
    /// `FilterExpression`.
    Filter,
    /// `KeyConditionExpression`.
    KeyCondition,
    /// `UpdateExpression`.
    Update,
    /// `ProjectionExpression`.
    Projection,
}

impl ExpressionKind {
    /// The parameter's name.
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Condition => "ConditionExpression",
            Self::Filter => "FilterExpression",
            Self::KeyCondition => "KeyConditionExpression",
            Self::Update => "UpdateExpression",
            Self::Projection => "ProjectionExpression",
        }
    }

    fn invalid(self, detail: impl std::fmt::Display) -> Invalid {
        Invalid::new(format!("Invalid {}: {detail}", self.parameter()))
    }

    fn is_condition(self) -> bool {
        matches!(self, Self::Condition | Self::Filter | Self::KeyCondition)
    }

    /// The words of the grammar, which cannot begin a path or a call.
    fn keywords(self) -> &'static [&'static str] {
        match self {
            Self::Condition | Self::Filter | Self::KeyCondition => {
                &["AND", "OR", "NOT", "BETWEEN", "IN"]
            }
            Self::Update => &["SET", "REMOVE", "ADD", "DELETE"],
            Self::Projection => &[],
        }
    }
}
