//! What an app says of itself: the results of `initialize`, `server/discover` and `tools/list`, written once per
//! snapshot. Answering them copies bytes.

use super::era::{Era, LEGACY, MODERN};
use super::outcome::Meta;
use crate::snapshot::App;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::borrow::Cow;

/// Tools of one page. Most clients ask for all pages at once, some only for the first.
const PAGE: usize = 200;

/// How long clients may keep a list, in milliseconds.
const KEPT: u64 = 300_000;

/// Cursors are opaque to clients; this prefix tells them from others' that are base64 too.
const CURSOR: &str = "tools:";

/// Bytes of a cursor; none that is given out is longer.
const LONGEST_CURSOR: usize = 64;

pub struct Listing {
    /// After `"protocolVersion":"..."` of the result of initialize.
    initialize: Vec<u8>,
    /// The result of server/discover up to `cacheScope`.
    discover: Vec<u8>,
    pages: Vec<Vec<u8>>,
    /// The entries of the tools, where not every caller is shown all of them.
    entries: Vec<Vec<u8>>,
    /// `"_meta":{...}` with which the modern era signs every result.
    signature: Vec<u8>,
}

impl Listing {
    pub fn build(app: &App) -> Self {
        let server = json!({"name": app.name, "title": app.title, "version": app.version});
        let instructions = app.instructions.as_deref().filter(|text| !text.trim().is_empty());
        let said =
            instructions.map(|text| format!(",\"instructions\":{}", Value::from(text))).unwrap_or_default();
        let capabilities = json!({"tools": {"listChanged": false}});
        let versions: Vec<_> = std::iter::once(&MODERN).chain(LEGACY).collect();
        let signature = format!("\"_meta\":{}", json!({"io.modelcontextprotocol/serverInfo": server}));
        let discover = format!(
            "{{\"resultType\":\"complete\",\"supportedVersions\":{},\"capabilities\":{capabilities}{said},\
             \"ttlMs\":{KEPT}",
            json!(versions)
        );
        let definitions: Vec<_> = app.tools.iter().map(|tool| &tool.definition).collect();
        let is_shared = app.tools.iter().all(|tool| tool.roles.is_empty());
        let own = definitions.iter().filter(|_| !is_shared);
        let entries = own.map(|entry| serde_json::to_vec(entry).unwrap_or_default()).collect();
        let pages = definitions.chunks(PAGE).map(|page| serde_json::to_vec(page).unwrap_or_default());
        let mut pages: Vec<_> = pages.collect();
        if pages.is_empty() {
            pages.push(b"[]".to_vec());
        }
        Self {
            initialize: format!(",\"capabilities\":{capabilities},\"serverInfo\":{server}{said}}}")
                .into_bytes(),
            discover: discover.into_bytes(),
            pages,
            entries,
            signature: signature.into_bytes(),
        }
    }

    /// The result of `initialize`: the version asked for where it is spoken, or else the latest (2025-11-25,
    /// basic/lifecycle, version negotiation).
    pub fn initialize(&self, asked: &str) -> Vec<u8> {
        let latest = LEGACY.first().copied().unwrap_or_default();
        let version = LEGACY.iter().find(|version| **version == asked).copied().unwrap_or(latest);
        [format!("{{\"protocolVersion\":\"{version}\"").as_bytes(), &self.initialize].concat()
    }

    /// The result of `server/discover`. `scope` is `public` where no credential was asked for.
    pub fn discover(&self, scope: &str) -> Vec<u8> {
        let scope = format!(",\"cacheScope\":\"{scope}\",");
        [self.discover.as_slice(), scope.as_bytes(), &self.signature, b"}"].concat()
    }

    /// The result of `tools/list` from `cursor` on; none where the cursor is not one of ours. `shown` says of each tool
    /// whether this caller may see it; none: it may see all.
    pub fn tools(
        &self,
        cursor: Option<&str>,
        era: Era,
        scope: &str,
        shown: Option<&[bool]>,
    ) -> Option<Vec<u8>> {
        let index = match cursor {
            None => 0,
            Some(cursor) => page_of(cursor)?,
        };
        let (page, has_next) = match shown {
            None => (Cow::Borrowed(self.pages.get(index)?.as_slice()), index + 1 < self.pages.len()),
            Some(shown) => self.page(index, shown)?,
        };
        let scope = if shown.is_some() { "private" } else { scope };
        let next = has_next.then(|| {
            format!(",\"nextCursor\":\"{}\"", URL_SAFE_NO_PAD.encode(format!("{CURSOR}{}", index + 1)))
        });
        let next = next.unwrap_or_default();
        Some(match era {
            Era::Legacy => [b"{\"tools\":".as_slice(), &page, next.as_bytes(), b"}"].concat(),
            Era::Modern => {
                let rest = format!("{next},\"ttlMs\":{KEPT},\"cacheScope\":\"{scope}\",");
                let head = b"{\"resultType\":\"complete\",\"tools\":".as_slice();
                [head, &page, rest.as_bytes(), &self.signature, b"}"].concat()
            }
        })
    }

    /// A page of the tools that are shown, and whether another follows.
    fn page(&self, index: usize, shown: &[bool]) -> Option<(Cow<'_, [u8]>, bool)> {
        let entries =
            self.entries.iter().zip(shown).filter_map(|(entry, shown)| shown.then_some(entry.as_slice()));
        let mut rest = entries.skip(index.checked_mul(PAGE)?).peekable();
        if index > 0 && rest.peek().is_none() {
            return None;
        }
        let page: Vec<&[u8]> = rest.by_ref().take(PAGE).collect();
        let page = [b"[".as_slice(), &page.join(b",".as_slice()), b"]"].concat();
        Some((page.into(), rest.peek().is_some()))
    }

    /// What stands before the other members of a result of this era, whose own `_meta` is `meta`.
    pub fn opening(&self, era: Era, meta: Option<&Meta>) -> Vec<u8> {
        let own = meta.and_then(|meta| serde_json::to_string(meta).ok()).unwrap_or_default();
        let signature = self.signature.strip_suffix(b"}").unwrap_or_default();
        let members = own.strip_prefix('{').unwrap_or_default().as_bytes();
        match (era, meta) {
            (Era::Legacy, None) => b"{".to_vec(),
            (Era::Legacy, Some(_)) => [b"{\"_meta\":", own.as_bytes(), b","].concat(),
            (Era::Modern, None) => {
                [b"{\"resultType\":\"complete\",".as_slice(), &self.signature, b","].concat()
            }
            (Era::Modern, Some(_)) => {
                [b"{\"resultType\":\"complete\",".as_slice(), signature, b",", members, b","].concat()
            }
        }
    }
}

fn page_of(cursor: &str) -> Option<usize> {
    if cursor.len() > LONGEST_CURSOR {
        return None;
    }
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    // Zero is never given out: the first page has no cursor.
    decoded.strip_prefix(CURSOR)?.parse().ok().filter(|index| *index > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(tools: usize) -> Listing {
        let request = json!({"method": "GET", "host": "a", "path": "/", "accept": "*/*"});
        let tool = |index: usize| {
            let name = format!("tool{index}");
            json!({"name": name, "route": "r", "request": request,
                "definition": {"name": name, "inputSchema": {"type": "object"}}})
        };
        let tools: Vec<_> = (0..tools).map(tool).collect();
        let app = json!({"id": "a", "name": "demo", "title": "Demo \"app\"", "version": "1",
            "instructions": "Ask \"me\".", "max_result_characters": 1000, "tools": tools});
        Listing::build(&serde_json::from_value(app).unwrap())
    }

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn initialize_echoes_a_known_version_and_else_offers_the_latest_legacy() {
        let result = parsed(&listing(0).initialize("2025-03-26"));
        assert_eq!(
            result,
            json!({"protocolVersion": "2025-03-26", "capabilities": {"tools": {"listChanged": false}},
            "serverInfo": {"name": "demo", "title": "Demo \"app\"", "version": "1"}, "instructions": "Ask \"me\"."})
        );
        assert_eq!(parsed(&listing(0).initialize("2026-07-28"))["protocolVersion"], "2025-11-25");
    }

    #[test]
    fn discover_says_versions_capabilities_and_how_long_it_holds() {
        let result = parsed(&listing(0).discover("public"));
        assert_eq!(result["resultType"], "complete");
        assert_eq!(result["supportedVersions"][0], MODERN);
        assert_eq!(result["cacheScope"], "public");
        assert_eq!(result["ttlMs"], KEPT);
        assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "demo");
    }

    #[test]
    fn lists_are_paged_by_opaque_cursors() {
        let listing = listing(450);
        let mut names = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = parsed(&listing.tools(cursor.as_deref(), Era::Modern, "private", None).unwrap());
            assert_eq!((&page["resultType"], &page["cacheScope"]), (&json!("complete"), &json!("private")));
            names.extend(page["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(names, (0..450).map(|index| json!(format!("tool{index}"))).collect::<Vec<_>>());
        for bad in ["", "x", "dG9vbHM6OTk", "dG9vbHM6MA", "dG9vbHM6LTE", "%%"] {
            assert!(listing.tools(Some(bad), Era::Legacy, "public", None).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_caller_s_list_has_what_is_shown_to_it_and_is_its_own() {
        let request = json!({"method": "GET", "host": "a", "path": "/", "accept": "*/*"});
        let tool = |index: usize| {
            let name = format!("tool{index}");
            json!({"name": name, "route": "r", "request": request, "roles": [["staff"]],
                "definition": {"name": name, "inputSchema": {"type": "object"}}})
        };
        let tools: Vec<_> = (0..450).map(tool).collect();
        let app = json!({"id": "a", "name": "a", "title": "A", "version": "1", "max_result_characters": 1000,
            "tools": tools});
        let listing = Listing::build(&serde_json::from_value(app).unwrap());
        let shown: Vec<bool> = (0..450).map(|index| index % 2 == 1).collect();
        let page = |cursor: Option<&str>, shown: &[bool]| {
            listing.tools(cursor, Era::Modern, "public", Some(shown)).map(|page| parsed(&page))
        };
        let first = page(None, &shown).unwrap();
        assert_eq!(first["cacheScope"], "private");
        assert_eq!(
            (first["tools"].as_array().unwrap().len(), &first["tools"][199]["name"]),
            (200, &json!("tool399"))
        );
        let second = page(first["nextCursor"].as_str(), &shown).unwrap();
        assert_eq!(
            (second["tools"].as_array().unwrap().len(), &second["tools"][24]["name"]),
            (25, &json!("tool449"))
        );
        assert_eq!(second["nextCursor"], json!(null));
        assert_eq!(page(None, &[false; 450]).unwrap()["tools"], json!([]));
        assert!(page(first["nextCursor"].as_str(), &[false; 450]).is_none());
        // Whole pages are followed by no empty one.
        let whole: Vec<bool> = (0..450).map(|index| index < 200).collect();
        assert_eq!(page(None, &whole).unwrap()["nextCursor"], json!(null));
    }

    #[test]
    fn a_result_has_one_meta_with_what_both_sides_put_into_it() {
        let meta = Meta { www_authenticate: vec!["Bearer realm=\"a\"".into()] };
        let opened =
            |era, meta| parsed(&[listing(0).opening(era, meta), b"\"isError\":true}".to_vec()].concat());
        let own = json!(["Bearer realm=\"a\""]);
        assert_eq!(opened(Era::Legacy, None), json!({"isError": true}));
        assert_eq!(
            opened(Era::Legacy, Some(&meta)),
            json!({"_meta": {"mcp/www_authenticate": own}, "isError": true})
        );
        let server = json!({"name": "demo", "title": "Demo \"app\"", "version": "1"});
        let signed = json!({"io.modelcontextprotocol/serverInfo": server});
        assert_eq!(
            opened(Era::Modern, None),
            json!({"resultType": "complete", "_meta": signed, "isError": true})
        );
        let both = json!({"io.modelcontextprotocol/serverInfo": server, "mcp/www_authenticate": own});
        assert_eq!(
            opened(Era::Modern, Some(&meta)),
            json!({"resultType": "complete", "_meta": both, "isError": true})
        );
    }

    #[test]
    fn a_legacy_list_has_nothing_of_the_modern_era() {
        let page = listing(1).tools(None, Era::Legacy, "public", None).unwrap();
        let expected = r#"{"tools":[{"name":"tool0","inputSchema":{"type":"object"}}]}"#;
        assert_eq!(String::from_utf8(page).unwrap(), expected);
    }
}
