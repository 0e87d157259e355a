//! One inference of a model that was just loaded: READY says that it is there, not that it works.

use crate::triton::{Datatype, Inference, Input, TensorMetadata, Triton};

/// Larger inputs than this are not made up.
const ELEMENTS: i64 = 64 << 20;

/// What a length is taken for where the model takes any: an image's side.
const ANY: i64 = 224;

/// Runs a model once on made-up inputs.
pub(super) async fn run(triton: &Triton, model: &str) -> Result<(), String> {
    let metadata = triton.metadata(model).await.map_err(|e| e.to_string())?;
    let inputs = metadata.inputs.iter().map(made_up).collect::<Result<_, _>>()?;
    let answer = triton.infer(model, inputs).await.map_err(|e| e.to_string())?;
    check(&answer)
}

fn made_up(input: &TensorMetadata) -> Result<Input, String> {
    let concrete = |(i, &n): (usize, &i64)| match (i, n) {
        (0, ..=-1) => 1,
        (_, ..=-1) => ANY,
        _ => n,
    };
    let shape: Vec<i64> = input.shape.iter().enumerate().map(concrete).collect();
    let count = shape.iter().try_fold(1i64, |all, n| all.checked_mul(*n)).filter(|n| *n <= ELEMENTS);
    let count = count.and_then(|n| usize::try_from(n).ok());
    let count = count.ok_or_else(|| format!("the input {} is too large to be made up: {shape:?}", input.name))?;
    Ok(Input { name: input.name.clone(), datatype: input.datatype, shape, data: elements(input.datatype, count).into() })
}

/// Greys between 0 and 1 for numbers with a point; zeros (for BYTES: empty strings) for everything else, which may be
/// indices.
fn elements(datatype: Datatype, count: usize) -> Vec<u8> {
    let grey = |i: usize| (i * 37 % 256) as f32 / 255.0;
    match datatype {
        Datatype::Fp32 => (0..count).flat_map(|i| grey(i).to_le_bytes()).collect(),
        Datatype::Fp64 => (0..count).flat_map(|i| f64::from(grey(i)).to_le_bytes()).collect(),
        // 0.5 in each.
        Datatype::Fp16 => [0x00, 0x38].repeat(count),
        Datatype::Bf16 => [0x00, 0x3f].repeat(count),
        other => vec![0; count * other.size().unwrap_or(4)],
    }
}

/// Every number must be one.
fn check(answer: &Inference) -> Result<(), String> {
    for output in &answer.outputs {
        let data = &output.data[..];
        let finite = match output.datatype {
            Datatype::Fp32 => data.chunks_exact(4).all(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite()),
            Datatype::Fp64 => data.chunks_exact(8).all(|b| b[7] & 0x7f != 0x7f || b[6] & 0xf0 != 0xf0),
            Datatype::Fp16 => data.chunks_exact(2).all(|b| b[1] & 0x7c != 0x7c),
            Datatype::Bf16 => data.chunks_exact(2).all(|b| b[1] & 0x7f != 0x7f || b[0] & 0x80 != 0x80),
            _ => true,
        };
        if !finite {
            return Err(format!("the output {} holds values that are not finite", output.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triton::Tensor;

    fn output(datatype: Datatype, data: Vec<u8>) -> Inference {
        let shape = vec![1];
        let tensor = Tensor { name: "y".to_owned(), datatype, shape, data: data.into() };
        Inference { version: "1".to_owned(), outputs: vec![tensor] }
    }

    #[test]
    fn an_answer_that_is_not_finite_is_refused() {
        let bad = [
            (Datatype::Fp32, f32::NAN.to_le_bytes().to_vec()),
            (Datatype::Fp32, f32::NEG_INFINITY.to_le_bytes().to_vec()),
            (Datatype::Fp64, f64::INFINITY.to_le_bytes().to_vec()),
            (Datatype::Fp16, vec![0x00, 0xfc]),
            (Datatype::Bf16, vec![0x80, 0x7f]),
        ];
        for (datatype, data) in bad {
            assert!(check(&output(datatype, data)).is_err(), "{datatype}");
        }
        assert!(check(&output(Datatype::Fp32, 3f32.to_le_bytes().to_vec())).is_ok());
        assert!(check(&output(Datatype::Fp64, f64::MAX.to_le_bytes().to_vec())).is_ok());
        assert!(check(&output(Datatype::Bf16, vec![0x7f, 0x7f])).is_ok());
    }

    #[test]
    fn inputs_are_made_up_for_lengths_that_are_open() {
        let input = TensorMetadata { name: "x".to_owned(), datatype: Datatype::Fp32, shape: vec![-1, 3, -1, 224] };
        let tensor = made_up(&input).unwrap();
        assert_eq!(tensor.shape, [1, 3, 224, 224]);
        assert_eq!(tensor.data.len(), 3 * 224 * 224 * 4);
    }
}
