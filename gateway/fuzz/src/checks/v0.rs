use serde_json::Value;
use tritondeploy_wire::v0::{self, Answer, Invalid, Request};

/// A request of protocol v0 is JSON, has the bytes that it says, and survives being written.
///
/// # Panics
/// When it does not hold.
pub fn v0(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let request = Request::parse(text);
    if let Err(Invalid::Json { what, at }) = &request {
        // What another reader takes is JSON.
        assert!(serde_json::from_str::<Value>(text).is_err(), "refused as no JSON: {what} at {at}");
        assert!(*at <= text.len());
    }
    if let Ok(request) = request {
        if let Request::Tensors { inputs, .. } = &request {
            for input in inputs {
                let elements = input.shape.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?));
                let elements = elements.expect("a shape that was taken has a size");
                let size = input.datatype.size();
                assert!(size.is_none_or(|size| elements * size == input.data.len()), "{input:?}");
            }
            // Written as an answer it can be, too.
            if let Ok(answer) = v0::flat(inputs.iter().map(v0::Tensor::view)) {
                let read = Answer::parse(&answer).expect("our own answer is read");
                assert!(matches!(&read, Answer::Model(outputs) if outputs.len() == inputs.len()), "{read:?}");
            }
        }
        if let Ok(again) = request.to_json() {
            assert_eq!(Request::parse(&again).as_ref(), Ok(&request), "written as {again}");
        }
    }
    drop(Answer::parse(text));
    assert!(serde_json::from_str::<Value>(&v0::error(text)).is_ok());
}
