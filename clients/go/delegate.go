package countersign

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// Grant is what is handed on to another agent.
type Grant struct {
	// Scope has at least one scope, each covered by what is held.
	Scope []string
	// TTL is whole seconds up to an hour, and never longer than what is held. Default: 5 minutes.
	TTL time.Duration
	// Audience are the APIs. Default: those of what is held.
	Audience []string
	// AuthorizationDetails are limits to single resources and actions (RFC 9396). Nil: those of what is held.
	AuthorizationDetails []map[string]any
	// MaxHops is how often it may be handed on from there; 0 forbids it. Nil: as often as what is held allows.
	MaxHops *int
	// KeyID is the thumbprint of the one key of the delegate that may use it.
	KeyID string
}

type linkPayload struct {
	Issuer     string            `json:"iss"`
	Subject    string            `json:"sub"`
	Audience   any               `json:"aud"`
	Scope      string            `json:"scope"`
	Details    *[]map[string]any `json:"authorization_details,omitempty"`
	IssuedAt   int64             `json:"iat"`
	Expires    int64             `json:"exp"`
	ID         string            `json:"jti"`
	ParentHash string            `json:"pth,omitempty"`
	MaxHops    *int              `json:"max_hops,omitempty"`
	KeyBinding *keyBinding       `json:"cnf,omitempty"`
}

type keyBinding struct {
	Thumbprint string `json:"jkt"`
}

// Delegate hands on less than the signer holds to another agent, offline. The error has the code
// [CodeDelegationImpossible] if an API would refuse it; then nothing was signed.
func (s *Signer) Delegate(ctx context.Context, delegate string, grant Grant) (Bundle, error) {
	held, err := s.hold.current(ctx)
	if err != nil {
		return Bundle{}, err
	}
	return delegateFrom(s.rules, held, delegate, grant, uuid())
}

func delegateFrom(rules *rules, held credentials, delegate string, grant Grant, id string) (Bundle, error) {
	parent := held.token
	if len(held.links) > 0 {
		parent = held.links[len(held.links)-1]
	}
	var above map[string]any
	if parent != "" {
		var ok bool
		if above, ok = jwtPart(parent, 1); !ok || !isCompactJWS(parent) {
			return Bundle{}, impossible("the token is not a JWT, so that no link can follow it: ask its issuer to exchange it")
		}
	}
	payload, err := newLink(rules, above, delegate, grant)
	if err != nil {
		return Bundle{}, impossible(err.Error())
	}
	payload.ID, payload.ParentHash = id, hashOf(parent)
	read, ok := plain(payload)
	members, isObject := read.(map[string]any)
	if !ok || !isObject {
		return Bundle{}, impossible("the authorization_details are no JSON")
	}
	link, err := readLink(members)
	if err == nil {
		err = checkLaws(held, link, rules.key.Thumbprint())
	}
	if err != nil {
		return Bundle{}, impossible(err.Error())
	}
	text, err := rules.signJWT(jwtHeader{linkType, "EdDSA", rules.key.Thumbprint()}, payload)
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{held.token, append(slices.Clone(held.links), text)}, nil
}

func newLink(rules *rules, above map[string]any, delegate string, grant Grant) (linkPayload, error) {
	now := rules.clock().Unix()
	payload := linkPayload{
		Issuer: rules.agentID, Subject: delegate, Scope: strings.Join(grant.Scope, " "), IssuedAt: now, MaxHops: grant.MaxHops,
	}
	if slices.ContainsFunc(grant.Scope, func(scope string) bool { return strings.Contains(scope, " ") }) {
		return payload, errors.New("the scope must be a list of single scopes")
	}
	switch len(grant.Audience) {
	case 0:
		payload.Audience = above["aud"]
	case 1:
		payload.Audience = grant.Audience[0]
	default:
		payload.Audience = grant.Audience
	}
	if payload.Audience == nil {
		return payload, errors.New(`say for which API, like Audience: []string{"https://api.acme.dev"}`)
	}
	if grant.AuthorizationDetails != nil {
		payload.Details = &grant.AuthorizationDetails
		if unknown := unknownMember(grant.AuthorizationDetails); unknown != "" {
			return payload, errors.New("unknown member of authorization_details: " + quote(unknown, quoteLimit))
		}
	}
	if grant.KeyID != "" {
		payload.KeyBinding = &keyBinding{grant.KeyID}
	}
	ttl := grant.TTL
	if ttl == 0 {
		ttl = defaultLinkLifetime
	}
	if ttl < time.Second || ttl > maxLinkLifetime || ttl%time.Second != 0 {
		return payload, errors.New("its TTL must be whole seconds, from 1 to 3600")
	}
	payload.Expires = now + int64(ttl/time.Second)
	if expiry, ok := above["exp"].(float64); ok {
		payload.Expires = min(payload.Expires, int64(min(expiry, maxSafeInteger)))
	}
	if payload.Expires <= now {
		return payload, errors.New("what this agent was given has expired")
	}
	return payload, nil
}

// checkLaws applies the laws of delegation as an API does. It alone verifies signatures and knows capabilities.
func checkLaws(held credentials, link claims, keyID string) error {
	var chain []claims
	for _, text := range held.links {
		payload, _ := jwtPart(text, 1)
		read, err := readLink(payload)
		if err != nil {
			return err
		}
		chain = append(chain, read)
	}
	chain = append(chain, link)
	var parent *claims
	var members []string
	if held.token != "" {
		payload, _ := jwtPart(held.token, 1)
		token, err := readToken(payload)
		if err != nil {
			return err
		}
		if len(token.actors) > 0 {
			// The token may name the agent in a namespace of its issuer, which only the API knows.
			before := slices.Clone(token.actors[1:])
			slices.Reverse(before)
			members = append([]string{token.subject}, before...)
		}
		if len(held.links) == 0 && token.keyID != "" && token.keyID != keyID {
			return errors.New("the token is bound to another key than the one that uses it")
		}
		parent = &token
	}
	members = append(members, chain[0].issuer)
	for at := range chain {
		members = append(members, chain[at].subject)
		if parent != nil {
			if err := narrow(parent, &chain[at]); err != nil {
				return err
			}
		}
		parent = &chain[at]
	}
	if len(members)-1 > maxDelegationDepth {
		return errors.New("there are more delegations between subject and actor than any API accepts")
	}
	slices.Sort(members)
	if len(slices.Compact(slices.Clone(members))) < len(members) {
		return errors.New("an agent appears twice in the chain: " + link.subject)
	}
	return nil
}

// narrow checks a child, and gives it the limits that it inherits.
func narrow(parent, child *claims) error {
	if parent.maxHops == 0 {
		return errors.New("what is held forbids to hand it on")
	}
	if parent.maxHops > 0 && child.maxHops >= parent.maxHops {
		return errors.New("max_hops allows more than what is held")
	}
	for _, wanted := range child.scope {
		if !parent.unlimited && !scopeCovers(parent.scope, wanted) {
			return errors.New("the scope '" + wanted + "' is not covered by what this agent was given")
		}
	}
	if child.expires > parent.expires {
		return errors.New("it would expire after what is held")
	}
	if !all(child.audience, func(one string) bool { return slices.Contains(parent.audience, one) }) {
		return errors.New("it has an audience that what is held does not have")
	}
	if parent.details != nil && child.details != nil && !detailsNarrow(child.details, parent.details) {
		return errors.New("the authorization_details do not lie within those of what is held")
	}
	if child.maxHops < 0 && parent.maxHops > 0 {
		child.maxHops = parent.maxHops - 1
	}
	if child.details == nil {
		child.details = parent.details
	}
	return nil
}

func impossible(why string) error {
	return failed(CodeDelegationImpossible, "Not delegated: "+why+".")
}
