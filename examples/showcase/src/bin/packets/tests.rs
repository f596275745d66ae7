//! Tests of both ways to store datagrams (`ways.rs`). The datagrams are sent over the loopback
//! interface. Only what does not depend on chance is tested.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use atomicarena::AtomicArena;

use crate::account::Account;
use crate::packet::Packet;
use crate::receiver::Room;
use crate::telemetry::{self, MOST_BYTES, Telemetry};
use crate::ways::{Batch, Received, Vecs};
use crate::wire::{self, Wire};

/// Fewer datagrams than the receive buffer of any system holds.
const FEW: u64 = 40;

const QUEUE: usize = 1 << 20;

/// Sends 40 datagrams to a batch with room for 33, and returns the numbers of those that were kept.
fn numbers<B: Batch>(batch: &mut B) -> Vec<u64> {
    let wire = Wire::new(QUEUE).unwrap();
    let done = AtomicBool::new(false);
    assert_eq!(wire::flood(&wire.sender, FEW, &done).unwrap(), FEW);
    let (mut kept, mut room) = (Vec::new(), Duration::ZERO);
    loop {
        match batch.receive(&wire.receiver, &mut room).unwrap() {
            Received::Run(run) => assert_eq!(B::parse(run, &mut kept), 0),
            Received::Quiet => panic!("40 were sent, and there is room for 33"),
            Received::Full => break,
        }
    }
    kept.iter().map(|kept| B::telemetry(kept).number).collect()
}

#[test]
fn a_full_batch_takes_no_more() {
    let mut arena = AtomicArena::<Packet>::with_capacity(33);
    assert_eq!(numbers(&mut &arena), Vec::from_iter(0..33));
    arena.reset();
    assert_eq!(numbers(&mut &arena), Vec::from_iter(0..33));
    assert_eq!(numbers(&mut Vecs { left: 33 }), Vec::from_iter(0..33));
}

#[test]
fn without_datagrams_the_slots_are_returned() {
    let (wire, arena, mut room) = (Wire::new(QUEUE).unwrap(), AtomicArena::<Packet>::with_capacity(40), Duration::ZERO);
    let mut batch = &arena;
    assert!(matches!(batch.receive(&wire.receiver, &mut room).unwrap(), Received::Quiet));
    assert_eq!(arena.remaining(), 40);
    wire.sender.send(b"nothing that we know").unwrap();
    let Received::Run(run) = batch.receive(&wire.receiver, &mut room).unwrap() else { panic!("one was sent") };
    assert_eq!((run.len(), run[0].bytes(), arena.remaining()), (1, &b"nothing that we know"[..], 39));
    assert_eq!(<&AtomicArena<Packet>>::parse(run, &mut Vec::new()), 1);
    wire.sender.send(&[7; 1000]).unwrap();
    let Received::Run(run) = batch.receive(&wire.receiver, &mut room).unwrap() else { panic!("one was sent") };
    assert_eq!(<&AtomicArena<Packet>>::parse(run, &mut Vec::new()), 1, "too long");
}

#[test]
fn every_account_adds_up() {
    for batch in [1, 7, 100, 100_000] {
        for (workers, queue) in [(1, QUEUE), (3, QUEUE), (1, 1)] {
            for mut room in [Room::Arena(AtomicArena::with_capacity(batch).into()), Room::Vecs(batch)] {
                let (balance, costs) = crate::round(&mut room, 500, workers, queue).unwrap();
                balance.check().unwrap();
                assert!(costs.batches > 0 && balance.sent == 500);
            }
        }
    }
}

#[test]
fn an_account_that_does_not_add_up_says_so() {
    let mut buffer = [0; MOST_BYTES];
    let mut parsed = |number, see: &mut dyn FnMut(Telemetry<'_>)| {
        see(Telemetry::parse(telemetry::datagram(number, &mut buffer)).unwrap());
    };
    let mut account = Account::new(4);
    parsed(0, &mut |telemetry| account.received(telemetry));
    parsed(2, &mut |telemetry| account.refused(Some(telemetry)));
    let balance = account.close(4, Some(2));
    assert_eq!((balance.received, balance.refused, balance.lost), (1, 1, 2));
    balance.check().unwrap();
    account.close(4, None).check().unwrap();
    account.close(4, Some(3)).check().unwrap_err(); // the kernel dropped a received datagram
    account.close(2, None).check().unwrap_err(); // a datagram was received that was not sent
    parsed(2, &mut |telemetry| account.received(telemetry));
    account.close(4, None).check().unwrap_err(); // a datagram was received twice
    let mut account = Account::new(4);
    account.close(4, None).check().unwrap_err(); // no datagram was received
    parsed(0, &mut |telemetry| account.received(telemetry));
    account.refused(None);
    account.close(4, None).check().unwrap_err(); // a datagram was damaged
}
