//! Fields that are read without building more of them than can be used.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::client::TensorHeader;
use super::frame::MOST_PARTS;
use super::{MODELS, RANK};

/// The first elements of a list: at most one more than `MOST`, enough to tell that there are too many.
#[derive(Default)]
pub(super) struct First<T, const MOST: usize>(pub(super) Vec<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for First<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Elements<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Elements<T, MOST> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut first = Vec::new();
                while first.len() <= MOST {
                    match list.next_element()? {
                        Some(element) => first.push(element),
                        None => return Ok(first),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first)
            }
        }
        input.deserialize_seq(Elements::<T, MOST>(PhantomData)).map(Self)
    }
}

/// A list of names, or null.
pub(super) fn models<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(Option::<First<String, MODELS>>::deserialize(input)?.map(|First(names)| names))
}

/// A list of lengths.
pub(super) fn shape<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<i64>, D::Error> {
    First::<i64, RANK>::deserialize(input).map(|First(lengths)| lengths)
}

/// A list of tensors.
pub(super) fn tensors<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<TensorHeader>, D::Error> {
    First::<TensorHeader, MOST_PARTS>::deserialize(input).map(|First(tensors)| tensors)
}

/// A trace context of the W3C's form, or none: <https://www.w3.org/TR/trace-context/#traceparent-header-field-values>.
/// Whoever sends another one has no fault but a broken trace, for which no request is refused.
pub(super) fn traceparent<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    struct Context;
    impl<'de> Visitor<'de> for Context {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a trace context")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(is_traceparent(text).then(|| text.to_owned()))
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(None)
        }
    }
    input.deserialize_any(Context)
}

/// `VERSION-TRACE-PARENT-FLAGS`, 55 characters; version 00, the only one there is.
fn is_traceparent(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(5, '-').collect();
    let [version, trace, parent, flags] = fields[..] else { return false };
    let is_hex =
        |field: &str, length: usize| field.len() == length && field.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |field: &str| field.bytes().all(|b| b == b'0');
    version == "00" && is_hex(trace, 32) && !is_zero(trace) && is_hex(parent, 16) && !is_zero(parent) && is_hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::super::frame::MOST_PARTS;
    use super::super::{ClientMessage, Infer, MODELS, RANK, Source};

    fn infer(field: &str) -> Infer {
        let text = format!(r#"{{"type":"infer","id":1,"source":{{"image":{{}}}},{field}}}"#);
        match ClientMessage::parse(text.as_bytes()) {
            Ok(ClientMessage::Infer(infer)) => infer,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_trace_context_is_valid_or_none() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(infer(&format!(r#""traceparent":"{valid}""#)).traceparent.as_deref(), Some(valid));
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        let long = "a".repeat(60_000);
        let upper = valid.to_uppercase();
        let words = [
            "",
            "x",
            "00",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            &zero_trace,
            &zero_parent,
            &long,
            &upper,
            &valid[1..],
            &format!("{valid}-"),
            &valid.replace("4bf9", "4bfg"),
            &valid.replace("4bf9", "\u{e9}f9"),
        ]
        .map(|word| format!("\"{word}\""));
        let others = ["null", "true", "7", "-7", "7.5", "[1,[2]]", r#"{"a":{"b":1}}"#].map(str::to_owned);
        for value in words.into_iter().chain(others) {
            assert_eq!(infer(&format!(r#""traceparent":{value}"#)).traceparent, None, "{value}");
        }
    }

    #[test]
    fn of_too_many_lengths_and_tensors_one_more_than_the_most_is_read() {
        let tensor = |lengths: usize| format!(r#"{{"name":"","datatype":"","shape":[{}]}}"#, vec!["0"; lengths].join(","));
        let tensors = |tensors: &[String]| {
            let text = format!(r#"{{"type":"infer","id":1,"source":{{"tensors":[{}]}}}}"#, tensors.join(","));
            match ClientMessage::parse(text.as_bytes()) {
                Ok(ClientMessage::Infer(Infer { source: Source::Tensors(tensors), .. })) => tensors,
                other => panic!("{text}: {other:?}"),
            }
        };
        for (lengths, read) in [(0, 0), (RANK, RANK), (RANK + 1, RANK + 1), (30_000, RANK + 1)] {
            assert_eq!(tensors(&[tensor(lengths)])[0].shape.len(), read);
        }
        assert_eq!(tensors(&vec![tensor(0); MOST_PARTS + 300]).len(), MOST_PARTS + 1);
    }

    #[test]
    fn of_too_many_models_one_more_than_the_most_is_read() {
        for (count, read) in [(1, 1), (MODELS, MODELS), (MODELS + 1, MODELS + 1), (20_000, MODELS + 1)] {
            let names = vec!["\"\""; count].join(",");
            assert_eq!(infer(&format!(r#""models":[{names}]"#)).models.map(|models| models.len()), Some(read));
        }
        assert_eq!(infer(r#""models":null"#).models, None);
        assert_eq!(infer(r#""models":[]"#).models, Some(vec![]));
    }
}
