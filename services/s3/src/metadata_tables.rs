//! S3 Metadata: tables in Apache Iceberg's format that tell what happens to the objects of a bucket.
//!
//! A bucket's *metadata configuration* has a *journal* table, to which each change of an object adds a record, and may have
//! an *inventory* table, with a row for each version that is there, and an *annotation* table, with a row for each
//! annotation. They lie in the table bucket `aws-s3` of the bucket's account and region, in a namespace of the bucket's own,
//! and are read like any other table of S3 Tables. A configuration of the first version has a journal only, in a table
//! bucket of the customer's.
//!
//! A record is a row that is written in the transaction of its change ([`journal`]), and a task brings records into the journal's
//! table ([`delivery`]), keeps the table small ([`maintenance`]), and lets what changed be written anew in the others
//! ([`live`]).

mod columns;
mod configurations;
mod creation;
mod delivery;
mod first_version;
mod journal;
mod live;
mod live_rows;
mod maintenance;
mod results;
pub(crate) mod rows;
mod tables;

pub(crate) use configurations::{
    access, create, delete, forget, get, update_annotation, update_inventory, update_journal,
};
pub(crate) use delivery::{reset, run};
pub(crate) use first_version::{create as create_first, delete as delete_first, get as get_first};
pub(crate) use journal::{By, Entry, note};
pub(crate) use rows::RecordKind;

/// The topic and name of the task that makes tables and writes them.
pub(crate) const DELIVERY: &str = "s3.metadata-tables";
