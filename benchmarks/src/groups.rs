//! The measurements, group by group.

use anyhow::{Context, Result};
use indicatif::ProgressBar;

use crate::{
    memory,
    probe::{CONSTRUCTED, Construction, ask},
    reading::{How, Reading},
    rounds::{Circumstances, Dice, Group, Row, interleave},
    settings::Settings,
    single,
    subject::{Kind, Pages, Plan},
    subjects::{
        Entrant, What,
        readers::{Reader, readers},
    },
    work::{Element, Line},
};

/// Runs every selected group.
pub struct Runner<'a> {
    pub settings: &'a Settings,
    pub progress: &'a ProgressBar,
    pub dice: Dice,
    pub rows: Vec<Row>,
}

impl Runner<'_> {
    pub fn run(&mut self) -> Result<()> {
        // Measurements in fresh processes come first, while this process is small.
        let settings = self.settings;
        for group in [
            Group::Construct,
            Group::Memory,
            Group::Fill,
            Group::Bulk,
            Group::Runs,
            Group::Vacant,
            Group::Bump,
            Group::Read,
            Group::Refusal,
            Group::Reset,
        ] {
            if !settings.groups.contains(&group) {
                continue;
            }
            match group {
                Group::Construct => self.construct()?,
                Group::Memory => self.memory()?,
                Group::Fill | Group::Bulk | Group::Runs | Group::Bump => self.fill(group)?,
                Group::Vacant => {
                    self.fill(group)?;
                    self.vacant()?;
                }
                Group::Read => {
                    self.read::<u64>()?;
                    self.read::<Line>()?;
                }
                Group::Refusal => self.refusal()?,
                Group::Reset => self.reset()?,
            }
        }
        Ok(())
    }

    /// Returns the length of the progress bar: the number of turns in total. It is too high if
    /// `--subject` excludes readers.
    pub fn turns(settings: &Settings) -> u64 {
        let mut turns = 0;
        let has = |group| settings.groups.contains(&group);
        for &what in &settings.what {
            if has(what.group()) {
                let entrants = what.entrants();
                for &pages in &settings.pages {
                    let takers = entrants.iter().filter(|one| takes_part(settings, one, pages));
                    turns += takers.count() * settings.threads.len() * (settings.rounds + 1);
                }
            }
        }
        if has(Group::Vacant) {
            turns += single::VACANT.iter().map(|table| table.subjects.len()).sum::<usize>() * settings.slow_rounds;
        }
        if has(Group::Read) {
            turns += readings(settings).len() * 2 * readers::<u64>().len() * settings.rounds;
        }
        if has(Group::Refusal) {
            turns += single::REFUSAL.len() * settings.rounds;
        }
        if has(Group::Reset) {
            turns += single::RESET.len() * settings.reset.len() * settings.slow_rounds;
        }
        if has(Group::Construct) {
            turns += CONSTRUCTED.len() * settings.slow_rounds;
        }
        if has(Group::Memory) {
            turns += What::U64.entrants().len() + What::Line.entrants().len();
        }
        turns as u64
    }

    fn fill(&mut self, group: Group) -> Result<()> {
        let settings = self.settings;
        for what in settings.what.iter().copied().filter(|what| what.group() == group) {
            for &threads in &settings.threads {
                for &pages in &settings.pages {
                    self.fill_as(what, threads, pages)?;
                }
            }
        }
        Ok(())
    }

    fn fill_as(&mut self, what: What, threads: usize, pages: Pages) -> Result<()> {
        memory::prepare(pages);
        let (puts, size) = what.puts(self.settings.elements / threads);
        let plan = Plan { puts, size, threads, pages };
        let mut entrants = what.entrants();
        entrants.retain(|entrant| takes_part(self.settings, entrant, pages));

        let circumstances = Circumstances {
            group: what.group(),
            what: what.label().to_owned(),
            threads,
            pages: Some(pages),
            unit: what.unit(),
        };
        let names: Vec<_> = entrants.iter().map(|entrant| (entrant.name, entrant.kind)).collect();
        // The first turn does not count. It checks every single place, and touches the pages that
        // the warm turns use.
        interleave(&circumstances, &names, 1, &mut self.dice, self.progress, |entrant, seed| {
            (entrants[entrant].turn)(&plan, seed, true)
        })?;
        let rounds = self.settings.rounds;
        let rows = interleave(&circumstances, &names, rounds, &mut self.dice, self.progress, |entrant, seed| {
            Ok((entrants[entrant].turn)(&plan, seed, false)? * what.elements_per_unit(size))
        })?;
        self.rows.extend(rows);
        Ok(())
    }

    fn read<T: Element + Copy>(&mut self) -> Result<()> {
        memory::prepare(Pages::Warm);
        let mut subjects = readers::<T>();
        subjects.retain(|one| self.settings.wants(one.name, one.kind != Kind::Peer));
        for reading in readings(self.settings) {
            self.read_as::<T>(&subjects, &reading)?;
        }
        Ok(())
    }

    fn read_as<T: Element>(&mut self, subjects: &[Reader], reading: &Reading) -> Result<()> {
        let how = match reading.how {
            How::Scattered => "get, scattered",
            How::Walk => "iter, all of it",
        };
        let beside = if reading.publisher { ", beside a publisher" } else { "" };
        let circumstances = Circumstances {
            group: Group::Read,
            what: format!("{how}, {}{beside}", T::LABEL),
            threads: reading.readers,
            pages: None,
            unit: "ns per element",
        };
        let names: Vec<_> = subjects.iter().map(|subject| (subject.name, subject.kind)).collect();
        let rows = interleave(
            &circumstances,
            &names,
            self.settings.rounds,
            &mut self.dice,
            self.progress,
            |subject, seed| (subjects[subject].turn)(reading, seed),
        )?;
        self.rows.extend(rows);
        Ok(())
    }

    /// Runs the measurements of vacant slots that do not use the timed loop of `turn.rs`.
    fn vacant(&mut self) -> Result<()> {
        memory::prepare(Pages::Warm);
        for table in &single::VACANT {
            let circumstances = Circumstances {
                group: Group::Vacant,
                what: table.what.to_owned(),
                threads: table.threads,
                pages: None,
                unit: table.unit,
            };
            let names: Vec<_> = table.subjects.iter().map(|subject| (subject.name, subject.kind)).collect();
            let rows = interleave(
                &circumstances,
                &names,
                self.settings.slow_rounds,
                &mut self.dice,
                self.progress,
                |subject, seed| (table.subjects[subject].turn)(single::VACANT_SLOTS, seed),
            )?;
            self.rows.extend(rows);
        }
        Ok(())
    }

    fn refusal(&mut self) -> Result<()> {
        memory::prepare(Pages::Warm);
        let circumstances = Circumstances {
            group: Group::Refusal,
            what: "alloc of a u64, taken and refused".to_owned(),
            threads: 1,
            pages: Some(Pages::Warm),
            unit: "ns per call",
        };
        let names = single::REFUSAL.map(|subject| (subject.name, subject.kind));
        let slots = self.settings.refused;
        let rows = interleave(
            &circumstances,
            &names,
            self.settings.rounds,
            &mut self.dice,
            self.progress,
            |subject, seed| (single::REFUSAL[subject].turn)(slots, seed),
        )?;
        self.rows.extend(rows);
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        memory::prepare(Pages::Warm);
        for bytes in self.settings.reset {
            let circumstances = Circumstances {
                group: Group::Reset,
                what: format!("reset of {}, filled each time", of_bytes(bytes)),
                threads: 1,
                pages: None,
                unit: "ns",
            };
            let names = single::RESET.map(|subject| (subject.name, subject.kind));
            let rows = interleave(
                &circumstances,
                &names,
                self.settings.slow_rounds,
                &mut self.dice,
                self.progress,
                |subject, seed| (single::RESET[subject].turn)(bytes / size_of::<u64>(), seed),
            )?;
            self.rows.extend(rows);
        }
        Ok(())
    }

    fn construct(&mut self) -> Result<()> {
        let bytes = self.settings.construct_bytes;
        let circumstances = |what: &str, unit| Circumstances {
            group: Group::Construct,
            what: format!("{} of u64 slots, {what}", of_bytes(bytes)),
            threads: 1,
            pages: Some(Pages::Cold),
            unit,
        };
        let names = CONSTRUCTED.map(|subject| (subject.name, subject.kind));
        let mut answers: [Vec<Construction>; CONSTRUCTED.len()] = Default::default();
        let constructing = circumstances("constructing", "µs");
        let rows = interleave(
            &constructing,
            &names,
            self.settings.slow_rounds,
            &mut self.dice,
            self.progress,
            |subject, _| {
                let (number, bytes) = (subject.to_string(), bytes.to_string());
                let answer: Construction = ask(&["construct", &number, &bytes])?;
                let nanos = answer.nanos;
                answers[subject].push(answer);
                Ok(nanos / 1e3)
            },
        )?;
        self.rows.extend(rows);

        type Of = fn(&Construction) -> f64;
        let more: [(&str, &str, Of); 4] = [
            ("pages touched by constructing", "page faults", |answer| answer.faults),
            ("resident after constructing", "bytes", |answer| answer.resident),
            ("dropping it untouched", "µs", |answer| answer.drop_untouched_nanos / 1e3),
            ("dropping it filled", "µs", |answer| answer.drop_filled_nanos / 1e3),
        ];
        for (what, unit, of) in more {
            let circumstances = circumstances(what, unit);
            for ((name, kind), answers) in names.iter().zip(&answers) {
                let samples = answers.iter().map(of).collect();
                self.rows.push(circumstances.row(name, *kind, samples));
            }
        }
        Ok(())
    }

    fn memory(&mut self) -> Result<()> {
        for (what, name) in [(What::U64, "u64"), (What::Line, "line")] {
            let circumstances = Circumstances {
                group: Group::Memory,
                what: format!("resident bytes without the value, {}", what.label()),
                threads: 1,
                pages: Some(Pages::Cold),
                unit: "bytes per element",
            };
            self.progress.set_message(circumstances.what.clone());
            for entrant in what.entrants() {
                self.progress.inc(1);
                if !self.settings.wants(entrant.name, entrant.kind != Kind::Peer) {
                    continue;
                }
                let elements = self.settings.memory_elements.to_string();
                let each: f64 = ask(&["resident", name, entrant.name, &elements])
                    .with_context(|| format!("measuring the memory of {}", entrant.name))?;
                self.rows.push(circumstances.row(entrant.name, entrant.kind, vec![each]));
            }
        }
        Ok(())
    }
}

fn takes_part(settings: &Settings, entrant: &Entrant, pages: Pages) -> bool {
    settings.wants(entrant.name, entrant.kind != Kind::Peer) && (pages != Pages::Reused || entrant.resets)
}

/// Returns the readings. In each of the two ways to read, one reader reads alone. With two or more
/// threads, one reader also reads beside a publisher. With three or more, all threads except the
/// publisher also read beside it.
fn readings(settings: &Settings) -> Vec<Reading> {
    let most = settings.threads.iter().copied().max().unwrap_or(1);
    let mut of_each = vec![(1, false)];
    if most > 1 {
        of_each.push((1, true));
    }
    if most > 2 {
        of_each.push((most - 1, true));
    }
    let len = settings.read;
    [How::Scattered, How::Walk]
        .into_iter()
        .flat_map(|how| of_each.iter().map(move |&(readers, publisher)| Reading { how, len, readers, publisher }))
        .collect()
}

fn of_bytes(bytes: usize) -> String {
    match bytes {
        0x4000_0000 => "1 GiB".to_owned(),
        1_000_000_000 => "1 GB".to_owned(),
        1_000 => "1 KB".to_owned(),
        _ => format!("{bytes} bytes"),
    }
}
