//! Amazon DynamoDB: tables of items, read and written by key, with conditions, updates, queries and scans.
//!
//! Its nouns are tables, their secondary indexes, items and transactions. The rules stand apart from storage and wire,
//! so that they can be tested alone: numbers ([`number`]), values and items ([`value`]), keys and their order ([`keys`]),
//! the bytes of a row ([`encoding`]), DynamoDB's JSON ([`json`]) and the expression languages ([`expressions`]). Each
//! refuses what DynamoDB refuses, in DynamoDB's words ([`invalid`]).
//!
//! A write is one transaction of the store, with all indexes, so that also global indexes are always up to date. Nothing
//! is throttled: provisioned capacity is kept and shown, and what requests use is counted, but nobody has to wait.
//!
//! Missing: streams (a table keeps its specification, but no records), PartiQL, backups and restoring, global tables,
//! imports and exports, resource policies, keys of more than two attributes, and vector indexes.

mod access;
pub mod attributes;
mod batches;
mod capacity;
mod changes;
mod condition_keys;
mod conditions;
mod convert;
mod definition;
pub mod encoding;
mod encryption;
mod error;
pub mod expressions;
pub mod invalid;
mod items;
pub mod json;
pub mod keys;
mod limits;
pub mod model;
mod names;
pub mod number;
mod projections;
mod reads;
mod reset;
mod store;
mod tables;
mod tags;
mod tasks;
mod time_to_live;
mod transactions;
pub mod value;

#[cfg(test)]
mod tests;

use fogbank_core::wire::Style;
use fogbank_core::{Op, Service, operations};

/// The implemented operations.
pub static OPERATIONS: &[Op] = operations! {
    task  BatchGetItem              => batches::get, access::batch_get;
    task  BatchWriteItem            => batches::write, access::batch_write;
    task  CreateTable               => tables::create, access::create;
    task  DeleteItem                => items::delete, access::write;
    write DeleteTable               => tables::delete, access::table;
    read  DescribeContinuousBackups => limits::continuous_backups, access::table;
    read  DescribeEndpoints         => limits::endpoints, access::all;
    read  DescribeLimits            => limits::describe, access::all;
    read  DescribeTable             => tables::describe, access::table;
    read  DescribeTimeToLive        => time_to_live::describe, access::table;
    task  GetItem                   => items::get, access::get;
    read  ListTables                => tables::list, access::all;
    read  ListTagsOfResource        => tags::list, access::resource;
    task  PutItem                   => items::put, access::write;
    task  Query                     => reads::query, access::read;
    task  Scan                      => reads::scan, access::read;
    write TagResource               => tags::tag, access::resource;
    task  TransactGetItems          => transactions::get, access::transact_get;
    task  TransactWriteItems        => transactions::write, access::transact_write;
    write UntagResource             => tags::untag, access::resource;
    task  UpdateItem                => items::update, access::write;
    task  UpdateTable               => tables::update, access::table;
    write UpdateTimeToLive          => time_to_live::update, access::table;
};

/// DynamoDB.
pub static SERVICE: Service = Service {
    quick: &[
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "UpdateItem",
    ],
    resource_tags: Some(tags::of_resource),
    tasks: tasks::TASKS,
    tables: store::TABLES,
    reset: Some(reset::reset),
    replaced: Some(encryption::forget),
    ..Service::new(
        &model::SERVICE,
        Style {
            validation_code: "ValidationException",
            union_message: value::AMBIGUOUS_VALUE,
            ..Style::DEFAULT
        },
        OPERATIONS,
    )
};
