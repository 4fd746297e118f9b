package countersign

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxIdentifierUnits = 256
	maxURIUnits        = 1024
)

var (
	tokenForm      = regexp.MustCompile(`\A[A-Za-z0-9\-._~+/]+=*\z`)
	jwsForm        = regexp.MustCompile(`\A[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\z`)
	thumbprintForm = regexp.MustCompile(`\A[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]\z`)

	// Default_Ignorable_Code_Point of Unicode without the characters of category C, and the blank Braille pattern.
	ignorable = regexp.MustCompile(
		`[\x{34f}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180b}-\x{180f}\x{2800}\x{3164}\x{fe00}-\x{fe0f}\x{ffa0}\x{e0100}-\x{e01ef}]`)
)

// quote makes text that a server chose fit for a message that ends up in logs: short, without control characters.
func quote(text string, limit int) string {
	var quoted strings.Builder
	count := 0
	for _, char := range text {
		if count++; count > limit {
			quoted.WriteString("…")
			break
		}
		if unicode.IsPrint(char) {
			quoted.WriteRune(char)
		} else {
			fmt.Fprintf(&quoted, `\u%04x`, char)
		}
	}
	return quoted.String()
}

const quoteLimit = 300

// isIdentifier reports whether text can name an agent, a user or a token, as an API reads it.
func isIdentifier(text string) bool { return isVisible(text, maxIdentifierUnits) }

// isStringOrURI reports whether text can name an issuer or an audience.
func isStringOrURI(text string) bool { return isVisible(text, maxURIUnits) }

func isVisible(text string, limit int) bool {
	if text == "" || !utf8.ValidString(text) || strings.Trim(text, " ") != text || ignorable.MatchString(text) {
		return false
	}
	// Lengths count UTF-16 units, as in JavaScript.
	if len(utf16.Encode([]rune(text))) > limit {
		return false
	}
	for _, char := range text {
		if char != ' ' && !unicode.In(char, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S) {
			return false
		}
	}
	return isNFC(text)
}

// isToken reports whether text has only the characters of a token (RFC 6750 §2.1).
func isToken(text string) bool { return tokenForm.MatchString(text) }

func isCompactJWS(text string) bool { return jwsForm.MatchString(text) }

// isThumbprint reports whether text is a SHA-256 in canonical base64url without padding.
func isThumbprint(text string) bool { return thumbprintForm.MatchString(text) }
