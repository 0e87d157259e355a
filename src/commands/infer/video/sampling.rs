//! Which frames of a video are asked for.

use std::fmt;

use crate::error::Error;

/// Frames a second: no camera makes more.
const MOST: f64 = 1000.0;

/// What it goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sampling {
    /// Frames 0, N, 2N and so on, in the order of presentation.
    Every(u32),
    /// So many a second: of each such part of the time since the first frame, the first frame that lies in it. A
    /// video with fewer frames a second gives each of them.
    Fps(f64),
}

impl Sampling {
    /// From the command line.
    ///
    /// # Errors
    /// A rate that cannot be used.
    pub(crate) fn new(every: u32, fps: Option<f64>) -> Result<Self, Error> {
        match fps {
            None => Ok(Self::Every(every.max(1))),
            Some(fps) if fps > 0.0 && fps <= MOST => Ok(Self::Fps(fps)),
            Some(fps) => {
                let next = format!("name frames a second: a number above 0, at most {MOST}");
                Err(Error::usage(format!("--fps {fps} cannot be"), next))
            }
        }
    }

    /// The expression of ffmpeg's `select` filter. Times in it are exact to a microsecond, which must not make a frame
    /// that begins with a part fall into the part before.
    pub(super) fn expression(self) -> String {
        match self {
            Self::Every(every) => format!("not(mod(n\\,{every}))"),
            Self::Fps(fps) => {
                let part = |time: &str| format!("floor(({time}-start_t)*{fps}+1e-5)");
                format!("if(isnan(prev_selected_t)\\,1\\,gt({}\\,{}))", part("t"), part("prev_selected_t"))
            }
        }
    }

    /// How many frames that will be, of a video with so many frames over so many seconds.
    pub(crate) fn expect(self, frames: Option<u64>, seconds: Option<f64>) -> Option<u64> {
        match self {
            Self::Every(every) => frames.map(|frames| frames.div_ceil(u64::from(every))),
            Self::Fps(fps) => {
                let by_time = seconds.map(|seconds| (seconds * fps).ceil().max(1.0) as u64);
                by_time.map(|by_time| frames.map_or(by_time, |frames| frames.min(by_time)))
            }
        }
    }
}

impl fmt::Display for Sampling {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(every) => write!(to, "every {every}"),
            Self::Fps(fps) => write!(to, "fps {fps}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_cannot_be_is_refused() {
        for fps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(Sampling::new(30, Some(fps)).is_err(), "{fps}");
        }
        assert_eq!(Sampling::new(30, None).unwrap().to_string(), "every 30");
        assert_eq!(Sampling::new(30, Some(0.5)).unwrap().to_string(), "fps 0.5");
    }

    #[test]
    fn as_many_frames_are_expected_as_will_be_sampled() {
        let every = Sampling::Every(30);
        assert_eq!(
            [Some(0), Some(1), Some(30), Some(31), None].map(|n| every.expect(n, Some(9.0))),
            [Some(0), Some(1), Some(1), Some(2), None]
        );
        let fps = Sampling::Fps(2.0);
        assert_eq!(fps.expect(Some(300), Some(10.0)), Some(20));
        assert_eq!(fps.expect(Some(7), Some(10.0)), Some(7));
        assert_eq!(fps.expect(Some(7), None), None);
    }
}
