//! The further levels: small neural networks that judge a window and correct its place.

use super::grey::View;
use super::surf::{Gradients, NUMBERS, Patch};

/// How many numbers a network answers.
pub(super) const ANSWERS: usize = 4;

/// A network, and the patches of the window that it looks at.
pub(super) struct Stage {
    pub(super) patches: Vec<Patch>,
    pub(super) threshold: f32,
    pub(super) hidden: Vec<Layer>,
    pub(super) output: Layer,
}

/// A fully connected layer.
pub(super) struct Layer {
    pub(super) inputs: usize,
    /// `inputs` numbers per output.
    pub(super) weights: Vec<f32>,
    pub(super) biases: Vec<f32>,
}

/// What a network says of a window with a face in it; changes of place and size are ratios of the window's side.
pub(super) struct Answer {
    pub(super) score: f32,
    pub(super) right: f32,
    pub(super) down: f32,
    pub(super) growth: f32,
}

/// Memory that is used again for every window.
#[derive(Default)]
pub(super) struct Scratch {
    gradients: Gradients,
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

impl Stage {
    /// Judges a window; `None` if it is no face.
    pub(super) fn classify(&self, view: &View, scratch: &mut Scratch) -> Option<Answer> {
        let Scratch { gradients, inputs, outputs } = scratch;
        gradients.compute(view);
        inputs.clear();
        inputs.resize(self.patches.len() * NUMBERS, 0.0);
        for (patch, numbers) in self.patches.iter().zip(inputs.chunks_exact_mut(NUMBERS)) {
            gradients.describe(patch, numbers);
        }
        for layer in &self.hidden {
            outputs.clear();
            outputs.extend(layer.sums(inputs).map(|sum| sum.max(0.0)));
            std::mem::swap(inputs, outputs);
        }
        let mut answers = [0.0; ANSWERS];
        for (answer, sum) in answers.iter_mut().zip(self.output.sums(inputs)) {
            *answer = 1.0 / (1.0 + (-sum).exp());
        }
        let [score, right, down, growth] = answers;
        let shift = |answer: f32| answer * 2.0 - 1.0;
        (score > self.threshold).then(|| Answer {
            score,
            right: shift(right),
            down: shift(down),
            growth: shift(growth),
        })
    }
}

impl Layer {
    fn sums<'a>(&'a self, inputs: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        self.weights
            .chunks_exact(self.inputs)
            .zip(&self.biases)
            .map(|(weights, bias)| product(inputs, weights) + bias)
    }
}

/// The inner product, in as many sums at once as keep the processor's vector registers busy.
fn product(left: &[f32], right: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}
