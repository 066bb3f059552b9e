//! Results that are too long, made short enough for a model: lists lose their last items and say how many, so that what
//! is left can still be read as JSON; any other text is cut where it gets too long, and says so.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Characters kept free for the note.
const NOTE: usize = 240;

/// `json` (compact) in at most `limit` characters, with a note where something was left out.
pub fn cut_json(json: String, limit: usize) -> String {
    if fits(&json, limit) {
        return json;
    }
    let room = limit.saturating_sub(NOTE);
    list(&json, room).or_else(|| object(&json, room)).unwrap_or_else(|| cut_text(json, limit))
}

/// `text` in at most `limit` characters, with a note where something was left out.
pub fn cut_text(mut text: String, limit: usize) -> String {
    if fits(&text, limit) {
        return text;
    }
    let room = limit.saturating_sub(NOTE);
    let all = text.chars().count();
    let end = text.char_indices().nth(room).map_or(text.len(), |(end, _)| end);
    text.truncate(end);
    text.push_str(&format!(
        "\n\n[Cut: these are the first {room} of {all} characters. Ask for less, by other arguments, to see the rest.]"
    ));
    text
}

fn fits(text: &str, limit: usize) -> bool {
    // No text has more characters than bytes.
    text.len() <= limit || text.chars().count() <= limit
}

fn list(json: &str, room: usize) -> Option<String> {
    let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    let (kept, shown) = first_items(&items, room)?;
    Some(format!("{kept}\n\n{}", note("", shown, items.len())))
}

/// An object keeps all of its members but the end of its longest list.
fn object(json: &str, room: usize) -> Option<String> {
    let Members(members) = serde_json::from_str(json).ok()?;
    let lists = members.iter().enumerate().filter(|(_, (_, value))| value.get().starts_with('['));
    let (longest, (name, value)) = lists.max_by_key(|(_, (_, value))| value.get().len())?;
    let items: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    let others = json.chars().count().saturating_sub(value.get().chars().count());
    let (list, shown) = first_items(&items, room.checked_sub(others)?)?;
    let mut kept = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            kept.push(',');
        }
        kept.push_str(&serde_json::Value::from(name.as_str()).to_string());
        kept.push(':');
        kept.push_str(if index == longest { &list } else { value.get() });
    }
    kept.push('}');
    let of: String = name.chars().take(40).collect();
    Some(format!("{kept}\n\n{}", note(&format!(" of {of:?}"), shown, items.len())))
}

/// The first items as a JSON list, as many as there is room for; none where there is room for none.
fn first_items(items: &[&RawValue], room: usize) -> Option<(String, usize)> {
    let mut kept = String::from("[");
    let mut left = room.checked_sub(2)?;
    let mut shown = 0;
    for item in items {
        let Some(rest) = left.checked_sub(item.get().chars().count() + 1) else { break };
        left = rest;
        if shown > 0 {
            kept.push(',');
        }
        kept.push_str(item.get());
        shown += 1;
    }
    kept.push(']');
    (shown > 0).then_some((kept, shown))
}

fn note(of: &str, shown: usize, all: usize) -> String {
    let more = all - shown;
    format!(
        "[Cut: {shown} of {all} items{of} are shown, {more} more. \
         Ask for less at a time (a page, a filter, a limit) to see the rest.]"
    )
}

/// An object's members in their order, values as they were written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn a_list_loses_its_last_items_and_says_how_many() {
        let items: Vec<_> = (0..1000).collect();
        let cut = cut_json(json!(items).to_string(), 1000);
        assert!(cut.chars().count() <= 1000);
        let (json, note) = cut.split_once("\n\n").unwrap();
        let kept: Vec<u64> = serde_json::from_str(json).unwrap();
        assert!(kept.len() > 150 && kept.iter().copied().eq(0..kept.len() as u64));
        assert!(note.starts_with(&format!(
            "[Cut: {} of 1000 items are shown, {} more.",
            kept.len(),
            1000 - kept.len()
        )));
    }

    #[test]
    fn an_object_keeps_its_members_and_the_head_of_its_longest_list() {
        let rows: Vec<_> = (0..500).map(|id| json!({"id": id, "name": "é"})).collect();
        let cut =
            cut_json(json!({"total": 500, "short": [1], "rows": rows, "next": "abc"}).to_string(), 2000);
        assert!(cut.chars().count() <= 2000);
        let (json, note) = cut.split_once("\n\n").unwrap();
        let kept: Value = serde_json::from_str(json).unwrap();
        assert_eq!(
            (&kept["total"], &kept["short"], &kept["next"]),
            (&json!(500), &json!([1]), &json!("abc"))
        );
        assert!(kept["rows"].as_array().unwrap().len() > 50);
        assert!(note.contains("of 500 items of \"rows\""), "{note}");
    }

    #[test]
    fn what_is_no_list_is_cut_as_text() {
        let cut = cut_json(json!({"text": "x".repeat(5000)}).to_string(), 1000);
        assert!(
            cut.chars().count() <= 1000 && cut.contains("[Cut: these are the first 760 of 5011 characters.")
        );
        assert_eq!(cut_text("short".into(), 1000), "short");
    }

    proptest! {
        #[test]
        fn never_longer_than_the_limit(text in ".{0,3000}", limit in 300_usize..2000) {
            prop_assert!(cut_text(text.clone(), limit).chars().count() <= limit);
            let json = json!([text.clone(), {"a": [text]}]).to_string();
            prop_assert!(cut_json(json, limit).chars().count() <= limit);
        }
    }
}
