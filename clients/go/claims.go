package countersign

import (
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
)

// The claims of tokens and links, read as strictly as an API reads them.

const (
	maxAudiences   = 16
	maxActors      = 16
	maxScopes      = 100
	maxScopeLength = 256
	maxSafeInteger = 1<<53 - 1
)

var (
	scopeTokenForm = regexp.MustCompile(`\A[\x21\x23-\x39\x3b-\x5b\x5d-\x7e]+(?::[\x21\x23-\x39\x3b-\x5b\x5d-\x7e]+)*\z`)
	linkClaims     = []string{
		"iss", "sub", "aud", "scope", "authorization_details", "iat", "exp", "jti", "pth", "max_hops", "cnf",
	}
	errScope = errors.New("scope must be 1 to 100 scopes like 'repo:read', separated by single spaces")
)

// claims are what a token or a link gives, and to whom.
type claims struct {
	issuer   string
	subject  string
	audience []string
	expires  int64
	// Unlimited: a token that does not limit the scope of what is handed on.
	unlimited bool
	scope     []string
	// Nil if there are none.
	details []detail
	// Less than 0 if it says nothing.
	maxHops int64
	// The thumbprint of the one key that may use it.
	keyID string
	// Of a link: the hash of what is before it.
	parentHash string
	// Of a token: who acts, and who acted before, most recent first.
	actors []string
}

// reader reads claims, and keeps the first thing that is wrong.
type reader struct {
	payload map[string]any
	err     error
}

func (r *reader) require(isRight bool, problem string) {
	if !isRight && r.err == nil {
		r.err = errors.New(problem)
	}
}

func (r *reader) has(name string) bool {
	_, has := r.payload[name]
	return has
}

func (r *reader) text(name string) string {
	text, _ := r.payload[name].(string)
	return text
}

func (r *reader) seconds(name string) int64 {
	number, ok := r.payload[name].(float64)
	isWhole := ok && number == math.Trunc(number) && number >= 0 && number <= maxSafeInteger
	r.require(isWhole, name+" must be a whole number")
	if !isWhole {
		return 0
	}
	return int64(number)
}

func readLink(payload map[string]any) (claims, error) {
	r := &reader{payload: payload}
	for name := range payload {
		r.require(slices.Contains(linkClaims, name), "the link has a claim that is none of those of a link")
	}
	read := claims{issuer: r.text("iss"), subject: r.text("sub"), parentHash: r.text("pth")}
	r.require(isIdentifier(read.issuer), "iss must name an agent: visible text in NFC")
	r.require(isIdentifier(read.subject), "sub must name an agent: visible text of 1 to 256 characters in NFC")
	r.require(read.issuer != read.subject, "nobody delegates to itself")
	read.expires = r.seconds("exp")
	r.require(read.expires > r.seconds("iat"), "exp must be after iat")
	r.require(isIdentifier(r.text("jti")), "jti must be visible text")
	r.require(!r.has("pth") || isThumbprint(read.parentHash), "pth must be a SHA-256 in base64url")
	confirmation, _ := payload["cnf"].(map[string]any)
	r.require(confirmation["jwk"] == nil, "cnf of a link must be a thumbprint (jkt)")
	var err error
	if read.scope, err = parseScope(r.text("scope")); err != nil {
		r.require(false, err.Error())
	}
	r.common(&read)
	return read, r.err
}

// readToken reads the claims of an access token, as far as they limit what is handed on.
func readToken(payload map[string]any) (claims, error) {
	r := &reader{payload: payload}
	read := claims{issuer: r.text("iss"), subject: r.text("sub")}
	r.require(isStringOrURI(read.issuer), "iss must be visible text")
	r.require(isIdentifier(read.subject), "sub must be visible text of 1 to 256 characters")
	read.expires = r.seconds("exp")
	r.require(read.expires > 0, "exp must be seconds")
	for _, name := range []string{"iat", "nbf"} {
		if r.has(name) {
			r.seconds(name)
		}
	}
	for _, name := range []string{"jti", "client_id"} {
		r.require(!r.has(name) || isIdentifier(r.text(name)), name+" must be visible text")
	}
	if r.has("act") {
		read.actors = r.actors()
		r.require(r.text("client_id") != read.subject, "sub names the client itself")
	}
	if r.has("scope") {
		var err error
		if read.scope, err = parseScope(r.text("scope")); err != nil {
			r.require(false, err.Error())
		}
	}
	// A token of the agent itself without a scope gives all its capabilities; one with an actor gives nothing.
	read.unlimited = len(read.actors) == 0 && len(read.scope) == 0
	r.common(&read)
	return read, r.err
}

func (r *reader) common(read *claims) {
	read.audience, read.maxHops, read.keyID = r.audience(), -1, r.keyID()
	if r.has("max_hops") {
		read.maxHops = r.seconds("max_hops")
	}
	if r.has("authorization_details") {
		var err error
		if read.details, err = readDetails(r.payload["authorization_details"]); err != nil {
			r.require(false, err.Error())
		}
	}
}

func (r *reader) audience() []string {
	var audience []string
	for _, one := range entriesOf(r.payload["aud"]) {
		text, ok := one.(string)
		r.require(ok && isStringOrURI(text), "aud must be the name of an API, or a list of 1 to 16 of them")
		audience = append(audience, text)
	}
	r.require(len(audience) > 0 && len(audience) <= maxAudiences, "aud must be the name of an API, or a list of 1 to 16 of them")
	return audience
}

func (r *reader) keyID() string {
	if !r.has("cnf") {
		return ""
	}
	confirmation, isObject := r.payload["cnf"].(map[string]any)
	keyID, isText := confirmation["jkt"].(string)
	// A token may hold the whole key: the API compares it.
	isRight := isObject && (isText && isThumbprint(keyID) || confirmation["jkt"] == nil && confirmation["jwk"] != nil)
	r.require(isRight, "cnf must name one key by its thumbprint (jkt)")
	return keyID
}

func (r *reader) actors() []string {
	var actors []string
	var nested = r.payload["act"]
	for nested != nil || len(actors) == 0 {
		actor, isObject := nested.(map[string]any)
		name, _ := actor["sub"].(string)
		issuer := actor["iss"]
		isRight := isObject && isIdentifier(name) && (issuer == nil || issuer == r.payload["iss"]) &&
			name != r.payload["sub"] && !slices.Contains(actors, name) && len(actors) < maxActors
		r.require(isRight, "act must name each actor once, at the issuer of the token")
		if !isRight {
			return actors
		}
		actors = append(actors, name)
		nested = actor["act"]
	}
	return actors
}

// parseScope reads scopes, separated by single spaces (RFC 6749 §3.3).
func parseScope(text string) ([]string, error) {
	scopes := strings.Split(text, " ")
	if len(scopes) > maxScopes {
		return nil, errScope
	}
	for _, scope := range scopes {
		if len(scope) > maxScopeLength || !scopeTokenForm.MatchString(scope) {
			return nil, errScope
		}
	}
	return scopes, nil
}

// scopeCovers reports whether pr:write or pr:write:draft is held for pr:write:draft.
func scopeCovers(held []string, wanted string) bool {
	return slices.ContainsFunc(held, func(scope string) bool {
		return wanted == scope || strings.HasPrefix(wanted, scope+":")
	})
}
