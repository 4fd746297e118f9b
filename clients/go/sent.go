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
	call, _ := request["call"].(map[string]any)
	path, _ := asked["path"].(string)
	query, _ := asked["query"].(string)
	digest, hasDigest := asked["contentDigest"].(string)
	_, isCall := call["argumentsDigest"]
	return asked["method"] == s.method && asked["authority"] == s.authority && path+query == s.target &&
		// A call states its arguments instead of the body.
		(digest == s.digest || isCall && !hasDigest)
}

// digestOf is the Content-Digest of a body. Empty if there is none.
func digestOf(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	sum := sha256.Sum256(body)
	return "sha-256=:" + toBase64(sum[:]) + ":"
}
