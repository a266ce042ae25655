//! Capacity units, as answers report them.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>

use std::collections::BTreeMap;

use crate::definition::Index;
use crate::model::{self, ReturnConsumedCapacity};

/// Units for reading `bytes` of items: one for each 4 KiB, half of it where old data may be read.
pub(crate) fn read_units(bytes: usize, is_consistent: bool) -> f64 {
    let units = bytes.div_ceil(4096).max(1) as f64;
    if is_consistent { units } else { units / 2.0 }
}

/// Units for writing an item of `bytes`: one for each KiB.
pub(crate) fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(1024).max(1) as f64
}

/// Which of an answer's figures are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only the sum.
    Plain,
    /// The sum, also as units of reading, which transactions report.
    TransactRead,
    /// The sum, also as units of writing.
    TransactWrite,
}

/// What a request used of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Consumed {
    /// Units of the table.
    pub(crate) table: f64,
    /// Units of local indexes by name.
    pub(crate) local: BTreeMap<String, f64>,
    /// Units of global indexes by name.
    pub(crate) global: BTreeMap<String, f64>,
}

impl Consumed {
    /// Units of the table alone.
    pub(crate) fn of_table(units: f64) -> Consumed {
        Consumed { table: units, ..Consumed::default() }
    }

    /// Adds units of an index.
    pub(crate) fn add_index(&mut self, index: &Index, units: f64) {
        let indexes = if index.is_global { &mut self.global } else { &mut self.local };
        *indexes.entry(index.name.clone()).or_default() += units;
    }

    /// Adds what another part of the request used.
    pub(crate) fn add(&mut self, other: &Consumed) {
        self.table += other.table;
        for (to, from) in [(&mut self.local, &other.local), (&mut self.global, &other.global)] {
            for (name, units) in from {
                *to.entry(name.clone()).or_default() += units;
            }
        }
    }

    /// The same, `factor` times.
    pub(crate) fn times(mut self, factor: f64) -> Consumed {
        self.table *= factor;
        self.local.values_mut().chain(self.global.values_mut()).for_each(|units| *units *= factor);
        self
    }

    /// The figures that the request asks for.
    pub(crate) fn report(
        &self,
        table: &str,
        wanted: Option<ReturnConsumedCapacity>,
        kind: Kind,
    ) -> Option<model::ConsumedCapacity> {
        if !is_wanted(wanted) {
            return None;
        }
        let indexes = self.local.values().chain(self.global.values());
        let total = self.table + indexes.sum::<f64>();
        let read = |units: f64| (kind == Kind::TransactRead).then_some(units);
        let write = |units: f64| (kind == Kind::TransactWrite).then_some(units);
        let single = |units: f64| model::Capacity {
            read_capacity_units: read(units),
            write_capacity_units: write(units),
            capacity_units: Some(units),
        };
        let many = |units: &BTreeMap<String, f64>| {
            let list = units.iter().map(|(name, units)| (name.clone(), single(*units)));
            (!units.is_empty()).then(|| list.collect())
        };
        let mut report = model::ConsumedCapacity {
            table_name: Some(table.to_owned()),
            capacity_units: Some(total),
            read_capacity_units: read(total),
            write_capacity_units: write(total),
            ..model::ConsumedCapacity::default()
        };
        if wanted == Some(ReturnConsumedCapacity::Indexes) {
            report.table = Some(single(self.table));
            report.local_secondary_indexes = many(&self.local);
            report.global_secondary_indexes = many(&self.global);
        }
        Some(report)
    }
}

/// Whether the request wants to know what it used.
pub(crate) fn is_wanted(wanted: Option<ReturnConsumedCapacity>) -> bool {
    matches!(wanted, Some(ReturnConsumedCapacity::Total | ReturnConsumedCapacity::Indexes))
}
