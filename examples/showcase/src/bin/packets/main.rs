//! Datagrams that the kernel writes straight into an arena, and that go all at once.
//!
//! ```text
//! cd examples/showcase && cargo run --release --bin packets
//! ```
//!
//! A sender floods the loopback interface with telemetry. The receiver reserves slots, and the kernel writes each
//! datagram into one: nothing is copied, and nothing is allocated. Workers parse the datagrams (`telemetry.rs`); what they
//! make of them refers to the slots, and outlives the workers. When the arena is full, or all has been sent, the batch is
//! over: it is looked through, and one reset lets go of all of it. What comes in before that is fetched and refused.
//!
//! Then the same once more with a fresh `Vec<u8>` for each datagram, and so on in turn. Printed is what became of all
//! datagrams, and as medians over the rounds:
//!
//! - *received/s*: how many datagrams were received in a second, which is the kernel's time above all.
//! - *room for one*: how long the receiver took to have room for a datagram, in a slot or in a vector.
//! - *letting one go*: how long it took at the end of a batch, for each datagram of it.
//!
//! Nothing is lost in silence. Each datagram has a number, and the account must come out: sent = received + refused + lost
//! by the kernel, none damaged, none twice, and the readings are those that were sent. The program fails otherwise. It
//! ends by itself, whatever is lost: when all was sent and nothing has come in for a while.
//!
//! `packet.rs` is the part to read: a slot, and how the kernel comes to write to it.

// Bottom-up: a file may use only files above it.
mod telemetry;
mod packet;
mod ways;
mod account;
mod wire;
mod receiver;
mod report;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;

use atomicarena::{AtomicArena, CapacityError};
use clap::Parser;
use clap::builder::RangedU64ValueParser;

use account::{Account, Balance, Unbalanced};
use receiver::{Costs, Room};
use report::{Report, Way};
use wire::Wire;

/// Receives a flood of datagrams, in an arena and with a fresh vector for each.
///
/// Exit code: 0, 1 when the account does not add up, 2 when there is no network to be had or no memory.
#[derive(Parser)]
struct Options {
    /// How many datagrams are sent in a round
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    count: u64,
    /// Room for so many datagrams: a batch
    #[arg(long, default_value_t = 16_384, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 24))]
    batch: usize,
    /// Threads that parse
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    workers: usize,
    /// Rounds for each way
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Bytes that the kernel is asked to keep for a receiver that is late; with few of them it drops some
    #[arg(long, default_value_t = 4 << 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 30))]
    queue: usize,
    /// Few datagrams in small batches: only whether the account comes out
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    if options.check {
        options = Options { count: 20_000, batch: 1_000, workers: 2, rounds: 2, queue: 16 << 10, check: true };
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("packets: {stop}");
            ExitCode::from(if matches!(stop, Stop::Unbalanced(_)) { 1 } else { 2 })
        }
    }
}

fn run(options: &Options) -> Result<(), Stop> {
    let mut rooms = [Room::Arena(AtomicArena::try_with_capacity(options.batch)?.into()), Room::Vecs(options.batch)];
    let mut ways = ["slots of an arena", "a vector for each"].map(|name| Way { name, rounds: Vec::new() });
    for round in 0..=options.rounds {
        // Turn by turn the first.
        for number in [[0, 1], [1, 0]][round as usize % 2] {
            let (room, way) = (&mut rooms[number], &mut ways[number]);
            let result = self::round(room, options.count, options.workers, options.queue)?;
            // The first is for the memory to be touched, in both ways.
            if round > 0 {
                way.rounds.push(result);
            }
        }
    }
    // Who closes the pipe has read enough.
    let _ = write!(io::stdout(), "{}", Report(&ways));
    ways.iter().try_for_each(|way| way.total().check())?;
    if options.check {
        let _ = writeln!(io::stdout(), "\ncheck: the accounts come out");
    }
    Ok(())
}

/// Sends and receives so many datagrams.
fn round(room: &mut Room, count: u64, workers: usize, queue: usize) -> io::Result<(Balance, Costs)> {
    let (wire, done, mut account) = (Wire::new(queue)?, AtomicBool::new(false), Account::new(count));
    let (sent, costs) = thread::scope(|scope| {
        let sender = scope.spawn(|| wire::flood(&wire.sender, count, &done));
        let costs = receiver::receive(room, &wire.receiver, workers, &done, &mut account);
        (sender.join().expect("the sender panicked"), costs)
    });
    Ok((account.close(sent?, wire.dropped()), costs?))
}

/// Why the program ends before its end.
enum Stop {
    Network(io::Error),
    Memory(CapacityError),
    Unbalanced(Unbalanced),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Network(error)
    }
}

impl From<CapacityError> for Stop {
    fn from(error: CapacityError) -> Self {
        Stop::Memory(error)
    }
}

impl From<Unbalanced> for Stop {
    fn from(unbalanced: Unbalanced) -> Self {
        Stop::Unbalanced(unbalanced)
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Network(error) => write!(f, "no datagrams over the loopback interface: {error}"),
            Stop::Memory(error) => write!(f, "lower --batch: {error}"),
            Stop::Unbalanced(unbalanced) => write!(f, "{unbalanced}"),
        }
    }
}
