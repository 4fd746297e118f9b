package countersign

import (
	"strings"
	"sync"
	"unicode"
)

// The standard library has no normalization. A name is refused if a character is not in NFC, or if two would compose.
// A rare order of marks that no composition shows is left to the API, which checks every name again.

type composition struct{ first, second rune }

type compositions struct {
	pairs    map[composition]bool
	composed map[rune]bool
	seconds  map[rune]bool
}

var readCompositions = sync.OnceValue(func() compositions {
	read := compositions{map[composition]bool{}, map[rune]bool{}, map[rune]bool{}}
	text := []rune(nfcCompositions)
	for at := 0; at+2 < len(text); at += 3 {
		read.composed[text[at]] = true
		read.pairs[composition{text[at+1], text[at+2]}] = true
		read.seconds[text[at+2]] = true
	}
	return read
})

func isNFC(text string) bool {
	if isASCII(text) {
		return true
	}
	known := readCompositions()
	var starter rune
	for _, char := range text {
		if strings.ContainsRune(neverInNFC, char) || composesHangul(starter, char) {
			return false
		}
		isMark := unicode.Is(unicode.M, char)
		if known.seconds[char] && (known.pairs[composition{starter, char}] || isMark && known.composed[starter]) {
			return false
		}
		if !isMark || known.seconds[char] && !unicode.Is(unicode.Mn, char) {
			starter = char
		}
	}
	return true
}

func composesHangul(first, second rune) bool {
	isLeading := first >= 0x1100 && first <= 0x1112
	isSyllable := first >= 0xac00 && first <= 0xd7a3 && (first-0xac00)%28 == 0
	return isLeading && second >= 0x1161 && second <= 0x1175 || isSyllable && second >= 0x11a8 && second <= 0x11c2
}

func isASCII(text string) bool {
	for at := range len(text) {
		if text[at] >= 0x80 {
			return false
		}
	}
	return true
}
