//! The two ways to store the datagrams of a batch: in the slots of an arena, and in one vector
//! each.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use atomicarena::AtomicArena;
use socket2::Socket;

use crate::packet::{self, Packet};
use crate::telemetry::Telemetry;

/// The maximum number of datagrams that a worker gets at a time.
const RUN: usize = 32;

/// The result of receiving.
pub(crate) enum Received<R> {
    /// Datagrams for a worker, at least one.
    Run(R),
    /// Nothing has arrived within the timeout of the socket.
    Quiet,
    /// There is no room for more datagrams in this batch.
    Full,
}

/// The memory of a batch.
pub(crate) trait Batch {
    /// Datagrams on their way to a worker.
    type Run: Send;
    /// A datagram that a worker has parsed.
    type Kept: Send;

    /// Receives some datagrams. Adds to `room` the time that it took to get memory for them.
    fn receive(&mut self, socket: &Socket, room: &mut Duration) -> io::Result<Received<Self::Run>>;

    /// Parses the datagrams in a worker, and returns the number of damaged ones.
    fn parse(run: Self::Run, kept: &mut Vec<Self::Kept>) -> u64;

    fn telemetry(kept: &Self::Kept) -> Telemetry<'_>;
}

/// The kernel writes into reserved slots, and the parsed datagrams borrow from them. The datagrams
/// live until the end of the batch, so the arena stays borrowed until then.
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
        // Returns the unfilled slots to the arena. The result contains the filled ones.
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

/// Each datagram is a separate vector, and `left` more may be received in this batch.
///
/// A worker cannot return both the vector and the parsed datagram that refers to it, so the header
/// is read again.
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

/// Returns whether a datagram was received. It is not an error if there was none.
pub(crate) fn arrived(received: io::Result<()>) -> io::Result<bool> {
    match received {
        Ok(()) => Ok(true),
        // Depending on the system, a timeout is one of these two errors.
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}
