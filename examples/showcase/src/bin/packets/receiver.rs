//! One receiver and some workers, batch after batch.

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

/// Where the datagrams go.
#[derive(Debug)]
pub(crate) enum Room {
    Arena(Box<AtomicArena<Packet>>),
    /// In vectors, at most so many in a batch.
    Vecs(usize),
}

/// What it took.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    /// From the first moment to the last datagram.
    pub(crate) time: Duration,
    /// To have room for the datagrams.
    pub(crate) room: Duration,
    /// To let them go.
    pub(crate) release: Duration,
    pub(crate) batches: u64,
}

/// Receives until all is done and nothing comes in any more.
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
    /// When the last datagrams came in.
    last: Instant,
    room: Duration,
}

impl Receiver<'_> {
    /// Receives until there is no room, or nothing more to come, which is what the `bool` says. What the workers have
    /// made of the datagrams outlives them.
    fn batch<B: Batch>(&mut self, mut batch: B) -> io::Result<(bool, Vec<B::Kept>)> {
        let (runs, inbox) = mpsc::channel::<B::Run>();
        let (inbox, busy) = (Mutex::new(inbox), AtomicUsize::new(self.workers));
        let work = || {
            let next = || inbox.lock().expect("no worker panics while it takes a run").recv();
            let (mut kept, mut damaged) = (Vec::new(), 0);
            while let Ok(run) = next() {
                damaged += B::parse(run, &mut kept);
            }
            // Release: who sees that all are through finds nothing left to do.
            busy.fetch_sub(1, Release);
            (kept, damaged)
        };
        let (quiet, kept) = thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers).map(|_| scope.spawn(work)).collect();
            let quiet = self.fill(&mut batch, runs);
            // What comes in while the workers finish is not left to pile up.
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

    /// Sends the workers what comes in. At its end they know that there is no more, for `runs` is gone.
    fn fill<B: Batch>(&mut self, batch: &mut B, runs: mpsc::Sender<B::Run>) -> io::Result<bool> {
        loop {
            // Before we look. Acquire: what was sent before it was done is there to be seen.
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

    /// Fetches what there is no room for, and notes it, until the workers are through.
    fn refuse(&mut self, busy: &AtomicUsize) -> io::Result<()> {
        self.socket.set_nonblocking(true)?;
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
