//! Scans over layers: the writes of open transactions above the rows of the engine.

use std::iter::Peekable;
use std::ops::ControlFlow;

use bytes::Bytes;

use crate::Error;
use crate::engine::View;
use crate::tx::{Overlay, Visit};

type Written<'o> = (&'o Bytes, &'o Option<Bytes>);
type Layer<'o> = Peekable<Box<dyn Iterator<Item = Written<'o>> + 'o>>;

/// Visits the rows of `base` as changed by `layers`, of which the first has the last word.
pub(crate) fn scan(
    layers: &[Option<&Overlay>],
    base: &dyn View,
    start: &[u8],
    end: &[u8],
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<(), Error> {
    if start >= end {
        return Ok(());
    }
    let mut written = Layers::new(layers, start, end, reverse);
    if written.layers.is_empty() {
        return base.scan(start, end, reverse, visit).map(|_| ());
    }
    let flow = base.scan(start, end, reverse, &mut |key, value| {
        while written.next_key().is_some_and(|next| comes_before(next, key, reverse)) {
            if let Some((key, Some(value))) = written.next() {
                visit(key, value)?;
            }
        }
        if written.next_key().is_some_and(|next| next == key) {
            match written.next() {
                Some((key, Some(value))) => visit(key, value),
                _ => ControlFlow::Continue(()),
            }
        } else {
            visit(key, value)
        }
    })?;
    if flow.is_continue() {
        while let Some((key, value)) = written.next() {
            if let Some(value) = value
                && visit(key, value).is_break()
            {
                break;
            }
        }
    }
    Ok(())
}

fn comes_before(left: &[u8], right: &[u8], reverse: bool) -> bool {
    if reverse { left > right } else { left < right }
}

/// The writes of all layers as one ordered sequence.
struct Layers<'o> {
    layers: Vec<Layer<'o>>,
    reverse: bool,
}

impl<'o> Layers<'o> {
    fn new(layers: &[Option<&'o Overlay>], start: &'o [u8], end: &'o [u8], reverse: bool) -> Self {
        let layers = layers
            .iter()
            .flatten()
            .filter(|overlay| !overlay.is_empty())
            .map(|overlay| {
                let range = overlay.range(start, end);
                let range: Box<dyn Iterator<Item = Written<'o>> + 'o> =
                    if reverse { Box::new(range.rev()) } else { Box::new(range) };
                range.peekable()
            })
            .collect();
        Layers { layers, reverse }
    }

    fn next_key(&mut self) -> Option<&'o Bytes> {
        let reverse = self.reverse;
        self.layers
            .iter_mut()
            .filter_map(|layer| layer.peek().map(|row| row.0))
            .reduce(|first, key| if comes_before(key, first, reverse) { key } else { first })
    }

    /// The next key with the value of the first layer that has it; the other layers step over it.
    fn next(&mut self) -> Option<Written<'o>> {
        let key = self.next_key()?;
        let mut found = None;
        for layer in &mut self.layers {
            if layer.peek().is_some_and(|row| row.0 == key) {
                let row = layer.next();
                found = found.or(row);
            }
        }
        found
    }
}
