package countersign

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// endpoint finds an endpoint in the metadata of the authority (RFC 8414 §3; OpenID Connect Discovery §4), and keeps it.
func (a *authority) endpoint(ctx context.Context, name string) (string, error) {
	a.mutex.Lock()
	known := a.endpoints[name]
	a.mutex.Unlock()
	if known != "" {
		return known, nil
	}
	found, err := a.discover(ctx, name)
	if err != nil {
		return "", err
	}
	a.mutex.Lock()
	a.endpoints[name] = found
	a.mutex.Unlock()
	return found, nil
}

func (a *authority) discover(ctx context.Context, name string) (string, error) {
	to, err := readURL(a.issuer)
	if err != nil {
		return "", err
	}
	path := strings.TrimRight(to.path, "/")
	for _, metadata := range []string{
		to.origin() + "/.well-known/oauth-authorization-server" + path,
		to.origin() + path + "/.well-known/openid-configuration",
	} {
		got, err := a.send(ctx, http.MethodGet, metadata, "", "")
		if err != nil {
			return "", err
		}
		if got.status != http.StatusOK {
			continue
		}
		// Metadata of another issuer would send the assertion to another server.
		if got.members["issuer"] != a.issuer {
			return "", a.unavailable("its metadata names another issuer", nil)
		}
		text, _ := got.members[name].(string)
		endpoint, err := readURL(text)
		if err != nil || !endpoint.isPrivate() && !a.rules.dangerouslyAllowHTTP {
			return "", a.unavailable("its metadata has no "+name+" with https", nil)
		}
		return endpoint.origin() + endpoint.target(), nil
	}
	return "", a.unavailable("it has no metadata", nil)
}

// why is what the authority says is wrong with a request. Any other answer is an outage.
func (a *authority) why(got answer) (string, error) {
	text, ok := got.members["error"].(string)
	if !ok || got.status >= http.StatusInternalServerError || got.status == http.StatusTooManyRequests {
		return "", a.unavailable(fmt.Sprintf("it answered with %d", got.status), nil)
	}
	if description, ok := got.members["error_description"].(string); ok {
		text += ": " + description
	}
	return quote(text, quoteLimit), nil
}

func (a *authority) unavailable(why string, cause error) error {
	return &Error{CodeAuthorityUnavailable, "The authority " + a.issuer + " cannot be used now: " + why + ".", cause}
}
