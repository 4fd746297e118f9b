package countersign

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// required: `pnpm test` sets it. Without it, tests that need the repository are skipped outside of it.
var required = os.Getenv("COUNTERSIGN_NODE") != ""

func repository(t *testing.T, path string) string {
	t.Helper()
	full := filepath.Join("..", "..", filepath.FromSlash(path))
	if _, err := os.Stat(full); err != nil {
		if required {
			t.Fatalf("%s is missing: run pnpm build", path)
		}
		t.Skipf("%s is only in the repository, after pnpm build", path)
	}
	absolute, err := filepath.Abs(full)
	must(t, err)
	return absolute
}

func vectors[T any](t *testing.T, name string) T {
	t.Helper()
	text, err := os.ReadFile(repository(t, "test/vectors/"+name+".json"))
	must(t, err)
	var read T
	must(t, json.Unmarshal(text, &read))
	return read
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type keyVector struct {
	Name, Seed, SecretKey, PEM, PEMWithPublicKey, PublicKey, Thumbprint string
	JWK, PublicJWK                                                      JWK
	Signature                                                           struct{ Message, Signature string }
}

type refusedKey struct{ Name, Input string }

type keysFile struct {
	Keys    []keyVector
	Refused []refusedKey
}

type bundleVector struct {
	Name, Recipient, RecipientKey string
	Now                           int64
	Bundle                        json.RawMessage
	Accepted                      bool
}

type bundlesFile struct {
	Agents  []struct{ Name, ID, KeyID string }
	Bundles []bundleVector
}

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return data
}

var readKeys sync.Map

func keyNamed(t *testing.T, name string) *Key {
	t.Helper()
	if key, ok := readKeys.Load(name); ok {
		return key.(*Key)
	}
	for _, one := range vectors[keysFile](t, "keys").Keys {
		key, err := NewKeyFromSeed(bytesOf(t, one.Seed))
		must(t, err)
		readKeys.Store(one.Name, key)
	}
	key, ok := readKeys.Load(name)
	if !ok {
		t.Fatalf("no key %s", name)
	}
	return key.(*Key)
}

func idOf(t *testing.T, name string) string {
	t.Helper()
	for _, one := range vectors[bundlesFile](t, "bundles").Agents {
		if one.Name == name {
			return one.ID
		}
	}
	return name
}

func at(seconds int64) func() time.Time { return func() time.Time { return time.Unix(seconds, 0) } }

// agentNamed is an agent of the vectors.
func agentNamed(t *testing.T, name string, change func(*Config)) *Agent {
	t.Helper()
	config := Config{ID: idOf(t, name), Key: keyNamed(t, name), Origins: []string{"https://api.acme.dev"}}
	if change != nil {
		change(&config)
	}
	agent, err := New(config)
	must(t, err)
	return agent
}

func codeOf(err error) Code {
	if found, ok := errorAs[*Error](err); ok {
		return found.Code
	}
	return ""
}

func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	if codeOf(err) != code {
		t.Fatalf("want %s, got %v", code, err)
	}
}
