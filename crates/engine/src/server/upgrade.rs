//! The client's side of a change of protocol (RFC 9110, section 7.8): its stream, once it has got its answer.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

/// A stream of either version of HTTP.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Duplex for S {}

/// By which an HTTP/1.1 connection hands its stream over.
pub type Handover = oneshot::Sender<Box<dyn Duplex>>;

/// By which it comes.
type Coming = oneshot::Receiver<Box<dyn Duplex>>;

/// Where the stream comes from.
#[derive(Clone)]
pub enum Upgrade {
    /// Given once.
    Http1(Rc<RefCell<Option<Coming>>>),
    /// A stream of an HTTP/2 connection.
    Http2(OnUpgrade),
}

impl Upgrade {
    pub fn prepare() -> (Handover, Self) {
        let (handover, coming) = oneshot::channel();
        (handover, Self::Http1(Rc::new(RefCell::new(Some(coming)))))
    }

    /// The stream, when the client has its answer.
    ///
    /// # Errors
    /// The connection ended before.
    pub async fn stream(self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Self::Http1(coming) => {
                let coming = coming.take().ok_or(io::ErrorKind::NotConnected)?;
                coming.await.map_err(|_| io::ErrorKind::ConnectionAborted.into())
            }
            Self::Http2(upgrade) => Ok(Box::new(TokioIo::new(upgrade.await.map_err(io::Error::other)?))),
        }
    }
}
