//! Log streams.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use fogbank_core::{ReadTx, Tx, WriteTx, page};

use crate::error::Error;
use crate::model::{
    CreateLogStreamInput, CreateLogStreamOutput, DeleteLogStreamInput, DeleteLogStreamOutput,
    DescribeLogStreamsInput, DescribeLogStreamsOutput, LogStream, OrderBy,
};
use crate::store::{self, DOOMED, Doomed, GroupKey, STREAMS, Stream, StreamKey};
use crate::{events, tasks};

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
    let group = events::identified(&input.log_group_name, &input.log_group_identifier)?;
    let group_key = store::group_key(tx, group);
    store::group(tx, &group_key)?;
    let by_time = input.order_by == Some(OrderBy::LastEventTime);
    if by_time && input.log_stream_name_prefix.is_some() {
        let message = "Cannot order by LastEventTime with a logStreamNamePrefix.";
        return Err(Error::invalid(message));
    }
    let page = Page {
        descending: input.descending.unwrap_or_default(),
        // One more, which tells whether there is another page.
        limit: input.limit.unwrap_or(PAGE).clamp(1, PAGE) as usize + 1,
        after: match &input.next_token {
            Some(token) => Some(
                page::parse_text(token)
                    .ok_or_else(|| Error::invalid("The specified nextToken is invalid."))?,
            ),
            None => None,
        },
    };
    let mut found = match by_time {
        true => page.by_time(tx, &group_key)?,
        false => page.by_name(tx, &group_key, input.log_stream_name_prefix.as_deref())?,
    };
    let more = found.len() == page.limit;
    found.truncate(page.limit - 1);
    let token = |(name, stream): &(String, Stream)| match by_time {
        true => page::text_token(&format!("{}/{name}", time(stream))),
        false => page::text_token(name),
    };
    let next_token = found.last().filter(|_| more).map(token);
    let log_streams = found.iter().map(|(name, stream)| shown(tx, group, name, stream)).collect();
    Ok(DescribeLogStreamsOutput { log_streams: Some(log_streams), next_token })
}

/// When a stream had its last event, as AWS sorts streams.
fn time(stream: &Stream) -> i64 {
    stream.last_event_millis.unwrap_or(stream.created_millis)
}

/// Which streams are listed: so many, from one end or after a place.
struct Page {
    descending: bool,
    limit: usize,
    after: Option<String>,
}

impl Page {
    fn by_name(
        &self,
        tx: &ReadTx<'_>,
        group: &GroupKey,
        prefix: Option<&str>,
    ) -> Result<Vec<(String, Stream)>, Error> {
        let prefix = prefix.unwrap_or_default();
        let key = |name: &str| store::stream_key(tx, &group.2, name);
        let mut range = STREAMS.range(group).from(&key(prefix));
        if self.descending {
            range = range.reverse();
        }
        range = match &self.after {
            Some(name) if self.descending => range.before(&key(name)),
            Some(name) => range.after(&key(name)),
            None => range,
        };
        let mut found = Vec::new();
        range.visit(tx, |(_, _, _, name), stream| {
            match name.starts_with(prefix) {
                true => found.push((name, stream)),
                // From the other end, names beyond those with the prefix come first.
                false if self.descending => {}
                false => return ControlFlow::Break(()),
            }
            if found.len() == self.limit {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        Ok(found)
    }

    /// Looks at every stream, and keeps no more than the page has.
    fn by_time(&self, tx: &ReadTx<'_>, group: &GroupKey) -> Result<Vec<(String, Stream)>, Error> {
        let after = self.after.as_deref().map(|token| {
            let place = token
                .split_once('/')
                .and_then(|(millis, name)| Some((millis.parse::<i64>().ok()?, name.to_owned())));
            place.ok_or_else(|| Error::invalid("The specified nextToken is invalid."))
        });
        let after = after.transpose()?;
        let mut kept = BTreeMap::new();
        STREAMS.scan(tx, group, |(_, _, _, name), stream| {
            let place = (time(&stream), name);
            let follows = |after: &(i64, String)| match self.descending {
                true => place < *after,
                false => place > *after,
            };
            if after.as_ref().is_none_or(follows) {
                kept.insert(place, stream);
            }
            if kept.len() > self.limit {
                let _ = if self.descending { kept.pop_first() } else { kept.pop_last() };
            }
            ControlFlow::Continue(())
        })?;
        let named = |((_, name), stream)| (name, stream);
        Ok(match self.descending {
            true => kept.into_iter().rev().map(named).collect(),
            false => kept.into_iter().map(named).collect(),
        })
    }
}

fn shown(tx: &ReadTx<'_>, group: &str, name: &str, stream: &Stream) -> LogStream {
    LogStream {
        log_stream_name: Some(name.to_owned()),
        creation_time: Some(stream.created_millis),
        first_event_timestamp: stream.first_event_millis,
        last_event_timestamp: stream.last_event_millis,
        last_ingestion_time: stream.last_ingestion_millis,
        // AWS has answered a token that nobody needs since 2023.
        upload_sequence_token: Some(events::sequence_token(stream)),
        arn: Some(tx.arn(&format_args!("log-group:{group}:log-stream:{name}"))),
        // AWS has answered 0 here since 2019.
        stored_bytes: Some(0),
    }
}
