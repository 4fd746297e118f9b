package countersign_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/countersign/countersign/clients/go"
)

func Example() {
	text, err := os.ReadFile("agent.pem")
	if err != nil {
		log.Fatal(err)
	}
	key, err := countersign.ParseKey(text)
	if err != nil {
		log.Fatal(err)
	}
	agent, err := countersign.New(countersign.Config{
		ID:      "agent-code-reviewer-01",
		Key:     key,
		Origins: []string{"https://api.acme.dev"},
	})
	if err != nil {
		log.Fatal(err)
	}
	response, err := agent.Client().Get("https://api.acme.dev/repos/acme/api")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var refusal *countersign.Refusal
	if errors.As(countersign.CheckResponse(response), &refusal) {
		log.Fatal(refusal.Code, refusal.Status, refusal.Advice)
	}
}

func ExampleGenerateKey() {
	key := countersign.GenerateKey()
	pem, err := key.ExportPEM()
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("agent.pem", pem, 0o600); err != nil {
		log.Fatal(err)
	}
	// Put this into the agents.json of the API.
	entry, err := key.Registration("agent-code-reviewer-01", "repo:read", "pr:write:draft")
	if err != nil {
		log.Fatal(err)
	}
	_ = json.NewEncoder(os.Stdout).Encode(entry)
}

func ExampleParseKey() {
	key, err := countersign.ParseKey([]byte("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="))
	// However it is printed, it shows its public part only.
	fmt.Printf("%v %+v\n", key, err)
	// Output: Key(1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y) <nil>
}

func ExampleAgent_ActFor() {
	agent, err := countersign.New(countersign.Config{
		ID:        "agent-code-reviewer-01",
		Key:       countersign.GenerateKey(),
		Origins:   []string{"https://api.acme.dev"},
		Authority: "https://id.acme.dev",
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	user, err := agent.ActFor(ctx, countersign.FixedToken("token-of-the-user"), countersign.TokenRequest{Scope: []string{"repo:read"}})
	if err != nil {
		log.Print(err)
		return
	}
	_, _ = user.Client().Get("https://api.acme.dev/repos/acme/api")
}

func ExampleSigner_Delegate() {
	reviewer := agentNamed("agent-reviewer")
	runner := agentNamed("agent-test-runner")
	bundle, err := reviewer.Delegate(context.Background(), "agent-test-runner", countersign.Grant{
		Scope:    []string{"repo:read"},
		Audience: []string{"https://api.acme.dev"},
		TTL:      time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	// To the other agent, over TLS.
	text, err := json.Marshal(bundle)
	if err != nil {
		log.Fatal(err)
	}
	arrived, err := countersign.ParseBundle(text)
	if err != nil {
		log.Fatal(err)
	}
	handed, err := runner.Accept(arrived)
	fmt.Println(handed, err)
	// Output: Signer(agent-test-runner) <nil>
}

func ExampleAgent_AskApproval() {
	agent := agentNamed("agent-code-reviewer-01")
	ctx := context.Background()
	const body = `{"force":true}`
	merge := func(signer *countersign.Signer) (*http.Response, error) {
		return signer.Client().Post("https://api.acme.dev/repos/acme/api/merge", "application/json", strings.NewReader(body))
	}
	response, err := merge(agent.Signer)
	if err != nil {
		log.Print(err)
		return
	}
	defer response.Body.Close()
	var refusal *countersign.Refusal
	if !errors.As(countersign.CheckResponse(response), &refusal) || refusal.Approval == nil {
		return
	}
	pending, err := agent.AskApproval(ctx, refusal, countersign.Question{Body: []byte(body), Why: "The tests are green."})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("People decide at", pending.URI)
	ctx, cancel := context.WithTimeout(ctx, pending.ExpiresIn)
	defer cancel()
	approval, err := pending.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	approved, err := agent.WithApproval(approval)
	if err != nil {
		log.Fatal(err)
	}
	_, _ = merge(approved)
}

func agentNamed(id string) *countersign.Agent {
	agent, err := countersign.New(countersign.Config{
		ID: id, Key: countersign.GenerateKey(), Origins: []string{"https://api.acme.dev"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return agent
}
