//! The aliases that have columns in the CSV.

use super::record::Answer;

/// More aliases than a pipeline has models (16) are no pipeline's.
const MOST: usize = 64;

/// Aliases: those that are expected, and those that answers have.
pub(super) struct Columns {
    /// Each with whether an answer had it.
    expected: Vec<(String, bool)>,
    /// In the order in which they came.
    others: Vec<String>,
}

impl Columns {
    pub(super) fn new(expected: &[String]) -> Self {
        Self { expected: expected.iter().map(|alias| (alias.clone(), false)).collect(), others: Vec::new() }
    }

    pub(super) fn see(&mut self, answer: &Answer) {
        for alias in answer.results.iter().map(|outcome| &outcome.alias) {
            if let Some((_, is_seen)) = self.expected.iter_mut().find(|(known, _)| known == alias) {
                *is_seen = true;
            } else if self.others.len() < MOST && !self.others.contains(alias) {
                self.others.push(alias.clone());
            }
        }
    }

    /// The expected ones; where the server has others (protocol v0 does not tell them before it answers), those that it has.
    pub(super) fn aliases(&self) -> Vec<String> {
        let is_wanted = |is_seen: &bool| self.others.is_empty() || *is_seen;
        let expected = self.expected.iter().filter(|(_, is_seen)| is_wanted(is_seen)).map(|(alias, _)| alias);
        expected.chain(&self.others).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Outcome;
    use super::*;

    #[test]
    fn what_the_server_has_is_shown_and_what_is_expected_where_it_says_nothing() {
        let aliases = |expected: &[&str], seen: &[&[&str]]| {
            let mut columns = Columns::new(&expected.iter().map(|alias| (*alias).to_owned()).collect::<Vec<_>>());
            for answer in seen {
                let outcome = |alias: &&str| {
                    let (alias, model) = ((*alias).to_owned(), String::new());
                    Outcome { alias, model, version: None, top: Vec::new(), error: None }
                };
                let results = answer.iter().map(outcome).collect();
                columns.see(&Answer { results, error: None, seconds: 0.0, thumbnail: None });
            }
            columns.aliases().join(" ")
        };
        assert_eq!(aliases(&["densenet", "resnet"], &[]), "densenet resnet");
        assert_eq!(aliases(&["densenet", "resnet"], &[&["resnet"]]), "densenet resnet");
        assert_eq!(aliases(&["densenet", "resnet"], &[&["served"], &["served"]]), "served");
        assert_eq!(aliases(&["densenet", "resnet"], &[&["served", "resnet"], &["b"]]), "resnet served b");
    }
}
