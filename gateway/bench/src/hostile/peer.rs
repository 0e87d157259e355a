//! Clients at loopback addresses of their own, so that what the gateway allows one address it does not take from another.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

use crate::failure::{Doing, Failure};

/// Each by itself: all of 127.0.0.0/8 is this machine.
pub(crate) const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
pub(crate) const POLITE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
pub(crate) const HEALTH: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// Connects from an address, with a receive buffer of so many bytes where it matters.
pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr, receive_buffer: Option<u32>) -> Result<TcpStream, Failure> {
    let socket = TcpSocket::new_v4().doing("a socket")?;
    socket.bind((from, 0).into()).doing(format!("binding to {from}"))?;
    if let Some(bytes) = receive_buffer {
        // Before the connection is made: the window that is offered follows from it.
        socket.set_recv_buffer_size(bytes).doing("SO_RCVBUF")?;
    }
    socket.connect(to).await.doing("connecting to the gateway")
}
