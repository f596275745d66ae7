//! Two connected sockets, and the number of datagrams that the kernel drops between them.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering::Release};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::telemetry::{self, MOST_BYTES};

/// If nothing arrives for this time after the last datagram was sent, nothing will.
const QUIET: Duration = Duration::from_millis(50);

/// A sender that cannot send for this time gives up.
const STUCK: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) sender: Socket,
    pub(crate) receiver: Socket,
    port: u16,
}

impl Wire {
    /// Creates the sockets. `queue` is the requested size of the receive buffer, but the kernel may
    /// grant less.
    pub(crate) fn new(queue: usize) -> io::Result<Self> {
        let bound = || {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.bind(&SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).into())?;
            io::Result::Ok(socket)
        };
        let (sender, receiver) = (bound()?, bound()?);
        // The receiver is connected, so it gets datagrams only from this sender.
        receiver.connect(&sender.local_addr()?)?;
        sender.connect(&receiver.local_addr()?)?;
        receiver.set_recv_buffer_size(queue)?;
        receiver.set_read_timeout(Some(QUIET))?;
        sender.set_write_timeout(Some(STUCK))?;
        let port = receiver.local_addr()?.as_socket().map_or(0, |address| address.port());
        Ok(Wire { sender, receiver, port })
    }

    /// Returns the number of datagrams that the kernel has dropped because the receiver was late.
    /// Only Linux reports it.
    pub(crate) fn dropped(&self) -> Option<u64> {
        let sockets = fs::read_to_string("/proc/net/udp").ok()?;
        let ours = format!("0100007F:{:04X}", self.port);
        let line = sockets.lines().find(|line| line.split_whitespace().nth(1) == Some(&ours))?;
        line.split_whitespace().last()?.parse().ok()
    }
}

/// Sends datagrams, numbered from 0, as fast as possible. Returns how many were sent.
pub(crate) fn flood(socket: &Socket, count: u64, done: &AtomicBool) -> io::Result<u64> {
    /// Sets the flag when it is dropped, even if sending has failed.
    struct Done<'d>(&'d AtomicBool);

    impl Drop for Done<'_> {
        fn drop(&mut self) {
            // Release: pairs with the Acquire in `Receiver::fill`. A thread that sees the flag can
            // receive everything that was sent.
            self.0.store(true, Release);
        }
    }

    let _done = Done(done);
    let mut buffer = [0; MOST_BYTES];
    for number in 0..count {
        let datagram = telemetry::datagram(number, &mut buffer);
        let start = Instant::now();
        // If the kernel has no room, `send` may fail. The datagram was then not sent, so the call
        // is repeated.
        while let Err(error) = socket.send(datagram) {
            if start.elapsed() > STUCK {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(count)
}
