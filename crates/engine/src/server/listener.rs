//! Listening sockets: one for each worker on the same address, so that the kernel spreads the connections.
//!
//! A second process of the same user may listen on the same address if it says so (SO_REUSEPORT), which is how one takes
//! over from another without a moment in which nobody listens.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A socket that is listened on, and whether clients speak TLS on it.
pub struct Listener {
    pub socket: TcpListener,
    pub is_tls: bool,
}

/// Binds `count` sockets to `address` (`host:port`). Port 0 takes a free port, the same for all of them.
///
/// With `beside` a gateway that listens there already is listened beside; otherwise that is an error.
pub fn bind(address: &str, count: usize, beside: bool) -> io::Result<Vec<TcpListener>> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
    let wanted = address.to_socket_addrs().map_err(named)?.next();
    let wanted = wanted.ok_or_else(|| named(io::Error::other("the name has no address")))?;
    if !beside && wanted.port() != 0 {
        // Sockets that share their port would also share it with a gateway that runs already. This one does not.
        open(wanted, false).map_err(named)?;
    }
    let first = open(wanted, true).map_err(named)?;
    let taken = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..count {
        listeners.push(open(taken, true).map_err(named)?);
    }
    Ok(listeners)
}

fn open(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
