//! Credentials whose keys stand in a key set.

use super::{FUTURE, PAST, bearer};
use crate::outbound::testing::on_runtime;
use crate::plugins::key_set::testing::{Signer, published};
use crate::plugins::testing::{Bench, username};
use serde_json::json;
use toolway_testkit::{ScriptedUpstream, Step, closed_address};

#[test]
fn a_credential_s_keys_may_come_from_a_key_set() {
    on_runtime(&mut tokio::runtime::Builder::new_current_thread(), || async {
        let (one, two, rsa) = (Signer::es256("1"), Signer::es256("2"), Signer::rs256("3"));
        let script = [&[&one][..], &[&one, &rsa]].map(|keys| Step::ok(&published(keys).to_string()));
        let server = ScriptedUpstream::start([&script[..], &[Step::Close]].concat()).await.unwrap();
        let url = format!("http://{}/keys", server.address());
        let config = json!({"key": "carols", "algorithm": "ES256", "jwks_uri": url});
        let bench = Bench::with_credential("jwt-auth", config, json!({"jwt-auth": {}}));
        let claims = json!({"key": "carols", "exp": FUTURE});
        for (token, status) in [
            (one.token(&claims), None),
            (one.token(&claims), None),
            (two.token(&claims), Some(401)),
            (rsa.token(&claims), Some(401)),
            (one.with_header(&json!({"alg": "HS256", "kid": "1"}), &claims), Some(401)),
            (one.token(&json!({"key": "carols", "exp": PAST})), Some(401)),
        ] {
            let mut exchange = bench.exchange(bearer(&token));
            let response = bench.answer(&mut exchange).await;
            assert_eq!(response.map(|response| response.status().as_u16()), status);
            assert_eq!(username(&exchange), status.is_none().then_some("carol"));
        }
        assert_eq!(server.received().len(), 1);
        let nobody = format!("http://{}/keys", closed_address().unwrap());
        let config = json!({"key": "carols", "algorithm": "ES256", "jwks_uri": nobody});
        let bench =
            Bench::with_credential("jwt-auth", config, json!({"jwt-auth": {"anonymous_consumer": "guest"}}));
        let mut exchange = bench.exchange(bearer(&one.token(&claims)));
        let response = bench.answer(&mut exchange).await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(exchange.record.error_detail.as_deref().unwrap().starts_with(&nobody));
    });
}
