package countersign

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var localIssuer = object{"dangerouslyAllowHttp": true, "dangerouslyAllowPrivateAddresses": true}

func issuerAt(issuer any) []object {
	made := object{"issuer": issuer}
	for name, value := range localIssuer {
		made[name] = value
	}
	return []object{made}
}

func TestTokensOfAnAuthority(t *testing.T) {
	ctx := context.Background()
	for _, name := range hosts {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			api := fmt.Sprintf("http://127.0.0.1:%d", port)
			runner := idOf(t, "runner")
			dev := start(t, "packages/cli/bin/countersign.js", "dev",
				"--api", api, "--agent", runner, "--scope", "repo:read invoice:read", "--listen", "127.0.0.1:0").started
			text, err := json.Marshal(member(t, dev, "agent", "privateKey"))
			must(t, err)
			var pem string
			if json.Unmarshal(text, &pem) == nil {
				text = []byte(pem)
			}
			key, err := ParseKey(text)
			must(t, err)
			config := hostConfig(t)
			config["agents"], config["issuers"] = []object{registration(runner, key.PublicJWK())}, issuerAt(dev["issuer"])
			startHost(t, name, config, port)
			var ahead atomic.Int64
			agent, err := New(Config{
				ID: runner, Key: key, Origins: []string{api}, Authority: dev["issuer"].(string),
				Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
			})
			must(t, err)
			token := FixedToken(member(t, dev, "user", "token").(string))
			user, err := agent.ActFor(ctx, token, TokenRequest{Scope: []string{"invoice:read"}})
			must(t, err)
			if said := get(t, user, api+"/whoami"); member(t, said, "subject", "id") != "dev:alice" {
				t.Error(said)
			}
			before, err := user.hold.current(ctx)
			must(t, err)
			// Beyond the end of the token by the clock of the agent, which is then wrong.
			ahead.Store(int64(400 * time.Second))
			get(t, user, api+"/whoami")
			after, err := user.hold.current(ctx)
			must(t, err)
			if before.token == after.token {
				t.Error("the token was not renewed")
			}
			own, err := agent.WithOwnToken(ctx, TokenRequest{})
			must(t, err)
			challenged, err := agent.WithChallenge(ctx, "", TokenRequest{Scope: []string{"repo:read"}})
			must(t, err)
			for _, signer := range []*Signer{own, challenged} {
				if said := get(t, signer, api+"/whoami"); member(t, said, "subject", "id") != runner {
					t.Error(said)
				}
			}
			_, err = agent.ActFor(ctx, token, TokenRequest{Scope: []string{"admin"}})
			wantCode(t, err, CodeTokenRefused)
		})
	}
}

func TestPeopleApprove(t *testing.T) {
	for _, name := range hosts {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			api := fmt.Sprintf("http://127.0.0.1:%d", port)
			runner := idOf(t, "runner")
			arguments, err := json.Marshal(object{"audience": api, "agents": []object{{
				"id": runner, "jwk": keyNamed(t, "runner").PublicJWK(), "capabilities": []string{"repo:read"},
			}}})
			must(t, err)
			people := start(t, "test/clients/authority.mjs", string(arguments))
			issuer := people.started["issuer"].(string)
			config := hostConfig(t)
			config["approvals"] = object{"issuers": issuerAt(issuer)}
			config["policies"] = `@id("merges") @approval("release-managers") permit(principal, action == Action::"pr.merge", resource);`
			startHost(t, name, config, port)
			agent := agentNamed(t, "runner", func(config *Config) { config.Origins, config.Authority = []string{api}, issuer })
			approvedRunsOnce(t, agent, people, api+"/repos/acme/api/merge")
			deniedAndWithdrawn(t, agent, people, api+"/repos/acme/api/merge")
		})
	}
}

var mergeBody = []byte(`{"force":true}`)

func merge(t *testing.T, signer *Signer, url string, body []byte) *Refusal {
	t.Helper()
	_, _, refusal := call(t, signer, "POST", url, "application/json", body)
	return refusal
}

func (p *program) decide(t *testing.T, verdict string) {
	t.Helper()
	_, err := fmt.Fprintf(p.input, `{"verdict":%q,"reason":"Not\u009b today"}`+"\n", verdict)
	must(t, err)
	if said := p.line(); said["decided"] != float64(1) {
		t.Fatal(said)
	}
}

func approvedRunsOnce(t *testing.T, agent *Agent, people *program, url string) {
	ctx := context.Background()
	pending, err := agent.AskApproval(ctx, merge(t, agent.Signer, url, mergeBody), Question{Body: mergeBody, Why: "The tests are green."})
	must(t, err)
	if early, err := pending.Poll(ctx); early != "" || err != nil {
		t.Fatal(early, err)
	}
	people.decide(t, "approve")
	approval, err := pending.Wait(ctx)
	must(t, err)
	approved, err := agent.WithApproval(approval)
	must(t, err)
	// For another body it is worth nothing, and is not used up.
	for _, each := range []struct{ body, code string }{{"{}", "approval_mismatch"}, {string(mergeBody), ""}, {string(mergeBody), "approval_used"}} {
		refusal := merge(t, approved, url, []byte(each.body))
		if (refusal == nil) != (each.code == "") || refusal != nil && refusal.Code != each.code {
			t.Error(each, refusal)
		}
	}
}

func deniedAndWithdrawn(t *testing.T, agent *Agent, people *program, url string) {
	ctx := context.Background()
	needed := merge(t, agent.Signer, url, mergeBody)
	pending, err := agent.AskApproval(ctx, needed, Question{Body: mergeBody})
	must(t, err)
	over, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := pending.Wait(over); err != context.DeadlineExceeded {
		t.Error(err)
	}
	people.decide(t, "deny")
	_, err = pending.Wait(ctx)
	wantCode(t, err, CodeApprovalDenied)
	if text := err.Error(); !strings.Contains(text, "today") || strings.Contains(text, "\u009b") {
		t.Errorf("%q", text)
	}
	_, err = agent.AskApproval(ctx, needed, Question{Body: []byte("another")})
	wantCode(t, err, CodeApprovalRefused)
	withdrawn, err := agent.AskApproval(ctx, needed, Question{Body: mergeBody})
	must(t, err)
	must(t, withdrawn.Withdraw(ctx))
	_, err = withdrawn.Poll(ctx)
	wantCode(t, err, CodeApprovalWithdrawn)
}

func TestAnAuthorityThatCannotBeUsed(t *testing.T) {
	ctx := context.Background()
	other := record(t)
	server := record(t)
	agent := func() *Agent { return agentNamed(t, "runner", func(config *Config) { config.Authority = server.url }) }
	metadata := func(issuer, endpoint string) string {
		return fmt.Sprintf(`{"issuer":%q,"token_endpoint":%q,"approval_endpoint":%q}`, issuer, endpoint, endpoint)
	}
	good := says(200, nil, metadata(server.url, server.url+"/token"))
	for _, each := range []struct {
		status int
		body   string
		code   Code
	}{
		{500, `{"error":"server_error"}`, CodeAuthorityUnavailable},
		{429, `{"error":"slow_down"}`, CodeAuthorityUnavailable},
		{200, `{"access_token":"a\nb","expires_in":60}`, CodeAuthorityUnavailable},
		{200, strings.Repeat(" ", 70_000) + "{}", CodeAuthorityUnavailable},
		{400, `{"error":"invalid_grant","error_description":"no\u001b"}`, CodeTokenRefused},
	} {
		server.then(good, says(each.status, nil, each.body))
		_, err := agent().WithOwnToken(ctx, TokenRequest{})
		wantCode(t, err, each.code)
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q", err)
		}
	}
	redirect := map[string]string{"Location": other.url}
	server.then(good, says(307, redirect, ""))
	_, err := agent().WithOwnToken(ctx, TokenRequest{})
	wantCode(t, err, CodeAuthorityUnavailable)
	for _, text := range []string{metadata(other.url, other.url), metadata(server.url, "http://id.acme.dev/token")} {
		server.then(says(200, nil, text))
		_, err := agent().WithOwnToken(ctx, TokenRequest{})
		wantCode(t, err, CodeAuthorityUnavailable)
	}
	refusal := &Refusal{Code: "approval_required", Approval: &NeededApproval{Issuers: []string{"https://id.acme.dev"}}}
	_, err = agent().AskApproval(ctx, refusal, Question{})
	wantCode(t, err, CodeApprovalImpossible)
	if len(other.requests()) != 0 {
		t.Error("another server was called")
	}
}

func TestThePageOfAnAPIIsAURL(t *testing.T) {
	header := http.Header{"Content-Type": {problemType}}
	for page, isRight := range map[string]bool{
		"https://app.acme.dev/queue/7#all": true, "javascript:alert(1)": false, "https://app.acme.dev/#\\u001b[2J": false, "https://": false,
	} {
		refusal := readRefusal(403, header, []byte(`{"code":"approval_required","approval":{"url":"`+page+`"}}`))
		if refusal == nil || (refusal.Approval.URL != "") != isRight {
			t.Errorf("%s: %v", page, refusal)
		}
	}
}

func TestATokenIsKeptWhileItCounts(t *testing.T) {
	var now, asked atomic.Int64
	var failing atomic.Bool
	clock := func() time.Time { return time.Unix(now.Load(), 0) }
	held := newHeldToken(func(context.Context) (issuedToken, error) {
		if failing.Load() {
			return issuedToken{}, failed(CodeAuthorityUnavailable, "down")
		}
		return issuedToken{fmt.Sprint("token-", asked.Add(1)), clock().Add(100 * time.Second)}, nil
	}, clock)
	for _, each := range []struct {
		now     int64
		failing bool
		token   string
	}{{1000, false, "token-1"}, {1074, false, "token-1"}, {1076, true, "token-1"}, {1078, false, "token-1"}, {1082, false, "token-2"}, {1500, true, ""}} {
		now.Store(each.now)
		failing.Store(each.failing)
		got, err := held.current(context.Background())
		if got.token != each.token || (err != nil) != (each.token == "") {
			t.Error(each, got.token, err)
		}
	}
}
