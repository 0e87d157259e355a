//! The models that are measured with: they cost next to nothing, so that what is left is the way to them.

use std::fs;
use std::path::Path;

use bytes::Bytes;

use crate::failure::{Doing, Failure};

const PROGRAM: &str = include_str!("../models/model.py");

/// A model of `models/model.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) input: &'static str,
    /// As Triton tells it; -1 where any length is taken.
    dims: &'static [i64],
    /// As it is asked.
    pub(crate) shape: &'static [i64],
    pub(crate) output: &'static str,
    pub(crate) answer: &'static [i64],
    instances: u32,
    sample: Sample,
    sleep_seconds: &'static str,
}

/// Which 1,000 numbers of its input a model answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sample {
    /// The first and the last 500: cheapest.
    Ends,
    /// Every n-th: from all of the input.
    All,
}

impl Model {
    /// Numbers in its input.
    pub(crate) fn numbers(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }

    /// What it answers to a tensor.
    pub(crate) fn answer_to(&self, tensor: &[u8]) -> Bytes {
        let numbers = tensor.as_chunks::<4>().0;
        match self.sample {
            Sample::Ends => [&tensor[..2000], &tensor[tensor.len() - 2000..]].concat().into(),
            Sample::All => {
                let sample = numbers.iter().step_by(numbers.len() / 1000).take(1000);
                sample.flatten().copied().collect::<Vec<u8>>().into()
            }
        }
    }
}

const IMAGE: &[i64] = &[3, 224, 224];
const SMALL: &[i64] = &[1024];

/// 602,112 bytes in, 4,000 out.
pub(crate) const NULL: Model = Model {
    name: "null",
    input: "x",
    dims: IMAGE,
    shape: IMAGE,
    output: "y",
    answer: &[1000],
    instances: 2,
    sample: Sample::Ends,
    sleep_seconds: "0",
};

/// The same, answering from all of its input.
pub(crate) const CHECKED: Model = Model { name: "checked", sample: Sample::All, ..NULL };

/// 4 KiB in.
pub(crate) const NULL_4K: Model = Model { name: "null4k", dims: SMALL, shape: SMALL, ..NULL };

/// 1 MiB in.
pub(crate) const NULL_1M: Model = Model { name: "null1m", dims: &[262_144], shape: &[262_144], ..NULL };

/// 4 KiB in, 10 ms, four at once.
pub(crate) const SLEEP: Model = Model { name: "sleep10", instances: 4, sleep_seconds: "0.010", ..NULL_4K };

/// Names and shapes of the reference pair, without its work.
pub(crate) const DENSENET: Model = Model {
    name: "densenet_onnx",
    input: "data_0",
    dims: &[1, 3, 224, 224],
    shape: &[1, 3, 224, 224],
    output: "fc6_1",
    answer: &[1, 1000, 1, 1],
    ..NULL
};

/// The other one.
pub(crate) const RESNET: Model = Model {
    name: "resnet50_onnx",
    input: "data",
    dims: &[-1, 3, 224, 224],
    shape: &[1, 3, 224, 224],
    output: "resnetv24_dense0_fwd",
    answer: &[1, 1000],
    ..NULL
};

/// All of them.
pub(crate) const ALL: [Model; 7] = [NULL, CHECKED, NULL_4K, NULL_1M, SLEEP, DENSENET, RESNET];

/// Writes a model repository.
pub(crate) fn write(repository: &Path) -> Result<(), Failure> {
    for model in ALL {
        let folder = repository.join(model.name);
        let doing = || format!("writing the model {}", folder.display());
        fs::create_dir_all(folder.join("1")).doing(doing())?;
        fs::write(folder.join("config.pbtxt"), config(&model)).doing(doing())?;
        fs::write(folder.join("1/model.py"), PROGRAM).doing(doing())?;
    }
    Ok(())
}

fn config(model: &Model) -> String {
    let Model { name, input, dims, output, answer, instances, sleep_seconds, .. } = model;
    let sample = if model.sample == Sample::Ends { "ends" } else { "all" };
    format!(
        "name: {name:?}\nbackend: \"python\"\nmax_batch_size: 0\n\
         input [{{ name: {input:?} data_type: TYPE_FP32 dims: {dims:?} }}]\n\
         output [{{ name: {output:?} data_type: TYPE_FP32 dims: {answer:?} }}]\n\
         instance_group [{{ kind: KIND_CPU count: {instances} }}]\n\
         parameters [{{ key: \"sample\" value: {{ string_value: {sample:?} }} }}]\n\
         parameters [{{ key: \"sleep_seconds\" value: {{ string_value: {sleep_seconds:?} }} }}]\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
    }

    #[test]
    fn an_answer_is_a_thousand_numbers_of_the_input() {
        let tensor: Vec<u8> = (0..3000u16).flat_map(|i| f32::from(i).to_le_bytes()).collect();
        let all = numbers(&CHECKED.answer_to(&tensor));
        assert_eq!((all.len(), all[0], all[1], all[999]), (1000, 0.0, 3.0, 2997.0));
        let ends = numbers(&NULL.answer_to(&tensor));
        assert_eq!((ends.len(), ends[499], ends[500], ends[999]), (1000, 499.0, 2500.0, 2999.0));
    }

    #[test]
    fn a_configuration_says_what_the_model_is() {
        let text = config(&RESNET);
        assert!(text.contains("dims: [-1, 3, 224, 224]") && text.contains("\"resnetv24_dense0_fwd\""), "{text}");
        assert!(config(&SLEEP).contains("count: 4") && config(&SLEEP).contains("\"0.010\""));
    }
}
