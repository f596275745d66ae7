//! The report on standard output.

use std::fmt;

use crate::account::Balance;
use crate::receiver::Costs;

/// All rounds of one of the two ways to store datagrams.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<(Balance, Costs)>,
}

impl Way {
    pub(crate) fn total(&self) -> Balance {
        let mut total = Balance::default();
        self.rounds.iter().for_each(|(balance, _)| total.add(balance));
        total
    }

    /// Returns the median over the rounds.
    fn median(&self, of: impl Fn(&Balance, &Costs) -> f64) -> f64 {
        let mut values: Vec<_> = self.rounds.iter().map(|(balance, costs)| of(balance, costs)).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

pub(crate) struct Report<'w>(pub(crate) &'w [Way]);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for way in self.0 {
            let Balance { sent, received, refused, lost, dropped, .. } = way.total();
            let batches: u64 = way.rounds.iter().map(|(_, costs)| costs.batches).sum();
            writeln!(f, "{}", way.name)?;
            writeln!(f, "  {}", Bar { sent, received, refused })?;
            write!(f, "  {sent} sent = {received} received + {refused} refused + {lost} lost by the kernel")?;
            match dropped {
                Some(dropped) => writeln!(f, " (which reports {dropped}); {batches} batches")?,
                None => writeln!(f, "; {batches} batches")?,
            }
        }
        writeln!(f, "  █ received  ▒ refused  · lost\n")?;
        writeln!(
            f,
            "{:<24}{:>14}{:>18}{:>18}",
            "medians over the rounds", "received/s", "allocating one", "freeing one"
        )?;
        for way in self.0 {
            let rate = way.median(|balance, costs| balance.received as f64 / costs.time.as_secs_f64());
            let each =
                |time: fn(&Costs) -> f64| way.median(|balance, costs| time(costs) * 1e9 / balance.received as f64);
            let room = format!("{:.1} ns", each(|costs| costs.room.as_secs_f64()));
            let release = format!("{:.1} ns", each(|costs| costs.release.as_secs_f64()));
            writeln!(f, "{:<24}{rate:>14.0}{room:>18}{release:>18}", way.name)?;
        }
        Ok(())
    }
}

/// A bar of 72 characters that shows what happened to the datagrams.
struct Bar {
    sent: u64,
    received: u64,
    refused: u64,
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |count: u64| (72 * count / self.sent.max(1)).min(72) as usize;
        let (received, came) = (end(self.received), end(self.received + self.refused));
        write!(f, "{}{}{}", "█".repeat(received), "▒".repeat(came - received), "·".repeat(72 - came))
    }
}
