//! The slot of a datagram, to which the kernel writes. Only this file contains `unsafe`.

use std::io;
use std::mem::MaybeUninit;

use atomicarena::Reservation;
use socket2::Socket;

/// One byte more than a datagram may have, so that a longer one is detected, and not cut to a
/// permitted length.
const ROOM: usize = crate::telemetry::MOST_BYTES + 1;

/// A received datagram.
#[derive(Debug)]
pub(crate) struct Packet {
    /// The length of the datagram. Invariant: the first `len` bytes are initialised.
    len: usize,
    bytes: [MaybeUninit<u8>; ROOM],
}

impl Packet {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the invariant of `len`.
        unsafe { written(&self.bytes[..self.len]) }
    }
}

/// Receives a datagram directly into the next slot of a run that is not full.
pub(crate) fn receive_into(run: &mut Reservation<'_, Packet>, socket: &Socket) -> io::Result<()> {
    let packet = run.spare_capacity_mut()[0].as_mut_ptr();
    // SAFETY: the pointer refers to a slot that the run owns. Its bytes need not be initialised to
    // be borrowed, because their type is `MaybeUninit<u8>`.
    let bytes = unsafe { &mut (*packet).bytes };
    let len = socket.recv(bytes)?;
    // SAFETY: as above. Nothing is read.
    unsafe { (&raw mut (*packet).len).write(len) };
    let filled = run.len() + 1;
    // SAFETY: there was a free slot after the values, and both fields of its packet are set: `recv`
    // has written the first `len` bytes, as the invariant of `len` requires.
    unsafe { run.set_len(filled) };
    Ok(())
}

/// Creates a vector with room for a datagram, for the rounds without an arena.
pub(crate) fn vec() -> Vec<u8> {
    Vec::with_capacity(ROOM)
}

/// Receives a datagram into a vector, in place of its contents.
pub(crate) fn receive_into_vec(vec: &mut Vec<u8>, socket: &Socket) -> io::Result<()> {
    vec.clear();
    let len = socket.recv(vec.spare_capacity_mut())?;
    // SAFETY: the vector is empty, so `recv` has written its first `len` bytes.
    unsafe { vec.set_len(len) };
    Ok(())
}

/// Receives a datagram without keeping it, and passes it to `look`.
pub(crate) fn receive_and_forget<R>(socket: &Socket, look: impl FnOnce(&[u8]) -> R) -> io::Result<R> {
    let mut bytes = [MaybeUninit::uninit(); ROOM];
    let len = socket.recv(&mut bytes)?;
    // SAFETY: `recv` has written the first `len` bytes.
    Ok(look(unsafe { written(&bytes[..len]) }))
}

/// Converts a slice of initialised bytes to a slice of `u8`.
///
/// # Safety
///
/// The bytes must be initialised.
unsafe fn written(bytes: &[MaybeUninit<u8>]) -> &[u8] {
    // SAFETY: the caller guarantees that the bytes are initialised, and `MaybeUninit<u8>` has the
    // layout of `u8`.
    unsafe { &*(std::ptr::from_ref(bytes) as *const [u8]) }
}
