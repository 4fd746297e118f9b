package countersign

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// Bundle is everything that a delegate needs to act. Its JSON is the same in every language.
//
// It is useless without the key of the delegate, but shows who works for whom: send it over TLS.
type Bundle struct {
	token string
	links []string
}

// ParseBundle reads the JSON of a bundle. The error has the code [CodeBundleInvalid].
func ParseBundle(text []byte) (Bundle, error) {
	members, ok := parseObject(text)
	if !ok {
		return Bundle{}, badBundle("it is not a JSON object")
	}
	for name := range members {
		if name != "version" && name != "token" && name != "links" {
			return Bundle{}, badBundle("it has a member that is none of version, token and links")
		}
	}
	if members["version"] != float64(1) {
		return Bundle{}, badBundle("it is not of version 1")
	}
	token, isText := members["token"].(string)
	if _, has := members["token"]; has && (!isText || !isBundledJWT(token)) {
		return Bundle{}, badBundle("its token is not a JWT")
	}
	list, _ := members["links"].([]any)
	var links []string
	for _, one := range list {
		link, _ := one.(string)
		links = append(links, link)
	}
	if len(links) == 0 || len(links) > maxDelegationDepth || !all(links, isBundledJWT) {
		return Bundle{}, badBundle("it must hold 1 to 16 links")
	}
	return Bundle{token, links}, nil
}

func isBundledJWT(text string) bool { return len(text) <= maxTokenLength && isCompactJWS(text) }

func all(texts []string, isRight func(string) bool) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !isRight(text) })
}

// Token is the access token that the chain begins with. Empty if it begins with none.
func (b Bundle) Token() string { return b.token }

// Links are the delegations, first to last.
func (b Bundle) Links() []string { return slices.Clone(b.links) }

// MarshalJSON writes the bundle for [ParseBundle], or any other client.
func (b Bundle) MarshalJSON() ([]byte, error) {
	return toJSON(struct {
		Version int      `json:"version"`
		Token   string   `json:"token,omitempty"`
		Links   []string `json:"links"`
	}{1, b.token, b.links})
}

// UnmarshalJSON reads a bundle like [ParseBundle].
func (b *Bundle) UnmarshalJSON(text []byte) error {
	read, err := ParseBundle(text)
	if err == nil {
		*b = read
	}
	return err
}

// Format shows how many links there are, with every verb.
func (b Bundle) Format(state fmt.State, _ rune) { fmt.Fprintf(state, "Bundle(%d links)", len(b.links)) }

// openBundle checks what a delegate can check: that each link follows, expires later, and that the last is for it.
func openBundle(bundle Bundle, rules *rules) (credentials, error) {
	if len(bundle.links) == 0 {
		return credentials{}, badBundle("it must hold 1 to 16 links")
	}
	now := rules.clock().Unix()
	if bundle.token != "" {
		payload, _ := jwtPart(bundle.token, 1)
		if expiry, ok := payload["exp"].(float64); ok && expiry <= float64(now) {
			return credentials{}, badBundle("the token in it has expired")
		}
	}
	parent, holder, keyID := bundle.token, "", ""
	for _, text := range bundle.links {
		payload, ok := jwtPart(text, 1)
		if !ok {
			return credentials{}, badBundle("a link cannot be read")
		}
		link, err := readLink(payload)
		if err != nil {
			return credentials{}, badBundle("a link cannot be read: " + err.Error())
		}
		if link.parentHash != hashOf(parent) || holder != "" && holder != link.issuer {
			return credentials{}, badBundle("a link does not follow from what is before it")
		}
		if link.expires <= now {
			return credentials{}, badBundle("a link in it has expired")
		}
		parent, holder, keyID = text, link.subject, link.keyID
	}
	if holder != rules.agentID {
		return credentials{}, badBundle("it is for another agent")
	}
	if keyID != "" && keyID != rules.key.Thumbprint() {
		return credentials{}, badBundle("it is for another key of this agent")
	}
	return credentials{token: bundle.token, links: slices.Clone(bundle.links)}, nil
}

// hashOf is pth: the base64url SHA-256 of a token or link, as sent. Empty if there is none.
func hashOf(jwt string) string {
	if jwt == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(jwt))
	return toBase64URL(sum[:])
}

func badBundle(why string) error {
	return failed(CodeBundleInvalid, "This bundle cannot be accepted: "+why+".")
}
