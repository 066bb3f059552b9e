//! HTTP/1.1 as bytes (RFC 9112), for both sides: what was read ahead, what waits to be written, the fields of a head,
//! and chunks. What a head may say, and what follows, is for `server::http1` with clients and `upstream::h1` with nodes.

mod chunked;
mod fields;
mod inbox;
mod outbox;

pub use chunked::{Decoder as ChunkDecoder, Piece as ChunkPiece};
pub use fields::{Fields, InvalidField, digits, last_chunk, says, write_field};
pub use inbox::Inbox;
pub use outbox::Outbox;

/// How the body of a message is delimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    /// The end of the connection ends the body.
    UntilClose,
}
