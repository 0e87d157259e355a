//! How an image fits a model's input.

use tritondeploy_wire::Datatype;

use crate::image::{Layout, SIDE};
use crate::triton::Metadata;

/// The one input of a model that takes an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The input's name.
    pub name: String,
    /// FP32, FP16 or UINT8.
    pub datatype: Datatype,
    /// All lengths, with a batch of one where the model has batches.
    pub shape: Vec<i64>,
    /// Where the channels are.
    pub layout: Layout,
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
}

impl Fit {
    /// How an image fits this model. Where the model takes any size, it gets 224 x 224.
    ///
    /// # Errors
    /// When the model takes something else: what.
    pub fn of(metadata: &Metadata) -> Result<Self, String> {
        let [input] = metadata.inputs.as_slice() else {
            return Err(format!("it has {} inputs", metadata.inputs.len()));
        };
        let no_image = || format!("its input {} is {} {:?}, which is no image", input.name, input.datatype, input.shape);
        if !matches!(input.datatype, Datatype::Fp32 | Datatype::Fp16 | Datatype::Uint8) {
            return Err(no_image());
        }
        let (batch, dims) = match input.shape.as_slice() {
            [batch, rest @ ..] if rest.len() == 3 && matches!(batch, -1 | 1) => (true, rest),
            rest if rest.len() == 3 => (false, rest),
            _ => return Err(no_image()),
        };
        let (layout, height, width) = match *dims {
            [3, height, width] => (Layout::Chw, height, width),
            [height, width, 3] => (Layout::Hwc, height, width),
            _ => return Err(no_image()),
        };
        let length = |length: i64| match length {
            -1 => Ok(SIDE),
            // Larger than any vision model's input, smaller than what would be a danger.
            1..=8192 => Ok(length as usize),
            _ => Err(no_image()),
        };
        let (width, height) = (length(width)?, length(height)?);
        let (w, h) = (width as i64, height as i64);
        let dims = match layout {
            Layout::Chw => [3, h, w],
            Layout::Hwc => [h, w, 3],
        };
        let shape = batch.then_some(1).into_iter().chain(dims).collect();
        Ok(Self { name: input.name.clone(), datatype: input.datatype, shape, layout, width, height })
    }

    /// The tensor's length.
    #[must_use]
    pub fn bytes(&self) -> usize {
        3 * self.width * self.height * self.datatype.size().unwrap_or(1)
    }

    /// Whether the same bytes fit both.
    #[must_use]
    pub fn is_same_tensor(&self, other: &Self) -> bool {
        (self.datatype, self.layout, self.width, self.height) == (other.datatype, other.layout, other.width, other.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triton::TensorMetadata;

    fn fit(datatype: Datatype, shape: &[i64]) -> Result<Fit, String> {
        let input = TensorMetadata { name: "x".into(), datatype, shape: shape.to_vec() };
        Fit::of(&Metadata { name: "m".into(), versions: vec![], platform: String::new(), inputs: vec![input], outputs: vec![] })
    }

    #[test]
    fn an_image_fits_with_any_batch_dimension_or_none() {
        for (given, wanted) in [
            (vec![1, 3, 224, 224], vec![1, 3, 224, 224]),
            (vec![-1, 3, 224, 224], vec![1, 3, 224, 224]),
            (vec![-1, 3, -1, -1], vec![1, 3, 224, 224]),
            (vec![3, 224, 224], vec![3, 224, 224]),
            (vec![-1, 299, 331, 3], vec![1, 299, 331, 3]),
        ] {
            assert_eq!(fit(Datatype::Fp32, &given).map(|fit| fit.shape), Ok(wanted));
        }
        for given in [vec![-1, 4, 224, 224], vec![2, 3, 224, 224], vec![3], vec![3, 0, 5], vec![3, 1 << 20, 1 << 20]] {
            assert!(fit(Datatype::Fp32, &given).is_err(), "{given:?}");
        }
        assert!(fit(Datatype::Int64, &[1, 3, 224, 224]).is_err());
    }

    #[test]
    fn size_and_layout_come_from_the_model() {
        let fit = fit(Datatype::Uint8, &[-1, 299, 331, 3]).unwrap();
        assert_eq!((fit.layout, fit.width, fit.height, fit.bytes()), (Layout::Hwc, 331, 299, 3 * 331 * 299));
    }
}
