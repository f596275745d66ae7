//! Datagrams that the kernel writes directly into an arena, and that are freed all at once.
//!
//! ```text
//! cd examples/showcase && cargo run --release --bin packets
//! ```
//!
//! A sender floods the loopback interface with telemetry. The receiver reserves slots, and the
//! kernel writes each datagram into a slot, without a further copy or an allocation. Workers parse
//! the datagrams (`telemetry.rs`). The results refer to the slots, and outlive the workers. When
//! the arena is full, or when everything was sent, the batch ends: the workers finish, the results
//! are read, and one reset frees all of the batch. Datagrams that arrive while the workers finish
//! are fetched from the socket, but count as refused.
//!
//! The program does the same with a fresh `Vec<u8>` for each datagram. The two ways take turns. The
//! program prints the account of all datagrams, and the medians over the rounds:
//!
//! - *received/s*: the number of datagrams received per second, which depends mainly on the kernel.
//! - *allocating one*: the time to get memory for a datagram, in a slot or in a vector.
//! - *freeing one*: the time to free a datagram at the end of a batch.
//!
//! No loss goes unnoticed. Each datagram has a number, and the account must add up: each datagram
//! that was sent is received, refused, or lost by the kernel. None may be damaged or arrive twice,
//! and the readings must be those that were sent. Otherwise the program fails. The program ends
//! even if datagrams are lost, because a round is over when everything was sent and nothing has
//! arrived for a while.
//!
//! Read `packet.rs` first: it defines the content of a slot, and shows how the kernel writes to a
//! slot.

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
/// Counts each datagram as received, refused or lost. Exit code: 0 on success, 1 if the account is
/// wrong, 2 if there is no network or no memory.
#[derive(Parser)]
struct Options {
    /// Number of datagrams per round
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    count: u64,
    /// Capacity for datagrams, which is the size of a batch
    #[arg(long, default_value_t = 16_384, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 24))]
    batch: usize,
    /// Number of threads that parse
    #[arg(long, default_value_t = 1, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    workers: usize,
    /// Number of rounds for each way
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Size of the receive buffer of the kernel in bytes. If it is small, the kernel drops
    /// datagrams
    #[arg(long, default_value_t = 4 << 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1 << 30))]
    queue: usize,
    /// Use few datagrams, small batches and few rounds, and say that the accounts add up
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
        // The ways take turns to go first.
        for number in [[0, 1], [1, 0]][round as usize % 2] {
            let (room, way) = (&mut rooms[number], &mut ways[number]);
            let result = self::round(room, options.count, options.workers, options.queue)?;
            // The first round is a warm-up that touches the memory. Its times do not count.
            match round {
                0 => result.0.check()?,
                _ => way.rounds.push(result),
            }
        }
    }
    // A closed pipe means that the reader has read enough.
    let _ = write!(io::stdout(), "{}", Report(&ways));
    ways.iter().try_for_each(|way| way.total().check())?;
    if options.check {
        let _ = writeln!(io::stdout(), "\ncheck: the accounts add up");
    }
    Ok(())
}

/// Sends and receives a number of datagrams.
fn round(room: &mut Room, count: u64, workers: usize, queue: usize) -> io::Result<(Balance, Costs)> {
    let (wire, done, mut account) = (Wire::new(queue)?, AtomicBool::new(false), Account::new(count));
    let (sent, costs) = thread::scope(|scope| {
        let sender = scope.spawn(|| wire::flood(&wire.sender, count, &done));
        let costs = receiver::receive(room, &wire.receiver, workers, &done, &mut account);
        (sender.join().expect("the sender panicked"), costs)
    });
    Ok((account.close(sent?, wire.dropped()), costs?))
}

/// The reason why the program ends early.
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
