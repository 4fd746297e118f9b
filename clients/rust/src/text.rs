use std::fmt::Write as _;

use unicode_normalization::is_nfc;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

const MAX_IDENTIFIER_UNITS: usize = 256;
const MAX_URI_UNITS: usize = 1024;
pub const QUOTE_LIMIT: usize = 300;

/// Makes text that a server chose fit for a message that ends up in logs: short, without control characters.
pub fn quote(text: &str, limit: usize) -> String {
    let mut quoted = String::new();
    for (at, char) in text.chars().enumerate() {
        if at == limit {
            quoted.push('…');
            break;
        }
        if is_shown(char) {
            quoted.push(char);
        } else {
            // Writing to a string does not fail.
            let _ = write!(quoted, "\\u{:04x}", u32::from(char));
        }
    }
    quoted
}

fn is_shown(char: char) -> bool {
    char == ' ' || !matches!(char.general_category_group(), GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator)
}

/// Whether text can name an agent, a user or a token, as an API reads it.
pub fn is_identifier(text: &str) -> bool {
    is_visible(text, MAX_IDENTIFIER_UNITS)
}

/// Whether text can name an issuer or an audience.
pub fn is_string_or_uri(text: &str) -> bool {
    is_visible(text, MAX_URI_UNITS)
}

fn is_visible(text: &str, limit: usize) -> bool {
    !text.is_empty()
        && text.trim_matches(' ') == text
        // Lengths count UTF-16 units, as in JavaScript.
        && text.encode_utf16().count() <= limit
        && text.chars().all(|char| is_shown(char) && !is_ignorable(char))
        && is_nfc(text)
}

/// `Default_Ignorable_Code_Point` of Unicode without the characters of category C, and the blank Braille pattern.
const fn is_ignorable(char: char) -> bool {
    matches!(
        char,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether text has only the characters of a token (RFC 6750 §2.1).
pub fn is_token(text: &str) -> bool {
    let start = text.trim_end_matches('=');
    !start.is_empty() && start.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

pub fn is_compact_jws(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_base64url);
    text.split('.').count() == 3 && text.split('.').all(is_part)
}

/// Whether text is a SHA-256 in canonical base64url without padding.
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(is_base64url) && text.ends_with(|last| "AEIMQUYcgkosw048".contains(last))
}

pub const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_and_in_nfc() {
        for name in ["agent-ü", "agent-한국", "agent-Việt", "agent-আমি", "agent-x\u{302}", "a b"] {
            assert!(is_identifier(name), "{name:?}");
        }
        let refused = [
            "",
            "agent-u\u{308}",
            "agent-\u{212b}",
            "agent-\u{1112}\u{1161}",
            "agent-\u{ac00}\u{11a8}",
            "agent-\u{e2}\u{323}",
            "agent-\u{200b}",
            "agent ",
            "a\u{a0}b",
            "a\u{2028}b",
            "a\nb",
        ];
        for name in refused {
            assert!(!is_identifier(name), "{name:?}");
        }
        assert!(is_identifier(&"a".repeat(256)) && !is_identifier(&"a".repeat(257)) && !is_identifier(&"😀".repeat(129)));
    }

    #[test]
    fn quoted_text_has_no_control_characters() {
        assert_eq!(quote("a\u{1b}[1m\u{9b}\u{202e}ü b", 20), "a\\u001b[1m\\u009b\\u202eü b");
        assert_eq!(quote("abcd", 3), "abc…");
    }
}
