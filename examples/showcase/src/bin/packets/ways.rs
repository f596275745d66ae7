//! The two ways to keep the datagrams of a batch: in the slots of an arena, and in a vector each.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use atomicarena::AtomicArena;
use socket2::Socket;

use crate::packet::{self, Packet};
use crate::telemetry::Telemetry;

/// So many datagrams go to a worker at a time.
const RUN: usize = 32;

/// What the receiver got.
pub(crate) enum Received<R> {
    /// Datagrams for a worker, at least one.
    Run(R),
    /// None: nothing has come in for as long as the socket waits.
    Quiet,
    /// None: there is no room for any more in this batch.
    Full,
}

/// Where a batch is kept.
pub(crate) trait Batch {
    /// Datagrams on their way to a worker.
    type Run: Send;
    /// A datagram that a worker has parsed.
    type Kept: Send;

    /// Receives some datagrams; adds up in `room` how long it takes to have room for them.
    fn receive(&mut self, socket: &Socket, room: &mut Duration) -> io::Result<Received<Self::Run>>;

    /// A worker's part: parses the datagrams, and returns how many were damaged.
    fn parse(run: Self::Run, kept: &mut Vec<Self::Kept>) -> u64;

    fn telemetry(kept: &Self::Kept) -> Telemetry<'_>;
}

/// The kernel writes into reserved slots, and what is parsed refers to them. It outlives the workers: it lives until the
/// batch is over, and so is the arena borrowed until then.
impl<'a> Batch for &'a AtomicArena<Packet> {
    type Run = &'a mut [Packet];
    type Kept = Telemetry<'a>;

    fn receive(&mut self, socket: &Socket, room: &mut Duration) -> io::Result<Received<&'a mut [Packet]>> {
        let start = Instant::now();
        let mut run = self.reserve_up_to(RUN);
        *room += start.elapsed();
        if run.capacity() == 0 {
            return Ok(Received::Full);
        }
        while !run.is_full() && arrived(packet::receive_into(&mut run, socket))? {}
        let start = Instant::now();
        // What was not filled goes back.
        let packets = run.finish();
        *room += start.elapsed();
        Ok(if packets.is_empty() { Received::Quiet } else { Received::Run(packets) })
    }

    fn parse(run: &'a mut [Packet], kept: &mut Vec<Telemetry<'a>>) -> u64 {
        let (run, before): (&[Packet], _) = (run, kept.len());
        kept.extend(run.iter().filter_map(|packet| Telemetry::parse(packet.bytes())));
        (before + run.len() - kept.len()) as u64
    }

    fn telemetry<'k>(kept: &'k Telemetry<'a>) -> Telemetry<'k> {
        *kept
    }
}

/// Each datagram is a vector of its own; so many may still come in in this batch.
///
/// A worker cannot return what it has parsed and the vector that this refers to: the header is read once more.
pub(crate) struct Vecs {
    pub(crate) left: usize,
}

impl Batch for Vecs {
    type Run = Vec<Vec<u8>>;
    type Kept = Vec<u8>;

    fn receive(&mut self, socket: &Socket, room: &mut Duration) -> io::Result<Received<Vec<Vec<u8>>>> {
        let start = Instant::now();
        let mut run: Vec<_> = (0..self.left.min(RUN)).map(|_| packet::vec()).collect();
        *room += start.elapsed();
        if run.is_empty() {
            return Ok(Received::Full);
        }
        let mut filled = 0;
        while filled < run.len() && arrived(packet::receive_into_vec(&mut run[filled], socket))? {
            filled += 1;
        }
        run.truncate(filled);
        self.left -= filled;
        Ok(if run.is_empty() { Received::Quiet } else { Received::Run(run) })
    }

    fn parse(run: Vec<Vec<u8>>, kept: &mut Vec<Vec<u8>>) -> u64 {
        let came = run.len() + kept.len();
        kept.extend(run.into_iter().filter(|datagram| Telemetry::parse(datagram).is_some()));
        (came - kept.len()) as u64
    }

    fn telemetry(kept: &Vec<u8>) -> Telemetry<'_> {
        Telemetry::parse_again(kept).expect("it was parsed before")
    }
}

/// Whether a datagram was received; an error, unless it says that none came in.
pub(crate) fn arrived(received: io::Result<()>) -> io::Result<bool> {
    match received {
        Ok(()) => Ok(true),
        // What waits in vain is called by either name.
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}
