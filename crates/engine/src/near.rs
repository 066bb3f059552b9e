//! Near names: what someone probably meant who named something that there is not.

/// Longer names are not compared: nobody mistypes them, and the comparison takes time by the product of the lengths.
const LONGEST: usize = 64;

/// The candidate nearest to `name`, if one is near enough to be meant.
pub fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = folded(name);
    let most = (wanted.len() / 3).max(1);
    if wanted.is_empty() || wanted.len() > LONGEST {
        return None;
    }
    let distances = candidates.into_iter().filter_map(|candidate| {
        let folded = folded(candidate);
        let distance = (folded.len() <= LONGEST).then(|| distance(&wanted, &folded))?;
        (distance <= most).then_some((distance, candidate))
    });
    distances.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Letters and digits in lower case: `speakerId` and `speaker_id` are the same word.
fn folded(name: &str) -> Vec<u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

/// Levenshtein's distance, row by row.
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, a) in left.iter().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        if let Some(first) = row.first_mut() {
            *first = before;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(right) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *cell;
            before = changed.min(diagonal + 1).min(before + 1);
            *cell = before;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["speaker_id", "topic_id", "limit"];
        assert_eq!(near("speakerId", names), Some("speaker_id"));
        assert_eq!(near("limt", names), Some("limit"));
        assert_eq!(near("topicid", names), Some("topic_id"));
        assert_eq!(near("colour", names), None);
        assert_eq!(near("", names), None);
    }

    #[test]
    fn counts_insertions_deletions_and_changes() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b""), 3);
    }
}
