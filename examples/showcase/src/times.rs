//! The durations of a repeated task.

use std::time::{Duration, Instant};

/// The duration of each repetition.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Calls `work`, and records its duration.
    pub fn clock<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.push(start.elapsed());
        result
    }

    /// Records a duration that was measured elsewhere.
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// Returns the median, or zero if there is no duration. Of two middle durations, the longer one
    /// counts.
    pub fn median(&self) -> Duration {
        let mut times = self.0.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let mut times = Times::default();
        assert_eq!(times.median(), Duration::ZERO);
        [5, 1, 9].into_iter().for_each(|seconds| times.push(Duration::from_secs(seconds)));
        assert_eq!(times.median(), Duration::from_secs(5));
    }
}
