package countersign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func errorAs[T error](err error) (T, bool) {
	var found T
	ok := errors.As(err, &found)
	return found, ok
}

func TestKeyIsOneKeyInEveryForm(t *testing.T) {
	for _, one := range vectors[keysFile](t, "keys").Keys {
		jwk, err := json.Marshal(one.JWK)
		must(t, err)
		for _, form := range []string{one.Seed, one.SecretKey, one.PEM, one.PEMWithPublicKey, string(jwk)} {
			key, err := ParseKey([]byte(form))
			must(t, err)
			exported, err := key.ExportJWK()
			must(t, err)
			pem, err := key.ExportPEM()
			must(t, err)
			secret, err := key.ExportSecretKey()
			must(t, err)
			signature, err := key.sign(bytesOf(t, one.Signature.Message))
			must(t, err)
			if key.Thumbprint() != one.Thumbprint || key.PublicKey() != one.PublicKey || key.PublicJWK() != one.PublicJWK ||
				exported != one.JWK || string(pem) != one.PEM || toBase64(secret) != one.SecretKey ||
				toBase64(signature) != one.Signature.Signature {
				t.Errorf("%s: another key", one.Name)
			}
		}
	}
}

func TestNoKeyIsReadFromAnythingElse(t *testing.T) {
	for _, one := range vectors[keysFile](t, "keys").Refused {
		_, err := ParseKey([]byte(one.Input))
		if codeOf(err) != CodeKeyInvalid || len(one.Input) > 20 && strings.Contains(err.Error(), one.Input) {
			t.Errorf("%s: %v", one.Name, err)
		}
	}
}

type requestVector struct {
	Key, Name, Method, URL, Nonce, Body, Token, Authority, Code string
	Headers                                                     [][2]string
	Cover, Links, Origins                                       []string
	Created                                                     int64
	MaxBodyBytes                                                int64
	Expected                                                    struct {
		Target        string
		Headers       [][2]string
		SignatureBase []string
	}
}

// fieldsOfVector turns characters into bytes. It fails for characters beyond one byte, which no string of Go stands for.
func fieldsOfVector(headers [][2]string) ([]field, bool) {
	var fields []field
	for _, one := range headers {
		value, ok := latin1(one[1])
		if !ok {
			return nil, false
		}
		fields = append(fields, field{one[0], value})
	}
	return fields, true
}

func latin1(text string) (string, bool) {
	var value []byte
	for _, char := range text {
		if char > 0xff {
			return "", false
		}
		value = append(value, byte(char))
	}
	return string(value), true
}

func TestRequestsAreSignedAsInTheVectors(t *testing.T) {
	for _, one := range vectors[struct{ Requests []requestVector }](t, "requests").Requests {
		t.Run(one.Name, func(t *testing.T) {
			parsed, err := url.Parse(one.URL)
			must(t, err)
			agent := agentNamed(t, one.Key, func(config *Config) {
				config.Origins, config.Cover, config.Clock = []string{parsed.Scheme + "://" + parsed.Host}, one.Cover, at(one.Created)
			})
			held := credentials{token: one.Token, links: one.Links}
			fields, _ := fieldsOfVector(one.Headers)
			body := bytesOf(t, one.Body)
			made, err := agent.rules.sign(held, unsigned{one.Method, one.URL, fields, body}, 0, one.Nonce)
			must(t, err)
			expected, _ := fieldsOfVector(one.Expected.Headers)
			if made.address.target() != one.Expected.Target || made.address.authority != one.Authority || !reflect.DeepEqual(made.fields, expected) {
				t.Errorf("%v", made)
			}
			base := baseOf(t, one.Method, made)
			if base != strings.Join(one.Expected.SignatureBase, "\n") {
				t.Error(base)
			}
			sameOnTheWire(t, agent, one, fields, body)
		})
	}
}

func baseOf(t *testing.T, method string, made signed) string {
	t.Helper()
	input := strings.TrimPrefix(made.fields[len(made.fields)-2].value, "sig=")
	list, _, _ := strings.Cut(input[1:], ")")
	covered := strings.Split(strings.ReplaceAll(list, `"`, ""), " ")
	base, err := signatureBase(method, made.address, made.fields, covered, input)
	must(t, err)
	return base
}

// sameOnTheWire checks that net/http would send the same target, authority and fields.
func sameOnTheWire(t *testing.T, agent *Agent, one requestVector, fields []field, body []byte) {
	t.Helper()
	request, err := http.NewRequest(one.Method, one.URL, bytes.NewReader(body))
	must(t, err)
	for _, each := range fields {
		request.Header.Add(each.name, each.value)
	}
	signer := agent.acting(fixed{credentials{token: one.Token, links: one.Links}})
	sent, err := signer.SignRequest(request)
	must(t, err)
	if sent.Host != one.Authority || sent.URL.RequestURI() != one.Expected.Target {
		t.Errorf("%s %s", sent.Host, sent.URL.RequestURI())
	}
	expected, _ := fieldsOfVector(one.Expected.Headers)
	want := headerOf(expected)
	if !reflect.DeepEqual(sortedNames(sent.Header), sortedNames(want)) {
		t.Errorf("%v is not %v", sent.Header, want)
	}
}

func sortedNames(header http.Header) map[string]int {
	counts := map[string]int{}
	for name := range maps.Keys(header) {
		counts[name] = len(header[name])
	}
	return counts
}

type refusedFile struct {
	Requests []requestVector
	Targets  []string
	Tokens   struct{ Accepted, Refused []string }
}

func TestRequestsThatMustNotBeSigned(t *testing.T) {
	for _, one := range vectors[refusedFile](t, "refused-requests").Requests {
		t.Run(one.Name, func(t *testing.T) {
			fields, ok := fieldsOfVector(one.Headers)
			if !ok {
				t.Skip("a string of Go is bytes: it cannot hold this")
			}
			agent := agentNamed(t, "runner", func(config *Config) {
				config.Origins, config.Cover, config.MaxBodyBytes, config.Clock = one.Origins, one.Cover, one.MaxBodyBytes, at(1_764_000_000)
			})
			held := credentials{token: one.Token, links: one.Links}
			_, err := agent.rules.sign(held, unsigned{one.Method, one.URL, fields, bytesOf(t, one.Body)}, 0, "")
			wantCode(t, err, Code(one.Code))
			request, err := http.NewRequest(one.Method, one.URL, bytes.NewReader(bytesOf(t, one.Body)))
			if err != nil || one.Method == "" {
				return
			}
			for _, each := range fields {
				request.Header[each.name] = []string{each.value}
			}
			_, err = agent.acting(fixed{held}).SignRequest(request)
			wantCode(t, err, Code(one.Code))
		})
	}
}

func TestUnsafeTargetsAreNotSigned(t *testing.T) {
	agent := agentNamed(t, "runner", nil)
	for _, target := range vectors[refusedFile](t, "refused-requests").Targets {
		made := unsigned{method: "GET", url: "https://api.acme.dev" + target}
		_, err := agent.rules.sign(credentials{}, made, 0, "")
		wantCode(t, err, CodeURLUnsupported)
	}
}

func TestTokensAreToldByTheirCharacters(t *testing.T) {
	agent := agentNamed(t, "runner", nil)
	tokens := vectors[refusedFile](t, "refused-requests").Tokens
	for _, token := range tokens.Accepted {
		_, err := agent.WithToken(token)
		must(t, err)
	}
	for _, token := range tokens.Refused {
		_, err := agent.WithToken(token)
		wantCode(t, err, CodeConfigInvalid)
	}
}

func TestDigests(t *testing.T) {
	type digest struct {
		Body   string
		SHA256 string `json:"sha-256"`
	}
	for _, one := range vectors[struct{ Digests []digest }](t, "digests").Digests {
		request, err := http.NewRequest("PUT", "https://api.acme.dev/", bytes.NewReader(bytesOf(t, one.Body)))
		must(t, err)
		sent, err := agentNamed(t, "runner", nil).SignRequest(request)
		must(t, err)
		if sent.Header.Get("Content-Digest") != one.SHA256 {
			t.Error(fmt.Sprint(sent.Header))
		}
	}
}
