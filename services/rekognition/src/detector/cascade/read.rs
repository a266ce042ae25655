//! Reads a cascade from SeetaFace's binary format: little-endian numbers of 32 bits, one after the other.

use thiserror::Error;

use super::boosted::{Boosted, Feature, GROUP, Group, LARGEST_OFFSET};
use super::perceptron::{ANSWERS, Layer, Stage};
use super::surf::{NUMBERS, Patch, patches};
use super::{Branch, Cascade};

/// Why bytes are no model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(in crate::detector) enum ModelError {
    #[error("the model breaks off")]
    Truncated,
    #[error("the model goes on after its end")]
    TooLong,
    #[error("the model has {0} that cannot be")]
    Unexpected(&'static str),
}

/// A classifier's kind as the file has it.
const BOOSTED: usize = 0;
const PERCEPTRON: usize = 1;

pub(super) fn cascade(model: &[u8]) -> Result<Cascade, ModelError> {
    let mut numbers = Numbers { rest: model };
    let level_count = numbers.count()?;
    if level_count == 0 {
        return Err(ModelError::Unexpected("a number of levels"));
    }
    let views = numbers.list(Numbers::view)?;
    let patches = patches();
    let mut levels = Vec::new();
    let mut branches_before = views.len();
    for _ in 1..level_count {
        let level = numbers.list(|numbers| numbers.branch(&patches, branches_before))?;
        branches_before = level.len();
        levels.push(level);
    }
    if !numbers.rest.is_empty() {
        return Err(ModelError::TooLong);
    }
    Ok(Cascade { views, levels })
}

/// What has not been read yet.
struct Numbers<'a> {
    rest: &'a [u8],
}

impl Numbers<'_> {
    fn word(&mut self) -> Result<[u8; 4], ModelError> {
        let (word, rest) = self.rest.split_first_chunk().ok_or(ModelError::Truncated)?;
        self.rest = rest;
        Ok(*word)
    }

    fn index(&mut self) -> Result<usize, ModelError> {
        usize::try_from(i32::from_le_bytes(self.word()?))
            .map_err(|_| ModelError::Unexpected("a negative number"))
    }

    /// A number of things that follow, which take a word each at the least.
    fn count(&mut self) -> Result<usize, ModelError> {
        let count = self.index()?;
        if count > self.rest.len() / 4 { Err(ModelError::Truncated) } else { Ok(count) }
    }

    fn real(&mut self) -> Result<f32, ModelError> {
        let real = f32::from_le_bytes(self.word()?);
        if real.is_finite() { Ok(real) } else { Err(ModelError::Unexpected("a number")) }
    }

    fn reals(&mut self, count: usize) -> Result<Vec<f32>, ModelError> {
        if count > self.rest.len() / 4 {
            return Err(ModelError::Truncated);
        }
        (0..count).map(|_| self.real()).collect()
    }

    fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, ModelError>,
    ) -> Result<Vec<T>, ModelError> {
        (0..self.count()?).map(|_| one(self)).collect()
    }

    fn expect(&mut self, wanted: usize, what: &'static str) -> Result<(), ModelError> {
        if self.index()? == wanted { Ok(()) } else { Err(ModelError::Unexpected(what)) }
    }

    /// A branch of the first level: one boosted classifier that follows no other.
    fn view(&mut self) -> Result<Boosted, ModelError> {
        self.expect(1, "a number of stages")?;
        self.expect(BOOSTED, "a kind of classifier")?;
        let count = self.count()?;
        self.expect(255, "a number of feature values")?;
        let places: Vec<(usize, usize)> =
            (0..count).map(|_| Ok((self.index()?, self.index()?))).collect::<Result<_, _>>()?;
        let thresholds = self.reals(count)?;
        let features = places.into_iter().map(|(x, y)| self.feature(x, y));
        let features: Vec<Feature> = features.collect::<Result<_, _>>()?;
        // It follows no other branch, which is written as a negative number of sources.
        if i32::from_le_bytes(self.word()?) > 0 {
            return Err(ModelError::Unexpected("a number of sources"));
        }
        // Every feature has a threshold, but only those at the ends of groups are used.
        let mut thresholds = thresholds.chunks(GROUP).filter_map(|group| group.last().copied());
        let mut groups = Vec::new();
        let mut features = features.into_iter().peekable();
        while let (Some(_), Some(threshold)) = (features.peek(), thresholds.next()) {
            groups.push(Group { features: features.by_ref().take(GROUP).collect(), threshold });
        }
        Ok(Boosted { groups })
    }

    fn feature(&mut self, x: usize, y: usize) -> Result<Feature, ModelError> {
        if x > LARGEST_OFFSET || y > LARGEST_OFFSET {
            return Err(ModelError::Unexpected("a feature's place"));
        }
        let votes = self.reals(256)?.into_boxed_slice();
        let votes = votes.try_into().map_err(|_| ModelError::Unexpected("a number of votes"))?;
        Ok(Feature { x, y, votes })
    }

    fn branch(&mut self, patches: &[Patch], before: usize) -> Result<Branch, ModelError> {
        let stages = self.list(|numbers| numbers.stage(patches))?;
        let sources = self.list(|numbers| {
            let source = numbers.index()?;
            if source < before { Ok(source) } else { Err(ModelError::Unexpected("a source")) }
        })?;
        Ok(Branch { sources, stages })
    }

    fn stage(&mut self, patches: &[Patch]) -> Result<Stage, ModelError> {
        self.expect(PERCEPTRON, "a kind of classifier")?;
        let layer_count = self.count()?;
        let looked_at = self.count()?;
        let looked_at = (0..looked_at).map(|_| {
            let patch = self.index()?.checked_sub(1).and_then(|index| patches.get(index));
            patch.copied().ok_or(ModelError::Unexpected("a patch"))
        });
        let looked_at: Vec<Patch> = looked_at.collect::<Result<_, _>>()?;
        let threshold = self.real()?;
        let mut inputs = looked_at.len() * NUMBERS;
        self.expect(inputs, "a number of inputs")?;
        let mut hidden = Vec::new();
        // The first layer is the input, which has no weights.
        for _ in 1..layer_count {
            let layer = self.layer(inputs)?;
            inputs = layer.biases.len();
            hidden.push(layer);
        }
        match hidden.pop() {
            Some(output) if output.biases.len() == ANSWERS => {
                Ok(Stage { patches: looked_at, threshold, hidden, output })
            }
            _ => Err(ModelError::Unexpected("a number of answers")),
        }
    }

    fn layer(&mut self, inputs: usize) -> Result<Layer, ModelError> {
        let outputs = self.count()?;
        if inputs == 0 || outputs == 0 {
            return Err(ModelError::Unexpected("an empty layer"));
        }
        let weights = inputs.checked_mul(outputs).ok_or(ModelError::Truncated)?;
        Ok(Layer { inputs, weights: self.reals(weights)?, biases: self.reals(outputs)? })
    }
}
