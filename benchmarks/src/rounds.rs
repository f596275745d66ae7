//! Rounds and their results. In each round every subject has one turn, in a new order.

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::subject::{Kind, Pages};

/// The results of one subject under one set of circumstances.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub group: Group,
    pub what: String,
    pub threads: usize,
    pub pages: Option<Pages>,
    pub subject: String,
    pub kind: Kind,
    pub unit: &'static str,
    pub median: f64,
    pub min: f64,
    /// One sample per round, in the order of the rounds.
    pub samples: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Single values.
    Fill,
    /// Slices of 1,000, and calls that fill a whole arena.
    Bulk,
    /// Strings, short slices and reservations. Also arenas in bytes and small arenas.
    Runs,
    /// Vacant slots, and calls that ask whether slots are free.
    Vacant,
    /// Bump allocators: numbers, strings, and vectors that grow.
    Bump,
    /// Reading by index and from end to end, alone and beside a thread that publishes.
    Read,
    /// A request to a full arena.
    Refusal,
    /// `reset` of a small and of a large arena.
    Reset,
    /// Construction and drop, in fresh processes.
    Construct,
    /// Resident memory, in fresh processes.
    Memory,
}

impl Group {
    /// Returns whether the group has turns that run the generic timed loop (`turn.rs`).
    pub fn fills(self) -> bool {
        matches!(self, Self::Fill | Self::Bulk | Self::Runs | Self::Vacant | Self::Bump)
    }
}

/// The circumstances of a table or a chart, whose rows are comparable.
#[derive(Clone, Debug)]
pub struct Circumstances {
    pub group: Group,
    pub what: String,
    pub threads: usize,
    pub pages: Option<Pages>,
    pub unit: &'static str,
}

/// A generator of numbers that must differ, but need not be unpredictable (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            order.swap(last, (self.roll() % (last as u64 + 1)) as usize);
        }
    }
}

/// Gives each of the named subjects one turn per round.
///
/// `turn` receives the number of the subject and a new seed.
pub fn interleave(
    circumstances: &Circumstances,
    subjects: &[(&str, Kind)],
    rounds: usize,
    dice: &mut Dice,
    progress: &ProgressBar,
    mut turn: impl FnMut(usize, u64) -> Result<f64>,
) -> Result<Vec<Row>> {
    progress.set_message(circumstances.what.clone());
    let mut samples = vec![Vec::with_capacity(rounds); subjects.len()];
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    for _ in 0..rounds {
        dice.shuffle(&mut order);
        for &subject in &order {
            // The seed is odd and thus not zero, so that zeroed memory is not taken for a value.
            let seed = (dice.roll() >> 16) | 1;
            let nanos = turn(subject, seed)
                .with_context(|| format!("measuring {} ({})", subjects[subject].0, circumstances.what))?;
            samples[subject].push(nanos);
            progress.inc(1);
        }
    }
    Ok(subjects
        .iter()
        .zip(samples)
        .map(|(&(subject, kind), samples)| circumstances.row(subject, kind, samples))
        .collect())
}

impl Circumstances {
    pub fn row(&self, subject: &str, kind: Kind, samples: Vec<f64>) -> Row {
        Row {
            group: self.group,
            what: self.what.clone(),
            threads: self.threads,
            pages: self.pages,
            subject: subject.to_owned(),
            kind,
            unit: self.unit,
            median: median(&samples),
            min: samples.iter().copied().fold(f64::INFINITY, f64::min),
            samples,
        }
    }
}

/// Returns the median: the mean of the two middle values if the number of values is even, and NaN
/// if there is no value.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn every_subject_has_one_turn_in_every_round() {
        let circumstances =
            Circumstances { group: Group::Fill, what: "a test".to_owned(), threads: 1, pages: None, unit: "turns" };
        let subjects = [("a", Kind::Ours), ("b", Kind::Peer), ("c", Kind::Limit)];
        let mut turns = [0; 3];
        let rows = interleave(&circumstances, &subjects, 5, &mut Dice(1), &ProgressBar::hidden(), |subject, _| {
            turns[subject] += 1;
            Ok(subject as f64)
        })
        .unwrap();
        assert_eq!(turns, [5; 3]);
        assert_eq!(rows[2].samples, [2.0; 5]);
    }
}
