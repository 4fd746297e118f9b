package countersign

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRedirectsAreRefused(t *testing.T) {
	other := record(t)
	server := record(t, says(302, map[string]string{"Location": other.url}, ""), says(307, map[string]string{"Location": "/there"}, ""))
	agent := agentAt(t, server.url, "runner")
	for range 2 {
		_, err := agent.Client().Get(server.url)
		wantCode(t, err, CodeRedirectRefused)
	}
	if len(server.requests()) != 2 || len(other.requests()) != 0 {
		t.Error("a redirect was followed")
	}
}

func TestNothingGoesElsewhere(t *testing.T) {
	server := record(t)
	agent := agentAt(t, "https://api.acme.dev", "runner")
	_, err := agent.Client().Get(server.url)
	wantCode(t, err, CodeOriginNotAllowed)
	local := agentAt(t, server.url, "runner")
	for url, code := range map[string]Code{
		strings.Replace(server.url, "http://", "http://user:secret@", 1): CodeURLUnsupported,
		server.url + "/a/../b":   CodeURLUnsupported,
		server.url + "/a/%2e./b": CodeURLUnsupported,
	} {
		_, err := local.Client().Get(url)
		wantCode(t, err, code)
	}
	request, err := http.NewRequest("GET", server.url, nil)
	must(t, err)
	request.Host = "api.acme.dev"
	_, err = local.Client().Do(request)
	wantCode(t, err, CodeHostMismatch)
	if len(server.requests()) != 0 {
		t.Error("something was sent")
	}
}

func TestARestartedAPIIsCalledAgainThreeTimes(t *testing.T) {
	restarted := problem(503, "replay_unknown", map[string]string{"Retry-After": "0"})
	server := record(t, restarted, restarted, restarted)
	agent := agentAt(t, server.url, "runner")
	response, err := agent.Client().Post(server.url, "text/plain", strings.NewReader("a body"))
	must(t, err)
	must(t, response.Body.Close())
	nonces := map[string]bool{}
	for _, one := range server.requests() {
		nonces[one.header.Get("Signature-Input")] = true
		if string(one.body) != "a body" {
			t.Error(string(one.body))
		}
	}
	if response.StatusCode != 200 || len(nonces) != 4 {
		t.Error(response.Status, len(nonces))
	}
	server.then(restarted, restarted, restarted, restarted)
	response, err = agent.Client().Get(server.url)
	must(t, err)
	defer func() { must(t, response.Body.Close()) }()
	refusal, _ := errorAs[*Refusal](CheckResponse(response))
	text, err := io.ReadAll(response.Body)
	must(t, err)
	if refusal == nil || refusal.Code != "replay_unknown" || !refusal.Temporary() || string(text) != `{"code":"replay_unknown"}` {
		t.Error(refusal, string(text))
	}
	if len(server.requests()) != 8 {
		t.Error(len(server.requests()))
	}
}

func TestNothingElseIsSentAgain(t *testing.T) {
	for _, answer := range []http.HandlerFunc{
		problem(503, "replay_store_unavailable", map[string]string{"Retry-After": "0"}),
		problem(401, "token_expired", nil),
		says(503, map[string]string{"Retry-After": "0"}, "busy"),
	} {
		server := record(t, answer)
		response, err := agentAt(t, server.url, "runner").Client().Get(server.url)
		must(t, err)
		must(t, response.Body.Close())
		if len(server.requests()) != 1 {
			t.Error(len(server.requests()))
		}
	}
}

func TestABodyOfAnotherLengthIsNotSent(t *testing.T) {
	server := record(t)
	request, err := http.NewRequest("POST", server.url, io.NopCloser(strings.NewReader("four")))
	must(t, err)
	request.ContentLength = 5
	_, err = agentAt(t, server.url, "runner").Client().Do(request)
	wantCode(t, err, CodeRequestMalformed)
	if len(server.requests()) != 0 {
		t.Error("sent")
	}
}

func TestTheRequestOfTheCallerIsNotChanged(t *testing.T) {
	server := record(t)
	agent, err := agentAt(t, server.url, "runner").WithToken("secret-token")
	must(t, err)
	request, err := http.NewRequest("POST", server.url, strings.NewReader("a"))
	must(t, err)
	response, err := agent.Client().Do(request)
	must(t, err)
	must(t, response.Body.Close())
	if len(request.Header) != 0 || strings.Contains(fmt.Sprintf("%+v", response.Request.Header), "secret-token") {
		t.Error(request.Header, response.Request.Header)
	}
	if got := server.requests()[0].header.Get("Authorization"); got != "Bearer secret-token" {
		t.Error(got)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	key := keyNamed(t, "runner")
	jwk, err := key.ExportJWK()
	must(t, err)
	agent := agentNamed(t, "runner", nil)
	user, err := agent.WithToken("secret-token")
	must(t, err)
	bundle := Bundle{"secret-token", []string{"secret.link.signature"}}
	seed := key.signer
	for _, value := range []any{key, *key, jwk, agent, *agent, user, *user, bundle, &bundle, []any{key}, map[string]any{"a": *user}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			text := fmt.Sprintf(verb, value)
			for _, secret := range []string{"secret", jwk.D, fmt.Sprintf("%d", seed), fmt.Sprintf("%x", seed)} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T shows a secret", verb, value)
				}
			}
		}
	}
	for _, value := range []any{key, *key} {
		if _, err := json.Marshal(value); err == nil {
			t.Error("a key was marshaled")
		}
	}
}

func TestNamesMustBeInNFC(t *testing.T) {
	for name, isRight := range map[string]bool{
		"agent-ü": true, "agent-u\u0308": false, "agent-\u212b": false, "agent-한국": true, "agent-\u1112\u1161": false,
		"agent-\uac00\u11a8": false, "agent-Việt": true, "agent-\u00e2\u0323": false, "agent-আমি": true, "agent-x\u0302": true,
		"agent-\u200b": false, "agent ": false, "agent-\xff": false,
	} {
		if isIdentifier(name) != isRight {
			t.Errorf("%+q", name)
		}
	}
}
