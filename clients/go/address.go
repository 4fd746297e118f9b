package countersign

import (
	"net"
	"regexp"
	"strings"
)

var (
	urlForm       = regexp.MustCompile(`(?is)\A(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?\z`)
	authorityForm = regexp.MustCompile(`\A(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::([0-9]{0,5}))?\z`)
	loopbackForm  = regexp.MustCompile(`\A(?:localhost|\[::1\]|127(?:\.[0-9]{1,3}){3})(?::[0-9]+)?\z`)
	printableForm = regexp.MustCompile(`\A[\x21-\x7e]*\z`)
	// Some servers decode separators before they resolve dot segments, some drop a path parameter first.
	dotSegment = regexp.MustCompile(`(?i)(?:/|%2f|%5c)(?:\.|%2e){1,2}(?:/|%2f|%5c|;|%3b|\z)`)
)

// address is where a request goes, as it is signed and sent.
type address struct {
	scheme string
	// In lower case, without the default port.
	authority string
	path      string
	// With its question mark; empty if there is none.
	query string
}

func (a address) origin() string { return a.scheme + "://" + a.authority }

// target is what is on the request line.
func (a address) target() string { return a.path + a.query }

// isPrivate reports whether nobody on the way can read: https, or a loopback address.
func (a address) isPrivate() bool {
	return a.scheme == "https" || loopbackForm.MatchString(a.authority)
}

// readURL reads an absolute http(s) URL whose path and query are percent-encoded.
func readURL(url string) (address, error) {
	found := urlForm.FindStringSubmatch(url)
	if found == nil || strings.Contains(found[2], "@") {
		return address{}, unsupported("The URL must be absolute, http or https, and without user name and password.")
	}
	read := address{scheme: strings.ToLower(found[1]), path: found[3], query: found[4]}
	if read.path == "" {
		read.path = "/"
	}
	if !printableForm.MatchString(read.target()) {
		return address{}, unsupported("Percent-encode the path and the query first: a URL has printable ASCII only.")
	}
	if strings.Contains(read.path, `\`) {
		return address{}, unsupported("The path has a backslash, which some servers take for a slash.")
	}
	if dotSegment.MatchString(read.path) {
		return address{}, unsupported("The path has a dot segment ('.' or '..'). Resolve it first.")
	}
	var ok bool
	if read.authority, ok = readAuthority(read.scheme, found[2]); !ok {
		return address{}, unsupported("The URL names no host that can be signed. Write an international name in its ASCII form.")
	}
	return read, nil
}

// readAuthority gives an authority in lower case and without the default port.
func readAuthority(scheme, authority string) (string, bool) {
	found := authorityForm.FindStringSubmatch(authority)
	if found == nil {
		return "", false
	}
	host, port := strings.ToLower(found[1]), found[2]
	if strings.HasPrefix(host, "[") && net.ParseIP(strings.Trim(host, "[]")) == nil {
		return "", false
	}
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[scheme] {
		return host, true
	}
	return host + ":" + port, true
}

func unsupported(message string) error { return failed(CodeURLUnsupported, message) }
