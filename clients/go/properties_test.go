package countersign

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Whatever request this client can build is one that a guard verifies: thousands of them in one batch.

const propertyNow = 1_764_000_000

func cases() int {
	if count, err := strconv.Atoi(os.Getenv("COUNTERSIGN_PROPERTY_CASES")); err == nil {
		return count
	}
	return 1000
}

type source struct{ *rand.Rand }

func (s source) pick(texts ...string) string { return texts[s.IntN(len(texts))] }

func (s source) text(alphabet string, most int) string {
	var text strings.Builder
	for range s.IntN(most + 1) {
		text.WriteByte(alphabet[s.IntN(len(alphabet))])
	}
	return text.String()
}

func printable(without string) string {
	var all strings.Builder
	for char := byte(0x21); char < 0x7f; char++ {
		if !strings.ContainsRune(without, rune(char)) {
			all.WriteByte(char)
		}
	}
	return all.String()
}

var (
	pathAlphabet  = printable(`?#\`)
	queryAlphabet = printable("#")
	valueAlphabet = printable("") + " \t"
)

func (s source) target() string {
	var target strings.Builder
	for range s.IntN(6) + 1 {
		target.WriteString("/" + s.text(pathAlphabet, 12))
	}
	if s.IntN(2) == 0 {
		target.WriteString("?" + s.text(queryAlphabet, 40))
	}
	return target.String()
}

// freeURL is of the text of a user, which net/url encodes.
func (s source) freeURL() url.URL {
	var runes []rune
	for range s.IntN(20) {
		runes = append(runes, rune(s.IntN(0xd800)))
	}
	free := url.URL{Path: "/" + string(runes), ForceQuery: s.IntN(4) == 0}
	if s.IntN(2) == 0 {
		free.RawQuery = url.Values{string(runes): {s.text(valueAlphabet, 10), ""}}.Encode()
	}
	return free
}

func (s source) body() []byte {
	switch s.IntN(4) {
	case 0:
		return nil
	case 1:
		return bytes.Repeat([]byte{byte(s.IntN(256))}, []int{1, 4095, 4096, 65_537}[s.IntN(4)])
	default:
		body := make([]byte, s.IntN(200))
		for at := range body {
			body[at] = byte(s.IntN(256))
		}
		return body
	}
}

func (s source) header() http.Header {
	header := http.Header{}
	for name, make := range map[string]func() string{
		"Content-Type":           func() string { return s.pick("application/json", "text/plain; charset=utf-8", `a/b; c="d, e"`) },
		"Content-Encoding":       func() string { return s.pick("gzip", "identity") },
		"Accept":                 func() string { return s.text(valueAlphabet, 30) },
		"Mcp-Method":             func() string { return s.pick("tools/call", "tools/list") },
		"Mcp-Name":               func() string { return s.text(valueAlphabet, 30) },
		"Mcp-Session-Id":         func() string { return s.text(valueAlphabet, 30) },
		"Mcp-Param-Region":       func() string { return s.text(valueAlphabet, 30) },
		"mcp-param-b":            func() string { return s.text(valueAlphabet, 30) },
		"X-Http-Method-Override": func() string { return s.pick("DELETE", "get") },
		"x-note":                 func() string { return s.text(valueAlphabet, 30) },
		"Idempotency-Key":        func() string { return s.text(valueAlphabet, 30) },
		"X-Other":                func() string { return s.text(valueAlphabet+"\xe4\xff", 30) },
		"Content-Digest":         func() string { return s.text(valueAlphabet, 30) },
		"User-Agent":             func() string { return s.text(valueAlphabet, 30) },
	} {
		if s.IntN(3) == 0 {
			header[name] = []string{make()}
		}
	}
	return header
}

func (s source) request(t *testing.T, origin string) *http.Request {
	t.Helper()
	method := s.pick("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "X-!#$")
	request, err := http.NewRequest(method, origin, bytes.NewReader(s.body()))
	must(t, err)
	target := s.freeURL()
	if s.IntN(2) == 0 {
		parsed, err := url.Parse(origin + s.target())
		if err != nil {
			return s.request(t, origin)
		}
		target = *parsed
	}
	request.URL.Path, request.URL.RawPath = target.Path, target.RawPath
	request.URL.RawQuery, request.URL.ForceQuery = target.RawQuery, target.ForceQuery
	request.Header = s.header()
	return request
}

func lineOf(method, target, host string, header http.Header, body []byte) object {
	fields := [][2]string{{"Host", host}}
	for name, values := range header {
		for _, value := range values {
			fields = append(fields, [2]string{name, toLatin1(strings.Trim(value, " \t"))})
		}
	}
	return object{"method": method, "target": target, "headers": fields, "body": toBase64(body)}
}

// toLatin1 turns bytes into characters.
func toLatin1(value string) string {
	var runes []rune
	for at := range len(value) {
		runes = append(runes, rune(value[at]))
	}
	return string(runes)
}

func guardLine(t *testing.T, origin string) object {
	var agents []object
	for _, name := range []string{"orchestrator", "runner"} {
		agents = append(agents, object{"id": idOf(t, name), "publicKey": keyNamed(t, name).PublicKey(), "capabilities": []string{"repo"}})
	}
	return object{"origins": []string{origin}, "now": propertyNow + 30, "agents": agents}
}

func propertyAgent(t *testing.T, origin string) *Agent {
	return agentNamed(t, "runner", func(config *Config) {
		config.Origins, config.Clock = []string{origin}, at(propertyNow)
		config.Cover = []string{"x-note", "idempotency-key", "user-agent"}
	})
}

func random(t *testing.T) source {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return source{rand.New(rand.NewPCG(seed, 0))}
}

func TestEveryRequestThatIsSignedVerifies(t *testing.T) {
	const origin = "https://api.acme.dev"
	agent, made := propertyAgent(t, origin), random(t)
	lines := []any{guardLine(t, origin)}
	for len(lines) <= cases() {
		signed, err := agent.SignRequest(made.request(t, origin))
		if err != nil {
			// A dot segment or a backslash.
			wantCode(t, err, CodeURLUnsupported)
			continue
		}
		body, err := agent.readBody(signed)
		must(t, err)
		lines = append(lines, lineOf(signed.Method, signed.URL.RequestURI(), signed.Host, signed.Header, body))
	}
	check(t, lines)
}

func TestEveryRequestThatArrivesVerifies(t *testing.T) {
	server := record(t)
	agent, made := propertyAgent(t, server.url), random(t)
	for range cases() / 10 {
		response, err := agent.Client().Do(made.request(t, server.url))
		if err != nil {
			wantCode(t, err, CodeURLUnsupported)
			continue
		}
		must(t, response.Body.Close())
	}
	lines := []any{guardLine(t, server.url)}
	for _, one := range server.requests() {
		lines = append(lines, lineOf(one.method, one.target, one.host, one.header, one.body))
	}
	if len(lines) < cases()/20 {
		t.Fatalf("only %d arrived", len(lines))
	}
	check(t, lines)
}

func check(t *testing.T, lines []any) {
	t.Helper()
	found := verify(t, lines)
	for at, one := range found.Refused {
		if at < 3 {
			t.Errorf("%s: %v", one.Code, lines[one.At+1])
		}
	}
	if found.Accepted != len(lines)-1 {
		t.Errorf("%d of %d are accepted", found.Accepted, len(lines)-1)
	}
}
