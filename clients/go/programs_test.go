package countersign

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var hosts = []string{"node-http", "express4", "express5", "fastify5", "koa2", "koa3"}

const (
	testIssuer = "https://id.acme.dev"
	policies   = `
@id("drafts") permit(principal, action == Action::"pr.create", resource)
when { context has onBehalfOf && context.scope.contains("pr:write:draft") };
@id("invoices") permit(principal, action == Action::"invoice.read", resource)
when { context.scope.contains("invoice:read") };
@id("uploads") permit(principal, action == Action::"file.put", resource) when { context.scope.contains("file:write") };
`
	schema = `entity Repo; entity Dataset; entity Bucket; entity Record;
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
action "invoice.read" appliesTo { principal: [Agent], resource: [Dataset], context: AgentContext };
action "file.put" appliesTo { principal: [Agent], resource: [Bucket], context: AgentContext };
action "record.delete" appliesTo { principal: [Agent], resource: [Record], context: AgentContext };
`
)

type object = map[string]any

func node() string {
	if path := os.Getenv("COUNTERSIGN_NODE"); path != "" {
		return path
	}
	return "node"
}

// program is a program that prints lines of JSON, the first when it listens.
type program struct {
	started object
	lines   *bufio.Reader
	input   io.Writer
}

func start(t *testing.T, main string, arguments ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, node(), append([]string{repository(t, main)}, arguments...)...)
	var errors bytes.Buffer
	command.Stderr = &errors
	output, err := command.StdoutPipe()
	must(t, err)
	input, err := command.StdinPipe()
	must(t, err)
	must(t, command.Start())
	t.Cleanup(func() {
		cancel()
		_ = command.Wait()
	})
	running := &program{lines: bufio.NewReader(output), input: input}
	if running.started = running.line(); running.started == nil {
		cancel()
		_ = command.Wait()
		t.Fatalf("%s %v did not start: %s", main, arguments, errors.String())
	}
	return running
}

func (p *program) line() object {
	text, _ := p.lines.ReadBytes('\n')
	read, _ := parseObject(text)
	return read
}

func registration(id string, jwk JWK) object {
	return object{
		"id": id, "jwk": object{"kty": "OKP", "crv": "Ed25519", "x": jwk.X},
		"capabilities": []string{"repo:read", "pr:write:draft", "invoice:read", "file:write"},
	}
}

func hostConfig(t *testing.T) object {
	issuer := keyNamed(t, "issuer").PublicJWK()
	issuer.KeyID = "issuer-1"
	var agents []object
	for _, name := range []string{"orchestrator", "runner"} {
		agents = append(agents, registration(idOf(t, name), keyNamed(t, name).PublicJWK()))
	}
	return object{
		"origin": nil, "mount": "", "bodyParser": "after", "agents": agents, "policies": policies, "schema": schema,
		"issuers": []object{{"issuer": testIssuer, "jwks": object{"keys": []JWK{issuer}}}},
	}
}

// startHost gives the URL of a host.
func startHost(t *testing.T, name string, config object, port int) string {
	t.Helper()
	folder := t.TempDir()
	config["audit"] = filepath.Join(folder, "audit")
	text, err := json.Marshal(config)
	must(t, err)
	file := filepath.Join(folder, "host.json")
	must(t, os.WriteFile(file, text, 0o600))
	running := start(t, "test/hosts/dist/main.js", name, "--config", file, "--port", fmt.Sprint(port))
	return running.started["url"].(string)
}

// freePort is below the ephemeral ports, so that no other program gets it before it is bound.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 20_000 + rand.IntN(10_000)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			must(t, listener.Close())
			return port
		}
	}
}

type verdict struct {
	Accepted int
	Refused  []struct {
		At   int
		Code string
	}
}

// verify says what the verifier in TypeScript says of many requests.
func verify(t *testing.T, lines []any) verdict {
	t.Helper()
	var text strings.Builder
	for _, line := range lines {
		data, err := json.Marshal(line)
		must(t, err)
		text.Write(append(data, '\n'))
	}
	file := filepath.Join(t.TempDir(), "requests.jsonl")
	must(t, os.WriteFile(file, []byte(text.String()), 0o600))
	command := exec.Command(node(), repository(t, "test/clients/verify.mjs"), file)
	command.Stderr = os.Stderr
	output, err := command.Output()
	must(t, err)
	var read verdict
	must(t, json.Unmarshal(output, &read))
	return read
}
