//! One receiver and several workers, batch after batch.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Acquire, Ordering::Release};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use atomicarena::AtomicArena;
use socket2::Socket;

use crate::account::Account;
use crate::packet::{self, Packet};
use crate::telemetry::Telemetry;
use crate::ways::{self, Batch, Received, Vecs};

/// The memory for the datagrams.
#[derive(Debug)]
pub(crate) enum Room {
    Arena(Box<AtomicArena<Packet>>),
    /// Vectors, at most this number in a batch.
    Vecs(usize),
}

/// The times of a round.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    /// The time from the beginning of the round to the last datagram.
    pub(crate) time: Duration,
    /// The time to get memory for the datagrams.
    pub(crate) room: Duration,
    /// The time to free them.
    pub(crate) release: Duration,
    pub(crate) batches: u64,
}

/// Receives until everything was sent and nothing arrives any more.
pub(crate) fn receive(
    room: &mut Room,
    socket: &Socket,
    workers: usize,
    done: &AtomicBool,
    account: &mut Account,
) -> io::Result<Costs> {
    let start = Instant::now();
    let mut costs = Costs::default();
    let mut receiver = Receiver { socket, workers, done, account, last: start, room: Duration::ZERO };
    loop {
        let (quiet, released) = match room {
            Room::Arena(arena) => {
                let (quiet, kept) = receiver.batch(&**arena)?;
                let release = Instant::now();
                drop(kept);
                arena.reset();
                (quiet, release.elapsed())
            }
            Room::Vecs(most) => {
                let (quiet, kept) = receiver.batch(Vecs { left: *most })?;
                let release = Instant::now();
                drop(kept);
                (quiet, release.elapsed())
            }
        };
        costs.release += released;
        costs.batches += 1;
        if quiet {
            costs.time = receiver.last - start;
            costs.room = receiver.room;
            return Ok(costs);
        }
    }
}

struct Receiver<'r> {
    socket: &'r Socket,
    workers: usize,
    done: &'r AtomicBool,
    account: &'r mut Account,
    /// The time at which the last datagrams arrived.
    last: Instant,
    room: Duration,
}

impl Receiver<'_> {
    /// Receives until there is no room or until nothing arrives any more. Returns whether nothing
    /// arrives any more, and the results of the workers, which outlive the workers.
    fn batch<B: Batch>(&mut self, mut batch: B) -> io::Result<(bool, Vec<B::Kept>)> {
        let (runs, inbox) = mpsc::channel::<B::Run>();
        let (inbox, busy) = (Mutex::new(inbox), AtomicUsize::new(self.workers));
        let work = || {
            let next = || inbox.lock().expect("no worker panics while it takes a run").recv();
            let (mut kept, mut damaged) = (Vec::new(), 0);
            while let Ok(run) = next() {
                damaged += B::parse(run, &mut kept);
            }
            // Release: pairs with the Acquire in `refuse`, which ends when every worker has parsed
            // its last run.
            busy.fetch_sub(1, Release);
            (kept, damaged)
        };
        let (quiet, kept) = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers).map(|_| scope.spawn(work)).collect();
            let quiet = self.fill(&mut batch, runs);
            // Datagrams that arrive while the workers finish must not pile up.
            let refused = self.refuse(&busy);
            let mut all = Vec::new();
            for worker in workers {
                let (kept, damaged) = worker.join().expect("a worker panicked");
                all.extend(kept);
                self.account.damaged(damaged);
            }
            refused.and(quiet).map(|quiet| (quiet, all))
        })?;
        kept.iter().for_each(|kept| self.account.received(B::telemetry(kept)));
        Ok((quiet, kept))
    }

    /// Sends the received datagrams to the workers. At its end, `runs` is dropped, which tells the
    /// workers that there are no more.
    fn fill<B: Batch>(&mut self, batch: &mut B, runs: mpsc::Sender<B::Run>) -> io::Result<bool> {
        loop {
            // The flag is read before the socket. Acquire: pairs with the Release in `wire::flood`,
            // so everything that was sent before the sender ended can be received.
            let done = self.done.load(Acquire);
            match batch.receive(self.socket, &mut self.room)? {
                Received::Run(run) => {
                    self.last = Instant::now();
                    runs.send(run).expect("the workers wait for more");
                }
                Received::Quiet if done => return Ok(true),
                Received::Quiet => {}
                Received::Full => return Ok(false),
            }
        }
    }

    /// Receives datagrams for which there is no room, and records them, until the workers have
    /// finished.
    fn refuse(&mut self, busy: &AtomicUsize) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
        // Acquire: pairs with the Release in `batch`.
        while busy.load(Acquire) > 0 {
            let account = &mut *self.account;
            let refused = packet::receive_and_forget(self.socket, |bytes| account.refused(Telemetry::parse(bytes)));
            if ways::arrived(refused)? {
                self.last = Instant::now();
            } else {
                thread::yield_now();
            }
        }
        self.socket.set_nonblocking(false)
    }
}
