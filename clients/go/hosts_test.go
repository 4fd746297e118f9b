package countersign

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each host of the conformance suite, over sockets.

func TestHosts(t *testing.T) {
	for _, name := range hosts {
		t.Run(name, func(t *testing.T) {
			api := startHost(t, name, hostConfig(t), 0)
			t.Run("direct", func(t *testing.T) { direct(t, api) })
			t.Run("for a user with a body", func(t *testing.T) { forUserWithBody(t, api) })
			t.Run("with links", func(t *testing.T) { withLinks(t, api) })
			t.Run("a refusal", func(t *testing.T) { refusals(t, api) })
			t.Run("a replay", func(t *testing.T) { replay(t, api) })
			t.Run("a wrong clock", func(t *testing.T) { wrongClock(t, api) })
		})
	}
}

func agentAt(t *testing.T, api, name string) *Agent {
	return agentNamed(t, name, func(config *Config) { config.Origins = []string{api} })
}

func userOf(t *testing.T, api string) *Signer {
	t.Helper()
	now := time.Now().Unix()
	agent := agentAt(t, api, "orchestrator")
	token, err := (&rules{key: keyNamed(t, "issuer")}).signJWT(jwtHeader{"at+jwt", "EdDSA", "issuer-1"}, object{
		"iss": testIssuer, "sub": "user_123", "aud": api, "client_id": agent.ID(), "act": object{"sub": agent.ID()},
		"scope": "repo:read pr:write:draft invoice:read", "iat": now, "exp": now + 300, "jti": uuid(),
	})
	must(t, err)
	user, err := agent.WithToken(token)
	must(t, err)
	return user
}

// call gives the answer as JSON, or the refusal.
func call(t *testing.T, signer *Signer, method, url, contentType string, body []byte) (int, object, *Refusal) {
	t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	must(t, err)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := signer.Client().Do(request)
	must(t, err)
	defer func() { must(t, response.Body.Close()) }()
	refusal, _ := errorAs[*Refusal](CheckResponse(response))
	text, err := io.ReadAll(response.Body)
	must(t, err)
	read, _ := parseObject(text)
	return response.StatusCode, read, refusal
}

func get(t *testing.T, signer *Signer, url string) object {
	t.Helper()
	_, said, refusal := call(t, signer, "GET", url, "", nil)
	if refusal != nil {
		t.Fatal(refusal)
	}
	return said
}

func member(t *testing.T, value any, names ...string) any {
	t.Helper()
	for _, name := range names {
		members, ok := value.(object)
		if !ok {
			t.Fatalf("no %s in %v", name, value)
		}
		value = members[name]
	}
	return value
}

func direct(t *testing.T, api string) {
	agent := agentAt(t, api, "orchestrator")
	if said := get(t, agent.Signer, api+"/whoami?a=1"); member(t, said, "actor", "id") != agent.ID() {
		t.Error(said)
	}
}

func forUserWithBody(t *testing.T, api string) {
	body := []byte(`{"title":"Grüße","draft":true}`)
	status, said, refusal := call(t, userOf(t, api), "POST", api+"/repos/acme/api/pulls", "application/json", body)
	if refusal != nil || status != 201 || member(t, said, "subject", "id") != "user_123" || member(t, said, "body", "title") != "Grüße" {
		t.Error(status, said, refusal)
	}
	large := bytes.Repeat([]byte("\x00\xffgo\r\n"), 300_000)
	_, said, refusal = call(t, agentAt(t, api, "orchestrator").Signer, "PUT", api+"/upload", "application/octet-stream", large)
	if refusal != nil || said["bytes"] != float64(len(large)) {
		t.Error(said, refusal)
	}
}

func withLinks(t *testing.T, api string) {
	ctx := context.Background()
	runner := agentAt(t, api, "runner")
	bundle, err := userOf(t, api).Delegate(ctx, runner.ID(), Grant{Scope: []string{"invoice:read"}, TTL: time.Minute})
	must(t, err)
	text, err := json.Marshal(bundle)
	must(t, err)
	arrived, err := ParseBundle(text)
	must(t, err)
	handed, err := runner.Accept(arrived)
	must(t, err)
	said := get(t, handed, api+"/whoami")
	if chain := said["chain"].([]any); len(chain) != 3 || member(t, chain[0], "id") != "user_123" || member(t, chain[2], "id") != runner.ID() {
		t.Error(said)
	}
	orchestrator := agentAt(t, api, "orchestrator")
	bundle, err = orchestrator.Delegate(ctx, runner.ID(), Grant{Scope: []string{"repo:read"}, Audience: []string{api}})
	must(t, err)
	own, err := runner.Accept(bundle)
	must(t, err)
	if said := get(t, own, api+"/whoami"); member(t, said, "subject", "id") != orchestrator.ID() {
		t.Error(said)
	}
}

func refusals(t *testing.T, api string) {
	_, _, denied := call(t, userOf(t, api), "POST", api+"/repos/acme/api/merge", "", nil)
	if denied == nil || denied.Code != "policy_denied" || !denied.Forbidden() || denied.Temporary() {
		t.Error(denied)
	}
	stranger, err := New(Config{ID: "agent-x", Key: GenerateKey(), Origins: []string{api}})
	must(t, err)
	_, _, unknown := call(t, stranger.Signer, "GET", api+"/whoami", "", nil)
	if unknown == nil || unknown.Code != "signature_invalid" || unknown.Status != 401 || !strings.Contains(unknown.Error(), "Register the key") {
		t.Error(unknown)
	}
}

func replay(t *testing.T, api string) {
	request, err := http.NewRequest("GET", api+"/whoami", nil)
	must(t, err)
	signed, err := agentAt(t, api, "orchestrator").SignRequest(request)
	must(t, err)
	for _, code := range []string{"", "signature_replayed"} {
		response, err := http.DefaultTransport.RoundTrip(signed.Clone(context.Background()))
		must(t, err)
		refusal, _ := errorAs[*Refusal](CheckResponse(response))
		must(t, response.Body.Close())
		if (refusal == nil) != (code == "") || refusal != nil && refusal.Code != code {
			t.Error(refusal)
		}
	}
}

func wrongClock(t *testing.T, api string) {
	for _, ahead := range []time.Duration{time.Hour, -200 * time.Second} {
		agent := agentNamed(t, "runner", func(config *Config) {
			config.Origins, config.Clock = []string{api}, func() time.Time { return time.Now().Add(ahead) }
		})
		get(t, agent.Signer, api+"/whoami")
	}
}
