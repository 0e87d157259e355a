//! From a model's output to classes with labels: top-k, softmax where the output is logits.

use serde::Serialize;
use tritondeploy_client::{Answer, Output, Values};

use crate::cloud::Cloud;
use crate::cloud::aws::OrFault;
use crate::config::{Config, Scores};
use crate::engine::Fault;
use crate::resources::storage::bucket;

/// One model's classes for a picture.
#[derive(Clone, Debug, Serialize)]
pub struct Classified {
    /// Its alias in the pipeline, or its name.
    pub alias: String,
    /// Its name in Triton.
    pub model: String,
    /// The most probable first; ties by the lower index.
    pub top: Vec<Class>,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// Its place in the output.
    pub index: usize,
    /// Its label, where the model has labels.
    pub label: Option<String>,
    /// From 0 to 1.
    pub probability: f64,
}

/// The outputs of each model of an answer, by alias; one model's answer goes under the name it was asked by.
#[must_use]
pub fn by_model(answer: Answer, model: Option<&str>) -> Vec<(String, Vec<Output>)> {
    match answer {
        Answer::Model(outputs) => vec![(model.unwrap_or_default().to_owned(), outputs)],
        Answer::Pipelines(all) => all,
        Answer::Error(_) => Vec::new(),
    }
}

/// The model behind an alias (or a name), and what its output means.
#[must_use]
pub fn meaning(config: &Config, alias: &str) -> (String, Scores) {
    let by_alias = config.pipeline.iter().find(|model| model.alias == alias);
    let found = by_alias.or_else(|| config.pipeline.iter().find(|model| model.model == alias));
    if let Some(model) = found {
        return (model.model.clone(), model.scores);
    }
    let proof = config.proof.model.as_deref() == Some(alias);
    (alias.to_owned(), if proof { config.proof.scores } else { Scores::default() })
}

/// The labels that the bucket has for a model, one a line.
///
/// # Errors
/// When it cannot be told.
pub async fn labels(cloud: &Cloud, model: &str) -> Result<Option<Vec<String>>, Fault> {
    let call = cloud.aws.s3.get_object().bucket(bucket::name(cloud)).key(format!("models/{model}/labels.txt"));
    let answer = call.expected_bucket_owner(&cloud.aws.account).send().await.fault_or_absent(&["NoSuchKey"])?;
    let Some(object) = answer else { return Ok(None) };
    let body = object.body.collect().await.map_err(|why| Fault::TryAgain(why.to_string()))?;
    Ok(Some(String::from_utf8_lossy(&body.into_bytes()).lines().map(str::to_owned).collect()))
}

/// The `k` most probable classes of the first output.
///
/// # Errors
/// When it is no list of finite numbers.
pub fn top(outputs: &[Output], k: usize, scores: Scores, labels: Option<&[String]>) -> Result<Vec<Class>, String> {
    let Some(Output { values: Values::Numbers(numbers), name, .. }) = outputs.first() else {
        return Err("its first output is no list of numbers".to_owned());
    };
    if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
        return Err(format!("{name} has {} at {at}", numbers[at]));
    }
    let probabilities = match scores {
        Scores::Probabilities => numbers.clone(),
        Scores::Logits => softmax(numbers),
    };
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
    let class = |index: usize| Class {
        index,
        label: labels.and_then(|labels| labels.get(index)).cloned(),
        probability: probabilities[index],
    };
    Ok(order.into_iter().take(k).map(class).collect())
}

/// In f64, with the largest taken out so that nothing overflows.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(numbers: &[f64]) -> Vec<Output> {
        vec![Output { name: "scores".to_owned(), shape: vec![1, numbers.len()], values: Values::Numbers(numbers.to_vec()) }]
    }

    #[test]
    fn logits_become_probabilities_and_probabilities_stay() {
        let logits = top(&outputs(&[0.0, 1.0, 0.0]), 1, Scores::Logits, None).unwrap();
        assert!((logits[0].probability - 0.576).abs() < 1e-3 && logits[0].index == 1);
        let probabilities = top(&outputs(&[0.1, 0.7, 0.2]), 2, Scores::Probabilities, None).unwrap();
        assert_eq!(probabilities.iter().map(|class| class.index).collect::<Vec<_>>(), [1, 2]);
        assert!((probabilities[0].probability - 0.7).abs() < 1e-12);
    }

    #[test]
    fn ties_go_to_the_lower_index_and_labels_to_their_own() {
        let labels = ["a, b".to_owned(), "c".to_owned()];
        let tied = top(&outputs(&[2.0, 2.0, 2.0]), 3, Scores::Logits, Some(&labels)).unwrap();
        assert_eq!(tied.iter().map(|class| class.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(tied[0].label.as_deref(), Some("a, b"));
        assert_eq!(tied[2].label, None);
    }

    #[test]
    fn what_is_not_finite_is_an_error() {
        assert!(top(&outputs(&[0.0, f64::NAN]), 1, Scores::Logits, None).unwrap_err().contains("NaN at 1"));
    }
}
