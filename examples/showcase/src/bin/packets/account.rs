//! An account of all datagrams.

use std::fmt;

use crate::telemetry::{self, MOST_BYTES, Telemetry};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It was never received.
    Lost,
    Received,
    Refused,
}

/// The account that the receiver keeps.
#[derive(Debug)]
pub(crate) struct Account {
    /// The state of each datagram, by number.
    fates: Vec<Fate>,
    received: u64,
    refused: u64,
    damaged: u64,
    /// The number of datagrams that came a second time, or whose number is too large.
    strange: u64,
    /// The sum of all readings.
    sum: i64,
}

impl Account {
    pub(crate) fn new(count: u64) -> Self {
        Account { fates: vec![Fate::Lost; count as usize], received: 0, refused: 0, damaged: 0, strange: 0, sum: 0 }
    }

    pub(crate) fn received(&mut self, telemetry: Telemetry<'_>) {
        self.received += 1;
        self.sum += telemetry.readings().map(i64::from).sum::<i64>();
        self.note(telemetry.number, Fate::Received);
    }

    /// Records a datagram for which there was no room. `None` is a damaged one.
    pub(crate) fn refused(&mut self, telemetry: Option<Telemetry<'_>>) {
        match telemetry {
            Some(telemetry) => {
                self.refused += 1;
                self.note(telemetry.number, Fate::Refused);
            }
            None => self.damaged += 1,
        }
    }

    pub(crate) fn damaged(&mut self, count: u64) {
        self.damaged += count;
    }

    fn note(&mut self, number: u64, fate: Fate) {
        match self.fates.get_mut(number as usize) {
            Some(known @ Fate::Lost) => *known = fate,
            _ => self.strange += 1,
        }
    }

    /// Closes the account: `sent` datagrams were sent, and the kernel reports that it dropped
    /// `dropped`.
    pub(crate) fn close(&self, sent: u64, dropped: Option<u64>) -> Balance {
        let numbers = || (0..sent).zip(&self.fates);
        let lost = numbers().filter(|(_, fate)| **fate == Fate::Lost).count() as u64;
        // Numbers from `sent` on were never sent, so a datagram that was received with one of them
        // is strange.
        let strange =
            self.strange + self.fates.iter().skip(sent as usize).filter(|fate| **fate != Fate::Lost).count() as u64;
        let mut buffer = [0; MOST_BYTES];
        let of_received = numbers().filter(|(_, fate)| **fate == Fate::Received);
        let expected = of_received.map(|(number, _)| {
            let telemetry =
                Telemetry::parse(telemetry::datagram(number, &mut buffer)).expect("our own datagram is valid");
            telemetry.readings().map(i64::from).sum::<i64>()
        });
        let wrong_sum = expected.sum::<i64>() != self.sum;
        let &Account { received, refused, damaged, .. } = self;
        Balance { sent, received, refused, lost, dropped, damaged, strange, wrong_sum }
    }
}

/// A closed account, or several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Received when there was no room.
    pub(crate) refused: u64,
    /// Never received.
    pub(crate) lost: u64,
    /// The number of datagrams that the kernel has dropped because they were not fetched in time,
    /// if the kernel reports it.
    pub(crate) dropped: Option<u64>,
    damaged: u64,
    strange: u64,
    wrong_sum: bool,
}

impl Balance {
    pub(crate) fn add(&mut self, other: &Balance) {
        self.sent += other.sent;
        self.received += other.received;
        self.refused += other.refused;
        self.lost += other.lost;
        self.damaged += other.damaged;
        self.strange += other.strange;
        self.wrong_sum |= other.wrong_sum;
        self.dropped = self.dropped.into_iter().chain(other.dropped).reduce(|one, other| one + other);
    }

    /// Returns an error if the counts do not add up to the number sent, if a datagram is wrong, if
    /// none was received, or if the kernel reports more dropped datagrams than were lost.
    pub(crate) fn check(&self) -> Result<(), Unbalanced> {
        let known = self.received + self.refused + self.lost;
        let wrong = self.damaged > 0 || self.strange > 0 || self.wrong_sum;
        // Datagrams may also be lost without being counted in `dropped`, but each dropped one was
        // lost.
        let impossible = self.dropped.is_some_and(|dropped| dropped > self.lost);
        if known == self.sent && self.received > 0 && !wrong && !impossible {
            Ok(())
        } else {
            Err(Unbalanced(self.clone()))
        }
    }
}

/// An account that does not add up.
#[derive(Debug)]
pub(crate) struct Unbalanced(Balance);

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Balance { sent, received, refused, lost, dropped, damaged, strange, wrong_sum } = &self.0;
        write!(
            f,
            "the account does not add up: {sent} sent, {received} received, {refused} refused, {lost} lost, \
             {damaged} damaged, {strange} more than once or never sent"
        )?;
        if let Some(dropped) = dropped {
            write!(f, ", {dropped} dropped by the kernel")?;
        }
        if *wrong_sum { write!(f, "; the readings are not those that were sent") } else { Ok(()) }
    }
}
