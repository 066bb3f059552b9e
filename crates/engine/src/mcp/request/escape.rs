//! How a text is written at each place of a request so that it stays one value there: what would end the value, the
//! segment, the pair or the header line is percent-encoded. Whatever an argument holds, it cannot leave its place.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode_byte, utf8_percent_encode};

/// Where a text is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Within a path segment.
    Path,
    /// A name or a value of the query.
    Query,
    /// A value of the query whose parameter says `allowReserved`.
    Reserved,
    /// A name or a value of an `application/x-www-form-urlencoded` body.
    Form,
    /// A header's value. Nothing is encoded; the header's own check refuses what cannot be in it.
    Header,
    /// A cookie's value.
    Cookie,
}

/// RFC 3986 section 2.3: all but the unreserved characters.
const ALL_BUT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Of the reserved characters those stay that cannot end a value of a query: `&` and `#` would, `+` would be read as a
/// blank, `[` and `]` are not allowed in a query (RFC 3986 section 3.4).
const ALL_BUT_RESERVED: &AsciiSet = &ALL_BUT_UNRESERVED
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'?')
    .remove(b'@');

/// The URL standard's set for form bodies; the blank becomes `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

/// RFC 6265 section 4.1.1: what a cookie's value may not hold, and `%` so that it can be read back.
const COOKIE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

/// What a path as configured may not hold as it is. `%` stays, since a configured path may be encoded already.
const LITERAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'|');

/// Appends `text` to `out`, written for `place`.
pub fn push(out: &mut String, place: Place, text: &str) {
    match place {
        Place::Path | Place::Query => out.extend(utf8_percent_encode(text, ALL_BUT_UNRESERVED)),
        Place::Reserved => push_reserved(out, text),
        Place::Form => {
            for part in utf8_percent_encode(text, FORM) {
                out.push_str(&part.replace(' ', "+"));
            }
        }
        Place::Header => out.push_str(text),
        Place::Cookie => out.extend(utf8_percent_encode(text, COOKIE)),
    }
}

/// RFC 6570 section 3.2.3: an encoded triplet passes as it is, any other `%` is encoded.
fn push_reserved(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.extend(utf8_percent_encode(before, ALL_BUT_RESERVED));
        let is_triplet = after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
        out.push_str(if is_triplet { "%" } else { percent_encode_byte(b'%') });
        rest = after;
    }
    out.extend(utf8_percent_encode(rest, ALL_BUT_RESERVED));
}

/// A piece of a configured path, made fit for a request line.
pub fn literal(text: &str) -> String {
    utf8_percent_encode(text, LITERAL).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(place: Place, text: &str) -> String {
        let mut out = String::new();
        push(&mut out, place, text);
        out
    }

    #[test]
    fn a_path_value_keeps_only_unreserved_characters() {
        assert_eq!(written(Place::Path, "a/b?c#d e~f"), "a%2Fb%3Fc%23d%20e~f");
    }

    #[test]
    fn reserved_characters_stay_but_cannot_end_the_value() {
        assert_eq!(written(Place::Reserved, "/a:b,c&d=e#f+g"), "/a:b,c%26d=e%23f%2Bg");
    }

    #[test]
    fn an_encoded_triplet_passes_where_reserved_is_allowed() {
        assert_eq!(written(Place::Reserved, "50%25 100% %2"), "50%25%20100%25%20%252");
    }

    #[test]
    fn a_form_writes_a_blank_as_plus_and_encodes_a_plus() {
        assert_eq!(written(Place::Form, "a b+c&d~"), "a+b%2Bc%26d%7E");
    }

    #[test]
    fn a_cookie_cannot_begin_another() {
        assert_eq!(written(Place::Cookie, "a; admin=1\r\nX: y"), "a%3B%20admin=1%0D%0AX:%20y");
    }
}
