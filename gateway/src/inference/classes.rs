//! From a model's output to its best classes.

use std::cmp::Ordering;

use tritondeploy_wire::datatype::{f32_from_bf16, f32_from_f16};
use tritondeploy_wire::v1::Class;

use crate::config::Scores;
use crate::triton::{Datatype, Tensor};

/// The best `k` classes, best first, equal scores by index; softmax in double precision where the output is logits.
///
/// # Errors
/// When the output is not numbers, or one of them is NaN.
pub fn top(output: &Tensor, scores: Scores, k: usize, labels: Option<&[String]>) -> Result<Vec<Class>, String> {
    let values = numbers(output)?;
    if values.iter().any(|value| value.is_nan()) {
        return Err(format!("{} holds NaN", output.name));
    }
    let mut best: Vec<u32> = (0..values.len() as u32).collect();
    let order = |a: &u32, b: &u32| {
        let by_value = values[*b as usize].partial_cmp(&values[*a as usize]).unwrap_or(Ordering::Equal);
        by_value.then(a.cmp(b))
    };
    if k < best.len() {
        if k > 0 {
            best.select_nth_unstable_by(k - 1, order);
        }
        best.truncate(k);
    }
    best.sort_unstable_by(order);
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = match scores {
        Scores::Logits => values.iter().map(|value| softened(*value, largest)).sum(),
        Scores::Probabilities => 1.0,
    };
    let class = |index: u32| {
        let value = values[index as usize];
        let score = match scores {
            Scores::Logits => softened(value, largest) / sum,
            Scores::Probabilities => value,
        };
        let label = labels.and_then(|labels| labels.get(index as usize)).cloned();
        Class { index, score, label }
    };
    Ok(best.into_iter().map(class).collect())
}

/// Infinite logits are as good as each other, and as bad.
fn softened(value: f64, largest: f64) -> f64 {
    if value == largest { 1.0 } else { (value - largest).exp() }
}

fn numbers(output: &Tensor) -> Result<Vec<f64>, String> {
    let data = &output.data[..];
    let values: Vec<f64> = match output.datatype {
        Datatype::Fp32 => data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Datatype::Fp64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Datatype::Fp16 => data.as_chunks().0.iter().map(|b| f64::from(f32_from_f16(u16::from_le_bytes(*b)))).collect(),
        Datatype::Bf16 => data.as_chunks().0.iter().map(|b| f64::from(f32_from_bf16(u16::from_le_bytes(*b)))).collect(),
        other => return Err(format!("{} is {other}, of which no classes can be made; ask for the tensors", output.name)),
    };
    let size = output.datatype.size().unwrap_or(1);
    let shape = output.shape.iter().try_fold(1i64, |product, length| product.checked_mul(*length));
    if values.is_empty() || shape.and_then(|n| usize::try_from(n).ok()) != Some(values.len()) || !data.len().is_multiple_of(size)
    {
        return Err(format!("{} has {} bytes for the shape {:?}", output.name, data.len(), output.shape));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fp32(values: &[f32]) -> Tensor {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Tensor { name: "y".into(), datatype: Datatype::Fp32, shape: vec![1, values.len() as i64], data: data.into() }
    }

    fn indices(classes: &[Class]) -> Vec<u32> {
        classes.iter().map(|class| class.index).collect()
    }

    #[test]
    fn ties_go_to_the_lowest_index() {
        let output = fp32(&[1.0, 3.0, 2.0, 3.0, 3.0, 0.0]);
        assert_eq!(indices(&top(&output, Scores::Logits, 2, None).unwrap()), [1, 3]);
        assert_eq!(indices(&top(&output, Scores::Logits, 4, None).unwrap()), [1, 3, 4, 2]);
        assert_eq!(indices(&top(&output, Scores::Logits, 99, None).unwrap()), [1, 3, 4, 2, 0, 5]);
        assert_eq!(top(&output, Scores::Logits, 0, None).unwrap(), []);
    }

    #[test]
    fn logits_become_probabilities_once() {
        let labels = ["a".to_owned(), "b, or c".to_owned()];
        let classes = top(&fp32(&[0.0, 0.0, f32::NEG_INFINITY]), Scores::Logits, 3, Some(&labels)).unwrap();
        assert_eq!(classes.iter().map(|class| class.score).collect::<Vec<_>>(), [0.5, 0.5, 0.0]);
        assert_eq!((classes[1].label.as_deref(), classes[2].label.as_deref()), (Some("b, or c"), None));
        let classes = top(&fp32(&[0.25, 0.75]), Scores::Probabilities, 1, None).unwrap();
        assert_eq!((classes[0].index, classes[0].score), (1, 0.75));
    }

    #[test]
    fn what_is_no_score_is_refused() {
        assert!(top(&fp32(&[1.0, f32::NAN]), Scores::Logits, 1, None).unwrap_err().contains("NaN"));
        assert!(top(&fp32(&[]), Scores::Logits, 1, None).is_err());
        let bytes = Tensor { datatype: Datatype::Bytes, ..fp32(&[1.0]) };
        assert!(top(&bytes, Scores::Logits, 1, None).unwrap_err().contains("BYTES"));
        let lying = Tensor { shape: vec![7], ..fp32(&[1.0]) };
        assert!(top(&lying, Scores::Logits, 1, None).is_err());
    }
}
