//! The bars: targets for the figures of one run, most of them as ratios between two subjects.

use serde::Serialize;

use crate::{
    rounds::{Group, Row, median},
    single,
    subject::{Kind, Pages},
    subjects::What,
};

#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    pub what: String,
    pub bar: String,
    /// The median over the rounds. For a ratio, the median of the ratios within each round.
    pub measured: f64,
    /// The minimum over the rounds. For a ratio, the ratio of the two minima. Other load on the
    /// machine makes medians worse, but hardly the minima.
    pub of_minima: f64,
    pub unit: &'static str,
    pub limit: f64,
    pub met: bool,
}

/// The two forms of the store loop. A container that hands out one slot after another cannot store
/// several values with one instruction, but a plain loop can.
const STORE_LOOPS: [&str; 2] = ["a store loop, one by one", "a store loop"];

/// Returns every bar for which there are enough rows.
pub fn bars(rows: &[Row]) -> Vec<Bar> {
    let mut bars = Bars { rows: Rows(rows), bars: Vec::new() };
    bars.filling();
    bars.bulk();
    bars.runs();
    bars.vacant();
    bars.bump();
    bars.reading();
    bars.once();
    bars.fresh();
    bars.bars
}

#[derive(Clone, Copy)]
struct Rows<'a>(&'a [Row]);

impl<'a> Rows<'a> {
    fn of(self, group: Group, subject: &str) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |row| row.group == group && row.subject == subject)
    }

    /// Returns the row of a subject that stored values in warm pages.
    fn put(self, what: What, threads: usize, subject: &str) -> Option<&'a Row> {
        self.0.iter().find(|row| {
            row.group.fills()
                && row.what == what.label()
                && row.threads == threads
                && row.pages == Some(Pages::Warm)
                && row.subject == subject
        })
    }

    /// Returns the row of the fastest peer in the table that contains this row.
    fn best_peer(self, beside: &Row) -> Option<&'a Row> {
        self.0
            .iter()
            .filter(|row| {
                row.kind == Kind::Peer
                    && row.group == beside.group
                    && row.what == beside.what
                    && row.threads == beside.threads
                    && row.pages == beside.pages
            })
            .min_by(|a, b| a.median.total_cmp(&b.median))
    }
}

struct Bars<'a> {
    rows: Rows<'a>,
    bars: Vec<Bar>,
}

impl Bars<'_> {
    fn number(&mut self, what: &str, row: Option<&Row>, limit: f64) {
        let Some(row) = row else { return };
        self.bars.push(Bar {
            what: what.to_owned(),
            bar: format!("at most {limit} {}", row.unit),
            measured: row.median,
            of_minima: row.min,
            unit: row.unit,
            limit,
            met: row.median <= limit,
        });
    }

    fn ratio(&mut self, what: &str, row: Option<&Row>, to: Option<&Row>, limit: f64) {
        self.ratio_to(what, row, to, limit, "");
    }

    /// Adds a bar for a ratio. `how` describes how `to` was measured, if that differs from `row`.
    fn ratio_to(&mut self, what: &str, row: Option<&Row>, to: Option<&Row>, limit: f64, how: &str) {
        let (Some(row), Some(to)) = (row, to) else { return };
        let ratios: Vec<f64> = row.samples.iter().zip(&to.samples).map(|(a, b)| a / b).collect();
        let measured = median(&ratios);
        self.bars.push(Bar {
            what: what.to_owned(),
            bar: format!("at most {} × {} {how}", (limit * 1e3).round() / 1e3, to.subject).trim_end().to_owned(),
            measured,
            of_minima: row.min / to.min,
            unit: "×",
            limit,
            met: measured <= limit,
        });
    }

    fn filling(&mut self) {
        let rows = self.rows;
        let one = |what, subject| rows.put(what, 1, subject);

        let (local, push) = (one(What::U64, "Local::alloc"), one(What::U64, "Vec::push"));
        self.ratio("Local::alloc, 1 thread, 8 bytes", local, push, 0.6);
        for limit in STORE_LOOPS {
            self.ratio("Local::alloc, 1 thread, 8 bytes", local, one(What::U64, limit), 1.25);
        }
        let (line, line_push) = (one(What::Line, "Local::alloc"), one(What::Line, "Vec::push"));
        self.ratio("Local::alloc, 1 thread, 64 bytes", line, line_push, 0.95);
        let publish = one(What::U64, "Local::publish");
        self.ratio("Local::publish, 1 thread, 8 bytes", publish, push, 1.2);

        for (what, bytes) in [(What::U64, 8), (What::Line, 64)] {
            let name = format!("Local::alloc, 2 threads, {bytes} bytes");
            let local = rows.put(what, 2, "Local::alloc");
            self.ratio(&name, local, local.and_then(|local| rows.best_peer(local)), 1.0);
            for limit in STORE_LOOPS {
                self.ratio(&name, local, rows.put(what, 2, limit), 1.15);
            }
        }

        let alloc = one(What::U64, "alloc");
        let counter = one(What::U64, "one fetch_add and a store");
        self.ratio("alloc, 1 thread, 8 bytes", alloc, counter, 1.15);
        self.ratio("alloc, 1 thread, 8 bytes", alloc, one(What::U64, "boxcar"), 0.5);

        // With two threads, the arena uses shards.
        let two = |subject| rows.put(What::U64, 2, subject);
        for peer in ["boxcar", "orx-concurrent-bag, fixed"] {
            self.ratio("alloc, 2 threads, 8 bytes", two("alloc"), two(peer), 1.0 / 6.0);
            self.ratio("publish, 2 threads, 8 bytes", two("publish"), two(peer), 1.0 / 5.0);
        }
        self.ratio_to("alloc, 2 threads, 8 bytes", two("alloc"), counter, 0.75, "with 1 thread");
        let in_order = one(What::U64, "alloc, in order");
        self.ratio("alloc, 1 thread, 8 bytes", alloc, in_order, 1.1);
    }

    fn bulk(&mut self) {
        let copy = self.rows.put(What::Slices, 1, "alloc_slice_copy");
        let extend = self.rows.put(What::Slices, 1, "Vec::extend_from_slice");
        self.ratio("alloc_slice_copy of 1,000, 1 thread", copy, extend, 1.1);
    }

    /// Adds a bar for the cost with two threads as a multiple of the cost with one thread.
    fn scaling(&mut self, name: &str, what: What, subject: &str, limit: f64) {
        let of = |threads| self.rows.put(what, threads, subject);
        let (one, two) = (of(1), of(2));
        self.ratio_to(&format!("{name}, 2 threads"), two, one, limit, "with 1 thread");
    }

    fn runs(&mut self) {
        let rows = self.rows;
        let fours = |threads, subject| rows.put(What::Fours, threads, subject);
        let reserved = |threads, subject| rows.put(What::Reserved, threads, subject);
        let (arena, local, mutex) = ("reserve, push, publish", "Local::reserve, push, publish", "Mutex<Vec>::extend");

        let copied = fours(1, "alloc_slice_copy");
        self.ratio("alloc_from_iter of 4, 1 thread", fours(1, "alloc_from_iter"), copied, 1.2);
        self.ratio("reserve(4), push, publish, 1 thread", reserved(1, arena), reserved(1, mutex), 1.0);
        for threads in [1, 2] {
            let name = |call: &str| format!("{call}, {threads} thread{}", if threads == 1 { "" } else { "s" });
            let text = |subject| rows.put(What::Text, threads, subject);
            let four = |subject| fours(threads, subject);
            let herd = "bumpalo-herd";
            self.ratio(&name("Local::alloc_str of 10 bytes"), text("Local::alloc_str"), text(herd), 1.3);
            self.ratio(&name("Local::alloc_slice_copy of 4"), four("Local::alloc_slice_copy"), four(herd), 1.3);
            let from_iter = four("bumpalo-herd, from an iterator");
            self.ratio(&name("Local::alloc_from_iter of 4"), four("Local::alloc_from_iter"), from_iter, 1.3);
            let call = name("Local::reserve(4), push, publish");
            let how = if threads == 1 { "" } else { "with 1 thread" };
            self.ratio_to(&call, reserved(threads, local), reserved(1, mutex), 0.6, how);
        }

        self.scaling("alloc_str of 10 bytes", What::Text, "alloc_str", 0.75);
        self.scaling("alloc_slice_copy of 4", What::Fours, "alloc_slice_copy", 0.75);
        self.scaling("alloc_from_iter of 4", What::Fours, "alloc_from_iter", 0.75);
        self.scaling("reserve(4), push, publish", What::Reserved, arena, 0.75);
        self.ratio("reserve(4), push, publish, 2 threads", reserved(2, arena), reserved(2, mutex), 0.2);
        self.scaling("publish in bytes", What::InBytes, "publish, in_bytes", 0.75);
        self.scaling("publish in 4,096 slots, filled again and again", What::Small, "publish", 1.0);
    }

    fn vacant(&mut self) {
        let rows = self.rows;
        self.scaling("alloc in one run of vacant slots", What::Vacant, "alloc, one run of vacant slots", 2.0);
        self.scaling(
            "alloc in vacant slots between values",
            What::Scattered,
            "alloc, vacant slots between values",
            2.0,
        );
        let of = |subject| rows.of(Group::Vacant, subject).next();
        self.number("a slot returned and reserved, far from the last, in 2^20", of(single::FAR_APART), 1_000.0);
        let asked = |subject| rows.put(What::Asked, 2, subject);
        self.ratio("is_full, then alloc, 2 threads", asked("is_full, then alloc"), asked("alloc"), 4.0);
        self.ratio(single::ONE_SHARD, of(single::ONE_SHARD), of(single::TWO_SHARDS), 1.5);
        for subject in [single::AFTER_BURSTS, single::AFTER_BURST] {
            self.number(&format!("{subject}: slots without a value"), of(subject), 10.0);
        }
    }

    fn bump(&mut self) {
        let rows = self.rows;
        let blink = "blink-alloc, SyncBlinkAlloc";
        let limits = [
            (What::Bump, blink, [0.5, 0.1]),
            (What::Bump, "Mutex<Bump>", [0.6, 0.15]),
            (What::BumpText, blink, [0.55, 0.1]),
        ];
        for (what, peer, limits) in limits {
            for (threads, limit) in [1, 2].into_iter().zip(limits) {
                let of = |subject| rows.put(what, threads, subject);
                let name =
                    format!("AtomicBump, {}, {threads} thread{}", what.label(), if threads == 1 { "" } else { "s" });
                self.ratio(&name, of("AtomicBump"), of(peer), limit);
            }
        }
        let one = |subject| rows.put(What::Bump, 1, subject);
        self.ratio("LocalBump::alloc of a u64, 1 thread", one("LocalBump"), one("bumpalo"), 1.1);
        for threads in [1, 2] {
            for then in ["", ", dropped"] {
                let of = |subject: &str| rows.put(What::BumpVec, threads, &format!("{subject}{then}"));
                let subject = "Vec<u32, &AtomicBump>";
                let name =
                    format!("{subject}, 100 pushes{then}, {threads} thread{}", if threads == 1 { "" } else { "s" });
                self.ratio(&name, of(subject), of("Vec<u32>"), 0.8);
            }
        }
    }

    fn reading(&mut self) {
        let rows = self.rows;
        for row in rows.of(Group::Read, "AtomicArena") {
            let readers = if row.threads == 1 { "1 reader" } else { "many readers" };
            let what = format!("{}, {readers}", row.what);
            self.ratio(&what, Some(row), rows.best_peer(row), 1.0);
        }
    }

    fn once(&mut self) {
        let rows = self.rows;
        let refused = rows.of(Group::Refusal, single::REFUSED).next();
        let taken = rows.of(Group::Refusal, single::TAKEN).next();
        self.ratio("alloc on a full arena, no heap allocation", refused, taken, 1.5);

        for subject in [single::RESET_OWNED, single::RESET_PUBLISHED] {
            let mut sizes = rows.of(Group::Reset, subject);
            let (small, large) = (sizes.next(), sizes.next());
            // A reset takes some ten nanoseconds. The limit is higher, because some clocks have
            // steps of ten.
            self.number(&format!("{subject}, 1 KB"), small, 30.0);
            self.number(&format!("{subject}, 1 GB"), large, 30.0);
        }
    }

    fn fresh(&mut self) {
        let rows = self.rows;
        let of = |group, what: &str, subject: &str| rows.of(group, subject).find(|row| row.what.contains(what));
        let ours = "AtomicArena::with_capacity";
        let time = of(Group::Construct, ", constructing", ours);
        let faults = of(Group::Construct, "pages touched", ours);
        self.number("constructing 1 GiB of slots, fresh process", time, 100.0);
        self.number("constructing 1 GiB of slots, fresh process", faults, 8.0);
        let limits = [("alloc", 0.05), ("Local::alloc", 1.05), ("publish", 1.05), ("Local::publish", 1.05)];
        for (subject, limit) in limits {
            let row = of(Group::Memory, What::U64.label(), subject);
            self.number(&format!("memory beside a u64, {subject}"), row, limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Circumstances;

    fn row(subject: &str, kind: Kind, samples: &[f64]) -> Row {
        let circumstances = Circumstances {
            group: Group::Fill,
            what: What::U64.label().to_owned(),
            threads: 1,
            pages: Some(Pages::Warm),
            unit: "ns per element",
        };
        circumstances.row(subject, kind, samples.to_vec())
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The median of the ratios is not the ratio of the medians, which is 10.
        let rows =
            [row("Local::alloc", Kind::Ours, &[1.0, 20.0, 200.0]), row("Vec::push", Kind::Peer, &[2.0, 40.0, 1.0])];
        let bars = bars(&rows);
        assert_eq!(bars.len(), 1);
        assert_eq!(bars[0].measured, 0.5);
        assert!(bars[0].met);
    }
}
