package countersign

import (
	"crypto/sha256"
	"net/http"
)

// sentRequest is what was sent, to be compared with what an API wants people to approve.
type sentRequest struct {
	method    string
	authority string
	target    string
	fields    []field
	// Empty without a body.
	digest string
}

// sentKey is that of a sentRequest in the context of a request.
type sentKey struct{}

func sentBy(request *http.Request) *sentRequest {
	if request == nil {
		return nil
	}
	sent, _ := request.Context().Value(sentKey{}).(*sentRequest)
	return sent
}

// is reports whether the request that people are to approve is this one.
func (s *sentRequest) is(request map[string]any) bool {
	asked, _ := request["http"].(map[string]any)
	path, _ := asked["path"].(string)
	query, _ := asked["query"].(string)
	digest, _ := asked["contentDigest"].(string)
	return asked["method"] == s.method && asked["authority"] == s.authority && path+query == s.target &&
		digest == s.digest && s.has(asked["fields"])
}

// has reports whether these fields were sent. Not all of them are signed: people must not be asked about what somebody on
// the way has written.
func (s *sentRequest) has(fields any) bool {
	asked, isObject := fields.(map[string]any)
	for name, value := range asked {
		if !hasField(s.fields, name) || fromLatin1(combined(s.fields, name)) != value {
			return false
		}
	}
	return isObject || fields == nil
}

// fromLatin1 has a character for each byte, as an API reads them.
func fromLatin1(value string) string {
	text := make([]rune, len(value))
	for at := range len(value) {
		text[at] = rune(value[at])
	}
	return string(text)
}

// digestOf is the Content-Digest of a body. Empty if there is none.
func digestOf(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	sum := sha256.Sum256(body)
	return "sha-256=:" + toBase64(sum[:]) + ":"
}
