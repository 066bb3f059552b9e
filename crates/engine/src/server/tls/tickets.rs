//! Session tickets: one rotating key for all workers and generations, so that sessions are resumed wherever the client
//! comes back, each bound to what was demanded of the client when the session began.

use super::Demand;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;
use std::fmt;
use std::sync::Arc;

/// The key of an engine's tickets; it is renewed every six hours, and the last one is still read.
pub struct Tickets(Option<Arc<dyn ProducesTickets>>);

/// Tickets that are only good where the same is demanded of clients. rustls itself binds them to the server name.
pub struct BoundTickets {
    tickets: Arc<dyn ProducesTickets>,
    bond: [u8; 32],
}

impl Default for Tickets {
    fn default() -> Self {
        // Without randomness there is no resumption, and nothing else would work either.
        Self(Ticketer::new().ok())
    }
}

impl Tickets {
    /// Tickets for sessions in which `demand` is made.
    pub fn bound(&self, demand: Option<Demand>) -> Option<Arc<dyn ProducesTickets>> {
        let tickets = self.0.clone()?;
        Some(Arc::new(BoundTickets { tickets, bond: demand.map_or([0; 32], |demand| demand.0) }))
    }
}

impl ProducesTickets for BoundTickets {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.encrypt(&[&self.bond, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let plain = self.tickets.decrypt(cipher)?;
        plain.strip_prefix(&self.bond).map(<[u8]>::to_vec)
    }
}

impl fmt::Debug for BoundTickets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BoundTickets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_read_only_where_the_same_is_demanded() {
        let tickets = Tickets::default();
        let none = tickets.bound(None).unwrap();
        let one = tickets.bound(Some(Demand([1; 32]))).unwrap();
        let ticket = one.encrypt(b"session").unwrap();
        assert_eq!(tickets.bound(Some(Demand([1; 32]))).unwrap().decrypt(&ticket).unwrap(), b"session");
        assert_eq!(tickets.bound(Some(Demand([2; 32]))).unwrap().decrypt(&ticket), None);
        assert_eq!(none.decrypt(&ticket), None);
        assert_eq!(one.decrypt(&none.encrypt(b"session").unwrap()), None);
    }
}
