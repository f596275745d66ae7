//! The slot of a datagram, which the kernel writes to. The only file with `unsafe`.

use std::io;
use std::mem::MaybeUninit;

use atomicarena::Reservation;
use socket2::Socket;

/// A byte more than any datagram of ours has: one that is longer is seen to be, and not cut off to the right length.
const ROOM: usize = crate::telemetry::MOST_BYTES + 1;

/// A datagram as it came in.
#[derive(Debug)]
pub(crate) struct Packet {
    /// How much of it is the datagram. Invariant: so many of the bytes, from the first, were written.
    len: usize,
    bytes: [MaybeUninit<u8>; ROOM],
}

impl Packet {
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the invariant of `len`.
        unsafe { written(&self.bytes[..self.len]) }
    }
}

/// Receives a datagram straight into the next slot of a run that is not full.
pub(crate) fn receive_into(run: &mut Reservation<'_, Packet>, socket: &Socket) -> io::Result<()> {
    let packet = run.spare_capacity_mut()[0].as_mut_ptr();
    // SAFETY: the pointer is one to a slot that is ours. The bytes of it need not be initialised to be borrowed, since
    // that is what their type says.
    let bytes = unsafe { &mut (*packet).bytes };
    let len = socket.recv(bytes)?;
    // SAFETY: as above; nothing is read.
    unsafe { (&raw mut (*packet).len).write(len) };
    let filled = run.len() + 1;
    // SAFETY: there was a slot behind the values, and both fields of its packet are set: `recv` has written the first
    // `len` bytes, as `len` promises.
    unsafe { run.set_len(filled) };
    Ok(())
}

/// A fresh vector with room for a datagram: the other way.
pub(crate) fn vec() -> Vec<u8> {
    Vec::with_capacity(ROOM)
}

/// Receives a datagram into a vector, in the place of what was in it.
pub(crate) fn receive_into_vec(vec: &mut Vec<u8>, socket: &Socket) -> io::Result<()> {
    vec.clear();
    let len = socket.recv(vec.spare_capacity_mut())?;
    // SAFETY: nothing is in it, so what `recv` has written are the first `len` bytes.
    unsafe { vec.set_len(len) };
    Ok(())
}

/// Receives a datagram that there is no room for, and shows it before it is gone.
pub(crate) fn receive_and_forget<R>(socket: &Socket, look: impl FnOnce(&[u8]) -> R) -> io::Result<R> {
    let mut bytes = [MaybeUninit::uninit(); ROOM];
    let len = socket.recv(&mut bytes)?;
    // SAFETY: `recv` has written the first `len` bytes.
    Ok(look(unsafe { written(&bytes[..len]) }))
}

/// # Safety
///
/// The bytes were written.
unsafe fn written(bytes: &[MaybeUninit<u8>]) -> &[u8] {
    // SAFETY: the caller; a byte that was written has the layout of one that may not have been.
    unsafe { &*(std::ptr::from_ref(bytes) as *const [u8]) }
}
