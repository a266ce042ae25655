//! Clients that make their requests as they go, or follow a conversation.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{Context, bail};
use tokio::task::LocalSet;

use super::data;
use crate::replay::{Bytes, Connection};

/// How many clients there are.
pub(super) const CLIENTS: usize = 32;

/// Sends what `next` makes, from many connections, until it makes no more. Every answer must be a success.
pub(super) async fn send_all(
    authority: &str,
    next: impl FnMut() -> Option<Bytes> + 'static,
) -> anyhow::Result<()> {
    let next = Rc::new(std::cell::RefCell::new(next));
    let local = LocalSet::new();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut connection = Connection::open(authority).await?;
        let next = Rc::clone(&next);
        clients.push(local.spawn_local(async move {
            loop {
                let request = (next.borrow_mut())();
                let Some(request) = request else { return anyhow::Ok(()) };
                let status = connection.exchange(&request).await?;
                if !matches!(status, 200..=299) {
                    bail!("the answer was {status}");
                }
            }
        }));
    }
    local.await;
    for client in clients {
        client.await.context("a client panicked")??;
    }
    Ok(())
}

/// The numbers from 0 to `end` in steps, each made a request by `make`.
pub(super) fn steps(
    end: u64,
    step: u64,
    make: impl Fn(u64) -> Bytes + 'static,
) -> impl FnMut() -> Option<Bytes> + 'static {
    let mut next = 0;
    move || {
        let first = next;
        next += step;
        (first < end).then(|| make(first))
    }
}

/// Has `messages` sent, received and deleted, ten at a time, by as many clients as ever; returns how many were deleted.
pub(super) async fn pass(
    authority: &str,
    queue: &'static str,
    messages: u64,
) -> anyhow::Result<u64> {
    let left = Rc::new(Cell::new(messages / 10));
    let deleted = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut connection = Connection::open(authority).await?;
        let (left, deleted) = (Rc::clone(&left), Rc::clone(&deleted));
        let host = authority.to_owned();
        clients.push(local.spawn_local(async move {
            while let Some(rest) = left.get().checked_sub(1) {
                left.set(rest);
                connection.exchange(&data::send_batch(&host, queue, 0, 10)).await?;
                let received = data::receive(&host, queue, 10, 30);
                let (status, body) = connection.exchange_for_body(&received).await?;
                if status != 200 {
                    bail!("ReceiveMessage answered {status}");
                }
                let receipts = receipts(&body)?;
                if !receipts.is_empty() {
                    connection.exchange(&data::delete_batch(&host, queue, &receipts)).await?;
                    deleted.set(deleted.get() + receipts.len() as u64);
                }
            }
            anyhow::Ok(())
        }));
    }
    local.await;
    for client in clients {
        client.await.context("a client panicked")??;
    }
    Ok(deleted.get())
}

fn receipts(body: &[u8]) -> anyhow::Result<Vec<String>> {
    let answer: serde_json::Value = serde_json::from_slice(body).context("an answer in JSON")?;
    let messages = answer["Messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let receipt = |message: &serde_json::Value| Some(message["ReceiptHandle"].as_str()?.to_owned());
    messages.iter().map(|message| receipt(message).context("a receipt handle")).collect()
}
