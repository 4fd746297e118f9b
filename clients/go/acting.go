package countersign

import (
	"context"
	"net/url"
	"strings"
)

const (
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// TokenRequest limits the tokens that an agent asks its authority for.
type TokenRequest struct {
	// Scope is at most what the tokens give. Default: all that can be granted.
	Scope []string
	// Audience is the API, as it names itself. Default: the first API of the authority.
	Audience string
	// AuthorizationDetails are limits to single resources and actions. Default: those of the user's token.
	AuthorizationDetails []map[string]any
}

// UserToken gets the token of a user, for each exchange.
type UserToken func(ctx context.Context) (string, error)

// FixedToken is a token that does not change.
func FixedToken(token string) UserToken {
	return func(context.Context) (string, error) { return token, nil }
}

func (t TokenRequest) parameters() (url.Values, error) {
	parameters := url.Values{}
	if len(t.Scope) > 0 {
		scope := strings.Join(t.Scope, " ")
		if _, err := parseScope(scope); err != nil {
			return nil, badConfig("Scope: " + err.Error() + ".")
		}
		parameters.Set("scope", scope)
	}
	if t.Audience != "" {
		parameters.Set("resource", t.Audience)
	}
	if t.AuthorizationDetails != nil {
		details, err := toJSON(t.AuthorizationDetails)
		if err != nil {
			return nil, badConfig("AuthorizationDetails cannot be written as JSON.")
		}
		parameters.Set("authorization_details", string(details))
	}
	return parameters, nil
}

// ActFor gives the same agent for a user, with tokens that the authority gives in exchange for the user's (RFC 8693).
//
// The first is got now, so that a refusal shows here; later ones before the last expires. The error has the code
// [CodeTokenRefused] or [CodeAuthorityUnavailable].
func (a *Agent) ActFor(ctx context.Context, user UserToken, request TokenRequest) (*Signer, error) {
	parameters, err := request.parameters()
	if err != nil {
		return nil, err
	}
	return a.holding(ctx, func(ctx context.Context) (issuedToken, error) {
		token, err := user(ctx)
		if err != nil {
			return issuedToken{}, err
		}
		exchange := url.Values{
			"grant_type": {exchangeGrant}, "subject_token": {token}, "subject_token_type": {accessTokenType},
		}
		for name, values := range parameters {
			exchange[name] = values
		}
		return a.authority.token(ctx, exchange)
	})
}

// WithOwnToken gives the same agent for itself, with tokens of the authority, renewed like those of [Agent.ActFor].
func (a *Agent) WithOwnToken(ctx context.Context, request TokenRequest) (*Signer, error) {
	parameters, err := request.parameters()
	if err != nil {
		return nil, err
	}
	parameters.Set("grant_type", "client_credentials")
	return a.holding(ctx, func(ctx context.Context) (issuedToken, error) { return a.authority.token(ctx, parameters) })
}

// WithChallenge gives the same agent with a token for a signed challenge { agent_id, message, signature }.
//
// The message is what the application expects, like "approve-request:174325". It counts once, so the token is not
// renewed. If it is empty, the authority makes a new challenge for each token.
func (a *Agent) WithChallenge(ctx context.Context, message string, request TokenRequest) (*Signer, error) {
	parameters, err := request.parameters()
	if err != nil {
		return nil, err
	}
	if message == "" {
		return a.holding(ctx, func(ctx context.Context) (issuedToken, error) { return a.authority.challenge(ctx, "", parameters) })
	}
	if a.authority == nil {
		return nil, noAuthority()
	}
	issued, err := a.authority.challenge(ctx, message, parameters)
	if err != nil {
		return nil, err
	}
	return a.WithToken(issued.token)
}

func (a *Agent) holding(ctx context.Context, get func(ctx context.Context) (issuedToken, error)) (*Signer, error) {
	if a.authority == nil {
		return nil, noAuthority()
	}
	held := newHeldToken(get, a.rules.clock)
	if _, err := held.current(ctx); err != nil {
		return nil, err
	}
	return a.acting(held), nil
}

func noAuthority() error {
	return badConfig("The agent has no authority. Set Config.Authority.")
}
