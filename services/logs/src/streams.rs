//! Log streams.

use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::{
    CreateLogStreamInput, CreateLogStreamOutput, DeleteLogStreamInput, DeleteLogStreamOutput,
    DescribeLogStreamsInput, DescribeLogStreamsOutput, LogStream, OrderBy,
};
use crate::store::{self, DOOMED, Doomed, STREAMS, Stream, StreamKey};
use crate::{rules, tasks};

/// How many streams a page has at most.
const PAGE: i32 = 50;

/// Creates a stream.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateLogStreamInput,
) -> Result<CreateLogStreamOutput, Error> {
    store::group(tx, &store::group_key(tx, &input.log_group_name))?;
    let key = store::stream_key(tx, &input.log_group_name, &input.log_stream_name);
    if STREAMS.contains(tx, &key)? {
        let message = "The specified log stream already exists";
        return Err(Error::ResourceAlreadyExistsException(message));
    }
    let stream = Stream {
        id: tx.ids().number(),
        created_millis: tx.now().millis(),
        first_event_millis: None,
        last_event_millis: None,
        last_ingestion_millis: None,
        stored_bytes: 0,
        next_place: 0,
    };
    STREAMS.put(tx, &key, &stream)?;
    Ok(CreateLogStreamOutput {})
}

/// Deletes a stream; its events go in the background.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteLogStreamInput,
) -> Result<DeleteLogStreamOutput, Error> {
    let key = store::stream_key(tx, &input.log_group_name, &input.log_stream_name);
    let stream = store::stream(tx, &key)?;
    remove(tx, &key, &stream)?;
    Ok(DeleteLogStreamOutput {})
}

/// Removes a stream; its events go in the background.
pub(crate) fn remove(tx: &mut WriteTx<'_>, key: &StreamKey, stream: &Stream) -> Result<(), Error> {
    let doomed = Doomed { since_millis: tx.now().millis() };
    DOOMED.put(tx, &(stream.id,), &doomed)?;
    tx.wake(tasks::REMOVAL);
    Ok(STREAMS.delete(tx, key)?)
}

/// Lists a group's streams by name or by their last event.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeLogStreamsInput,
) -> Result<DescribeLogStreamsOutput, Error> {
    let identifier = input.log_group_name.or(input.log_group_identifier);
    let identifier = identifier
        .ok_or_else(|| Error::invalid("Either logGroupName or logGroupIdentifier is required."))?;
    let group = rules::group_name(&identifier);
    let group_key = store::group_key(tx, group);
    store::group(tx, &group_key)?;
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && input.log_stream_name_prefix.is_some() {
        let message = "Cannot order by LastEventTime with a logStreamNamePrefix.";
        return Err(Error::invalid(message));
    }
    let prefix = input.log_stream_name_prefix.unwrap_or_default();
    let mut found: Vec<(String, Stream)> = Vec::new();
    STREAMS.scan(tx, &group_key, |(_, _, _, name), stream| {
        if name.starts_with(&prefix) {
            found.push((name, stream));
        }
        ControlFlow::Continue(())
    })?;
    if by_time {
        found.sort_by_key(|(_, stream)| stream.last_event_millis.unwrap_or(stream.created_millis));
    }
    if input.descending.unwrap_or_default() {
        found.reverse();
    }
    let skipped = match &input.next_token {
        Some(token) => {
            let last = page::parse_text(token)
                .ok_or_else(|| Error::invalid("The specified nextToken is invalid."))?;
            found.iter().position(|(name, _)| *name == last).map_or(found.len(), |at| at + 1)
        }
        None => 0,
    };
    let limit = input.limit.unwrap_or(PAGE).clamp(1, PAGE) as usize;
    let rest = &found[skipped..];
    let shown_part = &rest[..rest.len().min(limit)];
    let more = rest.len() > limit;
    let next_token = shown_part.last().filter(|_| more).map(|(name, _)| page::text_token(name));
    let log_streams =
        shown_part.iter().map(|(name, stream)| shown(tx, group, name, stream)).collect();
    Ok(DescribeLogStreamsOutput { log_streams: Some(log_streams), next_token })
}

fn shown(tx: &ReadTx<'_>, group: &str, name: &str, stream: &Stream) -> LogStream {
    LogStream {
        log_stream_name: Some(name.to_owned()),
        creation_time: Some(stream.created_millis),
        first_event_timestamp: stream.first_event_millis,
        last_event_timestamp: stream.last_event_millis,
        last_ingestion_time: stream.last_ingestion_millis,
        // AWS has answered a token that nobody needs since 2023.
        upload_sequence_token: Some(crate::events::sequence_token(stream)),
        arn: Some(tx.arn(&format_args!("log-group:{group}:log-stream:{name}"))),
        // AWS has answered 0 here since 2019.
        stored_bytes: Some(0),
    }
}
