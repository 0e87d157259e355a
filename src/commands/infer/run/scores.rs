//! The best classes of an output of protocol v0, which answers with the numbers themselves.

use super::super::results::record::Class;

/// The softmax in double precision, unless the numbers are probabilities already; the best `top`, equal ones by index.
///
/// # Errors
/// When there are no numbers, or some of them are none.
pub(super) fn best(numbers: &[f64], are_probabilities: bool, labels: &[String], top: usize) -> Result<Vec<Class>, String> {
    if numbers.is_empty() {
        return Err("the model's output is empty".to_owned());
    }
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err("the model's output has values that are no finite numbers".to_owned());
    }
    let greatest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = numbers.iter().map(|number| (number - greatest).exp()).sum();
    let score = |number: f64| if are_probabilities { number } else { (number - greatest).exp() / sum };
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]).then(a.cmp(b)));
    let class = |index: usize| Class {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        score: score(numbers[index]),
        label: labels.get(index).filter(|label| !label.is_empty()).cloned(),
    };
    Ok(order.into_iter().take(top).map(class).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_softmax_of_logits_and_the_values_of_probabilities() {
        let labels = ["a", "", "c"].map(str::to_owned);
        let of_logits = best(&[0.0, 1000.0, 1000.0], false, &labels, 2).unwrap();
        let told: Vec<_> = of_logits.iter().map(|class| (class.index, class.score, class.label.as_deref())).collect();
        assert_eq!(told, [(1, 0.5, None), (2, 0.5, Some("c"))]);
        let of_probabilities = best(&[0.2, 0.7, 0.1], true, &[], 1).unwrap();
        assert_eq!((of_probabilities[0].index, of_probabilities[0].score), (1, 0.7));
        assert!(best(&[], false, &[], 1).is_err() && best(&[f64::NAN], false, &[], 1).is_err());
    }
}
